package g2a

import "errors"

// Outcome says whether a call that failed was carried out at G2A. It is what decides
// whether a call that charges, creates or reveals something may be made again.
type Outcome int

// The outcomes.
const (
	// OutcomeUnknown: it may have been carried out, or may still be.
	OutcomeUnknown Outcome = iota
	// NotDone: it certainly was not, because it was never sent or because G2A refused it.
	NotDone
	// Done: it certainly was, though the answer could not be used.
	Done
)

// String returns "unknown", "not done" or "done".
func (o Outcome) String() string {
	switch o {
	case NotDone:
		return "not done"
	case Done:
		return "done"
	}
	return "unknown"
}

// OutcomeOf reports the outcome of the call that err is of. It is OutcomeUnknown for an
// error that no call of this package returned.
func OutcomeOf(err error) Outcome {
	var of interface{ outcome() Outcome }
	if errors.As(err, &of) {
		return of.outcome()
	}
	return OutcomeUnknown
}

func (e *Error) outcome() Outcome { return e.Outcome }

// notSent wraps an error from before a call: it was certainly not sent.
type notSent struct{ error }

func (notSent) outcome() Outcome { return NotDone }

// Unwrap returns what kept the call from being sent.
func (n notSent) Unwrap() error { return n.error }
