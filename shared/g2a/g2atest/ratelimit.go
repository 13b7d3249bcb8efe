package g2atest

import "net/http"

// api is one of G2A's APIs, which count their calls separately. A token is asked of the
// Import API.
type api int

const (
	exportAPI api = iota
	exportV2API
	importAPI
	apis // how many there are
)

// retryAfter is when a call beyond the limit may come again, in seconds: a window is
// no longer.
const retryAfter = "1"

// window counts the calls of one second.
type window struct {
	second int64 // unix
	calls  int
}

// limit counts a call, and gives the answer to one beyond Options.RateLimit as the
// fault that it is to the client. It is called with the simulator locked.
func (s *Simulator) limit(of api) (Fault, bool) {
	if s.options.RateLimit == 0 {
		return Fault{}, false
	}
	now, current := s.options.Clock().Unix(), &s.windows[of]
	if current.second != now {
		*current = window{second: now}
	}
	current.calls++
	return Fault{Mode: modeStatus, Status: http.StatusTooManyRequests, Code: codeTooManyRequests, RetryAfter: retryAfter},
		current.calls > s.options.RateLimit
}
