package g2a_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

func TestOutcomeOf(t *testing.T) {
	failed := &g2a.Error{Kind: g2a.ErrUnavailable, Outcome: g2a.Done}
	tests := []struct {
		name string
		err  error
		want g2a.Outcome
	}{
		{"none", nil, g2a.OutcomeUnknown},
		{"another error", errors.New("down"), g2a.OutcomeUnknown},
		{"a kind alone", g2a.ErrThrottled, g2a.OutcomeUnknown},
		{"a call's", failed, g2a.Done},
		{"wrapped", fmt.Errorf("paying: %w", failed), g2a.Done},
		{"joined", errors.Join(errors.New("down"), failed), g2a.Done},
		{"the outermost counts", &g2a.Error{Kind: g2a.ErrUnavailable, Outcome: g2a.NotDone, Cause: failed}, g2a.NotDone},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := g2a.OutcomeOf(test.err); got != test.want {
				t.Errorf("outcome is %v, want %v", got, test.want)
			}
		})
	}
	for outcome, want := range map[g2a.Outcome]string{g2a.OutcomeUnknown: "unknown", g2a.NotDone: "not done", g2a.Done: "done"} {
		if outcome.String() != want {
			t.Errorf("%d is %q, want %q", outcome, outcome, want)
		}
	}
}

// TestOutcomeOfVerdicts: what G2A's own codes say of each call that must not be made twice.
func TestOutcomeOfVerdicts(t *testing.T) {
	byStatus := map[string]g2a.Outcome{} // calls whose codes are not public
	for _, call := range append([]call{place, orderKeys}, importOnces...) {
		byStatus[call.name] = g2a.NotDone
	}
	tests := []struct {
		code   string
		status int
		want   g2a.Outcome
		of     map[string]g2a.Outcome // of single calls
	}{
		{"AUTH01", 403, g2a.NotDone, nil},
		{"AUTH02", 401, g2a.NotDone, nil},
		{"AUTH03", 401, g2a.NotDone, nil},
		{"AUTH04", 401, g2a.NotDone, nil},
		{"BR01", 400, g2a.NotDone, nil},
		{"BR02", 400, g2a.NotDone, nil},
		{"BR03", 429, g2a.NotDone, nil},
		{"ORD02", 404, g2a.NotDone, nil},
		{"ORD03", 403, g2a.NotDone, map[string]g2a.Outcome{"pay": g2a.OutcomeUnknown, "place": g2a.OutcomeUnknown}},
		{"ORD05", 402, g2a.NotDone, map[string]g2a.Outcome{"pay": g2a.OutcomeUnknown, "place": g2a.OutcomeUnknown}},
		{"ORD004", 400, g2a.OutcomeUnknown, map[string]g2a.Outcome{"pay": g2a.Done, "key": g2a.Done, "place": g2a.Done, "keys": g2a.Done}},
		{"ORD112", 403, g2a.NotDone, nil},
		{"ORD114", 403, g2a.NotDone, nil},
		{"ORD121", 403, g2a.NotDone, nil},
		{"ORD122", 502, g2a.OutcomeUnknown, nil},
		{"ORD122", 400, g2a.OutcomeUnknown, nil},
		{"ORD112", 500, g2a.OutcomeUnknown, nil},
		{"ORD999", 403, g2a.OutcomeUnknown, byStatus},
		{"ORD999", 418, g2a.OutcomeUnknown, nil},
		{"", 400, g2a.OutcomeUnknown, byStatus},
		{"", 401, g2a.NotDone, nil},
		{"", 402, g2a.NotDone, map[string]g2a.Outcome{"pay": g2a.OutcomeUnknown, "place": g2a.OutcomeUnknown}},
		{"", 404, g2a.NotDone, nil},
		{"", 429, g2a.NotDone, nil},
		{"", 409, g2a.OutcomeUnknown, nil},
		{"", 503, g2a.OutcomeUnknown, nil},
	}
	for _, test := range tests {
		for _, call := range onces {
			t.Run(fmt.Sprintf("%s with %d/%s", test.code, test.status, call.name), func(t *testing.T) {
				want, single := test.of[call.name]
				if !single {
					want = test.want
				}
				g2aServer := &script{replies: []reply{answer(test.status, body(test.code), "Retry-After: 60")}}
				if err := call.make(t.Context(), newClient(g2aServer)); g2a.OutcomeOf(err) != want {
					t.Errorf("error is %v, %v; want %v", err, g2a.OutcomeOf(err), want)
				}
			})
		}
	}
}

// TestAnswersThatAreNotG2As decide nothing, whatever their status is.
func TestAnswersThatAreNotG2As(t *testing.T) {
	bodies := map[string]string{
		"page": "<html>hunter2 hunter2</html>", "nothing": "", "gateway": `{"message":"hunter2"}`, "cut short": `{"status":"ERROR","message":"hunter2","code":"ORD1`,
	}
	for _, status := range []int{300, 302, 304, 400, 401, 403, 404, 405, 408, 409, 429, 499} {
		for name, body := range bodies {
			for _, call := range onces {
				t.Run(fmt.Sprintf("%d/%s/%s", status, name, call.name), func(t *testing.T) {
					g2aServer := &script{replies: []reply{answer(status, body, "Retry-After: 7"), answer(200, call.good)}}
					err := call.make(t.Context(), newClient(g2aServer))
					var e *g2a.Error
					if !errors.As(err, &e) || e.Kind != g2a.ErrUnavailable || e.Outcome != g2a.OutcomeUnknown || e.Status != status || e.RetryAfter != 7*time.Second {
						t.Fatalf("error is %#v, want ErrUnavailable with an unknown outcome, HTTP %d and seven seconds", err, status)
					}
					if e.Cause == nil || e.Cause.Error() != "the answer is not G2A's" || strings.Contains(err.Error(), "hunter2") {
						t.Errorf("error is %v, want the cause, and nothing of the body", err)
					}
					if len(g2aServer.requests()) != 1 {
						t.Errorf("%d requests, want one", len(g2aServer.requests()))
					}
				})
			}
		}
	}
}

// TestLostAnswers leave the outcome open.
func TestLostAnswers(t *testing.T) {
	for name, lost := range map[string]reply{"reset": reset, "timeout": hang, "cut short": cutShort(200, ""), "503": answer(503, ""), "not understood": answer(200, "<html>")} {
		for _, call := range onces {
			t.Run(name+"/"+call.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g2aServer := &script{replies: []reply{lost, answer(200, call.good)}}
					if err := call.make(t.Context(), newClient(g2aServer)); err == nil || g2a.OutcomeOf(err) != g2a.OutcomeUnknown || len(g2aServer.requests()) != 1 {
						t.Errorf("error is %v, %v, after %d requests; want it unknown after one", err, g2a.OutcomeOf(err), len(g2aServer.requests()))
					}
				})
			})
		}
	}
}

// TestNotSent: what keeps a call from being sent makes it certain that it was not done.
func TestNotSent(t *testing.T) {
	type setting struct {
		ctx     context.Context
		options *g2a.Options
		server  *script
		use     func(*g2a.Client) // before the call
	}
	unavailable := answer(503, "")
	tests := []struct {
		name    string
		prepare func(*setting)
		kind    error
		cause   string
		calls   []call
	}{
		{"the circuit is open", func(s *setting) {
			s.server.replies = []reply{unavailable}
			s.use = func(c *g2a.Client) {
				for range 5 {
					_, _ = c.PayOrder(context.Background(), "42")
					_, _ = c.CreateOffer(context.Background(), newOffer())
					_, _ = c.PlaceOrder(context.Background(), newWish())
				}
			}
		}, g2a.ErrUnavailable, "circuit breaker open", onces},
		{"no turn", func(s *setting) {
			s.options.RateLimit = 1
			s.use = func(c *g2a.Client) {
				_, _ = c.PayOrder(context.Background(), "42")
				_, _ = c.CreateOffer(context.Background(), newOffer())
				_, _ = c.PlaceOrder(context.Background(), newWish())
			}
			s.ctx = deadline(s.ctx, 8*time.Second)
		}, g2a.ErrThrottled, "own rate limit", onces},
		{"the time is up", func(s *setting) { s.ctx = deadline(s.ctx, 0) }, g2a.ErrUnavailable, "deadline exceeded", onces},
		{"the caller has given up", func(s *setting) {
			ctx, cancel := context.WithCancel(s.ctx)
			cancel()
			s.ctx = ctx
		}, g2a.ErrUnavailable, "context canceled", onces},
		{"too little time", func(s *setting) { s.ctx = deadline(s.ctx, 8*time.Second-1) }, g2a.ErrUnavailable, "not enough time before the deadline", onces},
		{"the credentials cannot be read", func(s *setting) { s.options.Credentials, s.options.Tokens = noCredentials{}, nil }, nil, "the safe is locked", onces},
		{"no token", func(s *setting) {
			s.options.Tokens = nil
			s.server.replies = []reply{answer(400, `{"error":"invalid_scope"}`)}
		}, g2a.ErrInvalidRequest, "invalid_scope", importOnces},
		{"a token whose call has an unknown outcome", func(s *setting) {
			s.options.Tokens = nil
			s.server.replies = []reply{unavailable}
		}, g2a.ErrUnavailable, "GET /token", importOnces},
		{"no other token", func(s *setting) {
			s.options.Tokens = &deck{tokens: []string{"t1", ""}}
			s.server.replies = []reply{answer(401, body("AUTH02"))}
		}, g2a.ErrUnavailable, "replacing the token", importOnces},
	}
	for _, test := range tests {
		for _, call := range test.calls {
			t.Run(test.name+"/"+call.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &setting{ctx: t.Context(), server: &script{replies: []reply{answer(200, call.good)}}, use: func(*g2a.Client) {}}
					s.options = &g2a.Options{Credentials: testCredentials, Tokens: fixedToken, Transport: s.server}
					test.prepare(s)
					client := g2a.New(testConfig(), *s.options)
					s.use(client)
					before := withoutTokens(s.server)
					err := call.make(s.ctx, client)
					if err == nil || test.kind != nil && !errors.Is(err, test.kind) || g2a.OutcomeOf(err) != g2a.NotDone || !strings.Contains(err.Error(), test.cause) {
						t.Errorf("error is %v, %v; want %v for %q, not done", err, g2a.OutcomeOf(err), test.kind, test.cause)
					}
					if got := withoutTokens(s.server) - before; got > 0 && test.name != "no other token" {
						t.Errorf("%d requests were sent", got)
					}
				})
			})
		}
	}
}

// deadline gives a context a deadline; the end of the test's context ends it.
func deadline(ctx context.Context, left time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(ctx, left)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// withoutTokens counts the requests that were not for a token.
func withoutTokens(s *script) int {
	n := 0
	for _, r := range s.requests() {
		if r.URL.Path != "/v1/token" {
			n++
		}
	}
	return n
}

// TestWholeTimeoutOrNothing: a once-call's attempt begins only if its timeout fits before
// the deadline, also after a 429.
func TestWholeTimeoutOrNothing(t *testing.T) {
	tests := []struct {
		name     string
		deadline time.Duration
		replies  []reply
		sent     int
		kind     error
	}{
		{"just enough", 8 * time.Second, nil, 1, nil},
		{"just too little", 8*time.Second - 1, nil, 0, g2a.ErrUnavailable},
		{"enough for another attempt", 11 * time.Second, []reply{answer(429, body("BR03"), "Retry-After: 3")}, 2, nil},
		{"too little for another attempt", 11*time.Second - 1, []reply{answer(429, body("BR03"), "Retry-After: 3")}, 1, g2a.ErrThrottled},
		{"an attempt that takes what the next one needs", 12 * time.Second, []reply{func(r *http.Request) (*http.Response, error) {
			time.Sleep(5 * time.Second)
			return answer(429, body("BR03"))(r)
		}}, 1, g2a.ErrThrottled},
	}
	for _, test := range tests {
		for _, call := range onces {
			t.Run(test.name+"/"+call.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g2aServer := &script{replies: append(append([]reply{}, test.replies...), answer(200, call.good))}
					err := call.make(deadline(t.Context(), test.deadline), newClient(g2aServer))
					if !errors.Is(err, test.kind) || err != nil && g2a.OutcomeOf(err) != g2a.NotDone || len(g2aServer.requests()) != test.sent {
						t.Errorf("error is %v, %v, after %d requests; want %v after %d", err, g2a.OutcomeOf(err), len(g2aServer.requests()), test.kind, test.sent)
					}
					for _, r := range g2aServer.requests() {
						if r.left < 8*time.Second {
							t.Errorf("an attempt began with %v left", r.left)
						}
					}
				})
			})
		}
	}
}

// shrinking is a context whose deadline moves up, as if a timer had overslept.
type shrinking struct {
	context.Context
	deadline atomic.Pointer[time.Time]
}

func (s *shrinking) Deadline() (time.Time, bool) { return *s.deadline.Load(), true }

// TestTimeLostWhileWaiting: what fitted when the wait began may not fit after it; then the
// refusal before it stands.
func TestTimeLostWhileWaiting(t *testing.T) {
	for _, call := range onces {
		t.Run(call.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := &shrinking{Context: t.Context()}
				ctx.deadline.Store(new(time.Now().Add(time.Minute)))
				time.AfterFunc(time.Second, func() { ctx.deadline.Store(new(time.Now().Add(8 * time.Second))) })
				g2aServer := &script{replies: []reply{answer(429, body("BR03"), "Retry-After: 3"), answer(200, call.good)}}
				err := call.make(ctx, newClient(g2aServer))
				if !errors.Is(err, g2a.ErrThrottled) || g2a.OutcomeOf(err) != g2a.NotDone || len(g2aServer.requests()) != 1 {
					t.Errorf("error is %v, %v, after %d requests; want ErrThrottled, not done, after one", err, g2a.OutcomeOf(err), len(g2aServer.requests()))
				}
			})
		})
	}
}

// TestTooLittleTimeIsNotHeldAgainstG2A: the circuit stays closed.
func TestTooLittleTimeIsNotHeldAgainstG2A(t *testing.T) {
	client := newClient(&script{replies: []reply{answer(200, goodPay)}})
	for range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := pay.make(ctx, client); !errors.Is(err, g2a.ErrUnavailable) {
			t.Errorf("error is %v", err)
		}
		cancel()
	}
	if err := pay.make(t.Context(), client); err != nil {
		t.Error(err)
	}
}

// TestPagesOpenTheCircuit: whoever answers in G2A's place, it is not available.
func TestPagesOpenTheCircuit(t *testing.T) {
	for name, page := range map[string]reply{"refusal": answer(403, "<html>"), "redirect": answer(302, ""), "key": answer(200, "<html>")} {
		t.Run(name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{page}}
			client := newClient(g2aServer)
			for range 6 {
				if err := key.make(t.Context(), client); !errors.Is(err, g2a.ErrUnavailable) {
					t.Errorf("error is %v", err)
				}
			}
			if got := len(g2aServer.requests()); got != 5 {
				t.Errorf("%d requests, want five and an open circuit", got)
			}
		})
	}
}

// TestNoConnection: what fails before the request is written was not done.
func TestNoConnection(t *testing.T) {
	tests := map[string]func() (net.Conn, error){
		"unknown host": func() (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", Name: "g2a.test", IsNotFound: true}
		},
		"refused": func() (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
		},
		"timeout": func() (net.Conn, error) {
			time.Sleep(time.Minute)
			return nil, errors.New("too late for anyone")
		},
		"no TLS": func() (net.Conn, error) {
			ours, theirs := net.Pipe()
			return ours, theirs.Close()
		},
	}
	for name, dial := range tests {
		for _, foreign := range []bool{false, true} {
			for _, call := range onces {
				t.Run(fmt.Sprintf("%s/foreign=%v/%s", name, foreign, call.name), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var transport http.RoundTripper = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return dial() }}
						if foreign {
							transport = roundTrip(transport.RoundTrip)
						}
						err := call.make(t.Context(), g2a.New(testConfig(), g2a.Options{Credentials: testCredentials, Tokens: fixedToken, Transport: transport}))
						if !errors.Is(err, g2a.ErrUnavailable) || g2a.OutcomeOf(err) != g2a.NotDone {
							t.Errorf("error is %v, %v; want ErrUnavailable, not done", err, g2a.OutcomeOf(err))
						}
						time.Sleep(time.Minute) // net/http keeps dialing in the background
					})
				})
			}
		}
	}
}

// TestNoProxy: net/http fails before it reports anything. The client knows that of its own
// way of sending, and of no other.
func TestNoProxy(t *testing.T) {
	for _, call := range onces {
		t.Run(call.name, func(t *testing.T) {
			own := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("no proxy") }}
			for want, transport := range map[g2a.Outcome]http.RoundTripper{g2a.NotDone: own, g2a.OutcomeUnknown: roundTrip(own.RoundTrip)} {
				err := call.make(t.Context(), g2a.New(testConfig(), g2a.Options{Credentials: testCredentials, Tokens: fixedToken, Transport: transport}))
				if !errors.Is(err, g2a.ErrUnavailable) || g2a.OutcomeOf(err) != want {
					t.Errorf("error is %v, %v; want ErrUnavailable, %v", err, g2a.OutcomeOf(err), want)
				}
			}
		})
	}
}

// TestForeignTransportReports: only one that reports how far it came leaves no doubt.
func TestForeignTransportReports(t *testing.T) {
	overTLS, plain := tls.Client(nil, new(tls.Config)), new(net.TCPConn)
	tests := []struct {
		name   string
		report func(*httptrace.ClientTrace)
		want   g2a.Outcome
	}{
		{"nothing", func(*httptrace.ClientTrace) {}, g2a.OutcomeUnknown},
		{"no connection", func(trace *httptrace.ClientTrace) { trace.GetConn("g2a.test:443") }, g2a.NotDone},
		{"a connection that was found dead", func(trace *httptrace.ClientTrace) {
			trace.GetConn("g2a.test:443")
			trace.GotConn(httptrace.GotConnInfo{Conn: overTLS, Reused: true})
		}, g2a.NotDone},
		{"the headers written", func(trace *httptrace.ClientTrace) {
			trace.GetConn("g2a.test:443")
			trace.GotConn(httptrace.GotConnInfo{Conn: overTLS})
			trace.WroteHeaders()
		}, g2a.OutcomeUnknown},
		{"the headers written, and another connection wanted", func(trace *httptrace.ClientTrace) {
			trace.GetConn("g2a.test:443")
			trace.WroteHeaders()
			trace.GetConn("g2a.test:443")
		}, g2a.OutcomeUnknown},
		{"a connection of a kind that is unknown", func(trace *httptrace.ClientTrace) {
			trace.GetConn("g2a.test:443")
			trace.GotConn(httptrace.GotConnInfo{Conn: plain})
		}, g2a.OutcomeUnknown},
	}
	for _, test := range tests {
		for _, call := range onces {
			t.Run(test.name+"/"+call.name, func(t *testing.T) {
				err := call.make(t.Context(), newClient(&script{replies: []reply{func(r *http.Request) (*http.Response, error) {
					test.report(httptrace.ContextClientTrace(r.Context()))
					return nil, errors.New("http: server closed idle connection")
				}}}))
				if !errors.Is(err, g2a.ErrUnavailable) || g2a.OutcomeOf(err) != test.want {
					t.Errorf("error is %v, %v; want ErrUnavailable, %v", err, g2a.OutcomeOf(err), test.want)
				}
			})
		}
	}
}

// TestGatewaysTokenRejection: the token is dropped, and what it was for is not made twice.
func TestGatewaysTokenRejection(t *testing.T) {
	for _, call := range withToken {
		t.Run(call.name, func(t *testing.T) {
			g2aServer, source := &script{replies: []reply{answer(401, "<html>"), answer(200, call.good)}}, &deck{tokens: []string{"t1", "t2"}}
			cfg := testConfig()
			cfg.RetryMax = 0
			err := call.make(t.Context(), g2a.New(cfg, g2a.Options{Credentials: noCredentials{}, Tokens: source, Transport: g2aServer}))
			want := 2
			if isOnce(call) {
				want = 1
			}
			if len(g2aServer.requests()) != want || (err == nil) != (want == 2) || err != nil && g2a.OutcomeOf(err) != g2a.OutcomeUnknown {
				t.Errorf("error is %v, %v, after %d requests; want %d", err, g2a.OutcomeOf(err), len(g2aServer.requests()), want)
			}
			if fmt.Sprint(source.dropped) != "[t1]" {
				t.Errorf("dropped %v, want the token", source.dropped)
			}
		})
	}
}
