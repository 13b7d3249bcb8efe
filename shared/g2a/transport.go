package g2a

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"
)

// sender sends requests through one transport.
type sender struct {
	client *http.Client
	// http1 marks a transport that is known to speak HTTP/1.1 alone and to report to
	// net/http/httptrace.
	http1 bool
}

func newSender(transport http.RoundTripper, http1 bool, timeout time.Duration) sender {
	return sender{http1: http1, client: &http.Client{
		Transport: transport,
		Timeout:   timeout,
		// Following a redirect would hand the credentials over, and make the call twice.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// ownTransport is what sends the requests when Options.Transport is nil.
func ownTransport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 10
	transport.TLSHandshakeTimeout = 5 * time.Second
	return transport
}

// newOnceSender returns the sender of the calls that must reach G2A once. net/http
// repeats a request by itself on a connection that was used before, and over HTTP/2 also
// on a new one, whatever the method: so these calls go over HTTP/1.1, each on a fresh
// connection.
func newOnceSender(transport http.RoundTripper, timeout time.Duration) sender {
	shared, known := transport.(*http.Transport)
	if !known {
		return newSender(unrepeatable{transport}, false, timeout)
	}
	once := shared.Clone()
	once.DisableKeepAlives = true
	once.DisableCompression = true
	once.ForceAttemptHTTP2 = false
	once.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	once.Protocols = new(http.Protocols)
	once.Protocols.SetHTTP1(true)
	if once.TLSClientConfig == nil {
		once.TLSClientConfig = new(tls.Config)
	}
	once.TLSClientConfig.NextProtos = []string{"http/1.1"}
	if once.TLSClientConfig.ClientSessionCache == nil {
		once.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(0) // a resumed handshake is shorter
	}
	return newSender(once, true, timeout)
}

// send sends a request. When it fails, unsent reports that nothing was sent that G2A
// could have acted on; a transport that does not report to httptrace leaves that open.
func (s sender) send(r *http.Request) (response *http.Response, unsent bool, err error) {
	var reports, written atomic.Bool
	reports.Store(s.http1)
	response, err = s.client.Do(r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GetConn: func(string) { reports.Store(true) },
		GotConn: func(got httptrace.GotConnInfo) {
			// Over HTTP/2 the headers may still be written after the call has returned.
			if !s.http1 && !speaksHTTP1(got) {
				written.Store(true)
			}
		},
		WroteHeaders: func() { written.Store(true) },
	})))
	return response, reports.Load() && !written.Load(), err
}

func speaksHTTP1(got httptrace.GotConnInfo) bool {
	connection, isTLS := got.Conn.(*tls.Conn)
	if !isTLS {
		return false
	}
	protocol := connection.ConnectionState().NegotiatedProtocol
	return protocol == "" || protocol == "http/1.1"
}

// unrepeatable keeps net/http, somewhere below a transport that is not ours, from
// sending a request again by itself: it repeats none whose body is gone.
type unrepeatable struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (u unrepeatable) RoundTrip(r *http.Request) (*http.Response, error) {
	single := r.Clone(r.Context())
	single.GetBody = nil
	if r.Body == nil || r.Body == http.NoBody {
		single.Body = io.NopCloser(strings.NewReader(""))
		if r.Method != http.MethodGet {
			// Over HTTP/1.1 net/http would send an empty body that it was given as a
			// chunked one. It writes a length itself only where it knows it, and passes
			// on one whose name it does not recognize; HTTP/2 leaves it out.
			single.TransferEncoding = []string{"identity"}
			single.Header["content-length"] = []string{"0"}
		}
	}
	return u.next.RoundTrip(single)
}
