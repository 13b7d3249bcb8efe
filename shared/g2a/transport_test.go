package g2a_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// breakage is how a brittle G2A breaks off a call.
type breakage struct {
	name   string
	after  bool // the work is done
	code   http2.ErrCode
	goAway bool // the connection goes, not the stream alone
}

var breakages = []breakage{
	{name: "PROTOCOL_ERROR before the work", code: http2.ErrCodeProtocol},
	{name: "PROTOCOL_ERROR after the work", code: http2.ErrCodeProtocol, after: true},
	{name: "REFUSED_STREAM before the work", code: http2.ErrCodeRefusedStream},
	{name: "REFUSED_STREAM after the work", code: http2.ErrCodeRefusedStream, after: true},
	{name: "GOAWAY before the work", goAway: true},
	{name: "GOAWAY after the work", goAway: true, after: true},
}

// maxBroken is after how many calls the breaking ends: a client that repeats is answered
// in the end.
const maxBroken = 2

// brittle is a G2A that answers details, and breaks off every other call: over HTTP/2
// frame by frame, over HTTP/1.1 by closing the connection.
type brittle struct {
	breaks   breakage
	limit    int // calls that are broken off
	listener net.Listener
	roots    *x509.CertPool

	mu      sync.Mutex
	arrived []arrival // without the details
	offered [][]string
	open    []net.Conn
	closed  bool
}

// arrival is a request that came in.
type arrival struct {
	protocol, line string
	before         int // requests on the same connection before it
	length         string
	encoding       string // Accept-Encoding
	resumed        bool   // the TLS session
}

func newBrittle(t *testing.T, breaks breakage, protocols ...string) *brittle {
	t.Helper()
	certified := httptest.NewTLSServer(nil)
	defer certified.Close()
	b := &brittle{breaks: breaks, limit: maxBroken, roots: x509.NewCertPool()}
	b.roots.AddCert(certified.Certificate())
	config := &tls.Config{Certificates: certified.TLS.Certificates, NextProtos: protocols}
	tickets := config.Clone()
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.offered = append(b.offered, hello.SupportedProtos)
		return tickets, nil
	}
	var err error
	if b.listener, err = tls.Listen("tcp", "127.0.0.1:0", config); err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			connection, err := b.listener.Accept()
			if err != nil {
				return
			}
			if b.keep(connection) {
				serving.Go(func() { b.serve(connection.(*tls.Conn)) })
			}
		}
	})
	t.Cleanup(func() {
		b.close()
		serving.Wait()
	})
	return b
}

// keep remembers a connection, to be closed in the end.
func (b *brittle) keep(connection net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open = append(b.open, connection); b.closed {
		_ = connection.Close()
	}
	return !b.closed
}

func (b *brittle) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	_ = b.listener.Close()
	for _, connection := range b.open {
		_ = connection.Close()
	}
}

// arrive notes a request and reports whether it is to be broken off.
func (b *brittle) arrive(a arrival) bool {
	if strings.Contains(a.line, "/details/") {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.arrived = append(b.arrived, a)
	return len(b.arrived) <= b.limit
}

func (b *brittle) requests() []arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.arrived
}

func (b *brittle) serve(connection *tls.Conn) {
	defer connection.Close()
	if connection.Handshake() != nil {
		return
	}
	if connection.ConnectionState().NegotiatedProtocol == "h2" {
		b.serveFrames(connection)
		return
	}
	reader := bufio.NewReader(connection)
	for before := 0; ; before++ {
		r, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		breaks := b.arrive(arrival{
			protocol: "HTTP/1.1", line: r.Method + " " + r.URL.Path, before: before, length: strings.Join(r.Header["Content-Length"], ","),
			encoding: r.Header.Get("Accept-Encoding"), resumed: connection.ConnectionState().DidResume,
		})
		if breaks && !b.breaks.after {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil || breaks {
			return
		}
		if _, err := fmt.Fprintf(connection, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(goodDetails), goodDetails); err != nil || r.Close {
			return
		}
	}
}

// serveFrames speaks HTTP/2.
func (b *brittle) serveFrames(connection *tls.Conn) {
	if _, err := io.ReadFull(connection, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	framer := http2.NewFramer(connection, connection)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if framer.WriteSettings() != nil {
		return
	}
	broken := map[uint32]bool{} // streams that are to be broken off
	for before := 0; ; {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		ended := false
		stream := frame.Header().StreamID
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				err = framer.WritePing(true, f.Data)
			}
		case *http2.MetaHeadersFrame:
			broken[stream] = b.arrive(arrival{protocol: "HTTP/2", line: f.PseudoValue("method") + " " + f.PseudoValue("path"), before: before})
			before++
			if ended = f.StreamEnded(); broken[stream] && !b.breaks.after {
				err = b.breakOff(framer, stream)
				delete(broken, stream) // its body may still come
			}
		case *http2.DataFrame:
			ended = f.StreamEnded()
		}
		if ended && broken[stream] {
			err = b.breakOff(framer, stream)
		} else if _, begun := broken[stream]; ended && begun {
			err = answerFrames(framer, stream)
		}
		if err != nil {
			return
		}
	}
}

// breakOff ends a stream. With GOAWAY it was begun if the work is done, and then the
// connection ends without its answer.
func (b *brittle) breakOff(framer *http2.Framer, stream uint32) error {
	if !b.breaks.goAway {
		return framer.WriteRSTStream(stream, b.breaks.code)
	}
	if b.breaks.after {
		return errors.Join(framer.WriteGoAway(stream, http2.ErrCodeNo, nil), io.EOF)
	}
	return framer.WriteGoAway(stream-1, http2.ErrCodeNo, nil)
}

func answerFrames(framer *http2.Framer, stream uint32) error {
	var block bytes.Buffer
	err := hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"}) // indexed: it needs no state
	return errors.Join(err,
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true}),
		framer.WriteData(stream, true, []byte(goodDetails)))
}

// client returns a client of this G2A, and its observer.
func (b *brittle) client(transport http.RoundTripper) (*g2a.Client, *calls) {
	cfg, observed := testConfig(), &calls{}
	base := "https://" + b.listener.Addr().String()
	cfg.ExportURL, cfg.ExportV2URL, cfg.ImportURL, cfg.TokenURL = base+"/v1", base+"/export/v1", base, base+"/v1/token"
	return g2a.New(cfg, g2a.Options{Credentials: testCredentials, Tokens: fixedToken, Transport: transport, Observer: observed}), observed
}

// transport returns one that trusts this G2A and prefers HTTP/2.
func (b *brittle) transport(t *testing.T) *http.Transport {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: b.roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// TestOnceOnTheWire: a call that charges, reveals or creates something is on the wire as
// often as Call.Attempts says, however the connection breaks.
func TestOnceOnTheWire(t *testing.T) {
	ways := []struct {
		name      string
		protocols []string // G2A's
		foreign   bool
		want      string // the protocol of the once-calls
	}{
		{"own transport", []string{"h2", "http/1.1"}, false, "HTTP/1.1"},
		{"foreign transport over HTTP/2", []string{"h2", "http/1.1"}, true, "HTTP/2"},
		{"foreign transport over HTTP/1.1", []string{"http/1.1"}, true, "HTTP/1.1"},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			made, wire, attempts := 0, 0, 0
			for _, breaks := range breakages {
				for _, reused := range []bool{false, true} {
					for _, call := range onces {
						t.Run(fmt.Sprintf("%s/reused=%v/%s", breaks.name, reused, call.name), func(t *testing.T) {
							b := newBrittle(t, breaks, way.protocols...)
							var transport http.RoundTripper = b.transport(t)
							if way.foreign {
								transport = roundTrip(transport.RoundTrip)
							}
							client, observed := b.client(transport)
							if reused {
								if err := details.make(t.Context(), client); err != nil {
									t.Fatal(err)
								}
								observed.told = nil
							}
							err := call.make(t.Context(), client)
							if !errors.Is(err, g2a.ErrUnavailable) || g2a.OutcomeOf(err) != g2a.OutcomeUnknown {
								t.Errorf("error is %v, %v; want ErrUnavailable with an unknown outcome", err, g2a.OutcomeOf(err))
							}
							arrived := b.requests()
							made, wire, attempts = made+1, wire+len(arrived), attempts+observed.told[0].Attempts
							if len(arrived) != 1 || observed.told[0].Attempts != 1 {
								t.Fatalf("%d on the wire, %d attempts, want one of each", len(arrived), observed.told[0].Attempts)
							}
							if onReused := arrived[0].before > 0; arrived[0].protocol != way.want || onReused != (reused && way.foreign) {
								t.Errorf("it came over %s, with %d before it on its connection", arrived[0].protocol, arrived[0].before)
							}
						})
					}
				}
			}
			t.Logf("%s: %d calls, %d on the wire, %d attempts", way.name, made, wire, attempts)
		})
	}
}

// TestReadsAreRepeated: the same breakages cost a read nothing.
func TestReadsAreRepeated(t *testing.T) {
	for _, breaks := range breakages {
		t.Run(breaks.name, func(t *testing.T) {
			b := newBrittle(t, breaks, "h2", "http/1.1")
			b.limit = 1
			client, _ := b.client(b.transport(t))
			_ = job.make(t.Context(), client) // it is answered with an order's details in the end
			if got := len(b.requests()); got < 2 || b.requests()[0].protocol != "HTTP/2" {
				t.Errorf("%d on the wire, want it repeated, over HTTP/2", got)
			}
		})
	}
}

// TestOnceConnections: fresh connections, HTTP/1.1 alone, and short handshakes; the
// transport that was passed in stays as it is.
func TestOnceConnections(t *testing.T) {
	b := newBrittle(t, breakage{after: true}, "h2", "http/1.1")
	transport := b.transport(t)
	client, _ := b.client(transport)
	for range maxBroken {
		_ = pay.make(t.Context(), client)
	}
	_ = key.make(t.Context(), client) // answered, so that a ticket is read
	if err := details.make(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	_ = changeOffer.make(t.Context(), client)
	arrived := b.requests()
	if len(arrived) != maxBroken+2 {
		t.Fatalf("%d arrived", len(arrived))
	}
	for i, a := range arrived {
		if a.before != 0 || a.protocol != "HTTP/1.1" || a.encoding != "identity" {
			t.Errorf("call %d: %+v, want a fresh connection, HTTP/1.1, and identity", i, a)
		}
		if strings.HasPrefix(a.line, "PUT ") && a.length != "0" {
			t.Errorf("call %d: length is %q, want 0", i, a.length)
		}
	}
	if !arrived[len(arrived)-1].resumed {
		t.Error("the TLS session is not resumed")
	}
	for i, offered := range b.offered {
		want := "[http/1.1]"
		if i == maxBroken+1 { // the details
			want = "[h2 http/1.1]"
		}
		if fmt.Sprint(offered) != want {
			t.Errorf("connection %d offers %v, want %s", i, offered, want)
		}
	}
	if transport.DisableKeepAlives || transport.DisableCompression || transport.Protocols != nil || transport.TLSClientConfig.ClientSessionCache != nil {
		t.Error("the caller's transport was changed")
	}
}

// TestOwnOnceTransport: without one that is passed in, it is the same. G2A's certificate
// is unknown here, so that nothing is sent.
func TestOwnOnceTransport(t *testing.T) {
	for _, call := range onces {
		t.Run(call.name, func(t *testing.T) {
			b := newBrittle(t, breakage{}, "h2", "http/1.1")
			client, _ := b.client(nil)
			err := call.make(t.Context(), client)
			if !errors.Is(err, g2a.ErrUnavailable) || g2a.OutcomeOf(err) != g2a.NotDone || !strings.Contains(err.Error(), "certificate") {
				t.Errorf("error is %v, %v; want one of the certificate, not done", err, g2a.OutcomeOf(err))
			}
			b.close()
			if fmt.Sprint(b.offered) != "[[http/1.1]]" || len(b.requests()) != 0 {
				t.Errorf("offered %v, %d requests; want HTTP/1.1 alone, and none", b.offered, len(b.requests()))
			}
		})
	}
}

// TestOnceBodyIsGone: what a foreign transport gets of a once-call cannot be sent twice.
func TestOnceBodyIsGone(t *testing.T) {
	for _, call := range allCalls {
		t.Run(call.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, call.good)}}
			if err := call.make(t.Context(), newClient(g2aServer)); err != nil {
				t.Fatal(err)
			}
			r := g2aServer.requests()[0]
			replayable := r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
			identity := strings.Contains(r.dump, "\r\nAccept-Encoding: identity\r\n")
			if once := isOnce(call); replayable == once || identity != once {
				t.Errorf("replayable: %v, identity: %v, for a call that is made once: %v", replayable, identity, once)
			}
		})
	}
}

func isOnce(c call) bool {
	for _, once := range onces {
		if once.name == c.name {
			return true
		}
	}
	return false
}

// TestCompressedKey: a server that compresses without being asked to is read all the same,
// and what cannot be read is kept as it came.
func TestCompressedKey(t *testing.T) {
	client := server(t, false, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("Accept-Encoding is %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, "\x1f\x8bAAAA-BBBB")
	})
	got, err := client.OrderKey(t.Context(), "42")
	if err != nil || got.Raw.Reveal() != "\x1f\x8bAAAA-BBBB" {
		t.Errorf("raw is %q, error %v; want the bytes as they came", got.Raw.Reveal(), err)
	}
}
