package g2atest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/g2a-lambda/g2a-lambda/contracts/contracttest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

const (
	payRoute      = "PUT /v1/order/pay/{id}"
	keyRoute      = "GET /v1/order/key/{id}"
	productsRoute = "GET /v1/products"
)

// addFault goes through the control route, as people and scripts do.
func addFault(t *testing.T, srv *g2atest.Server, fault string) {
	t.Helper()
	if got := send(t, srv, "POST", "/_sim/faults", fault); got.status != http.StatusOK {
		t.Fatalf("fault %s: answer is %d %s", fault, got.status, got.body)
	}
}

func TestFaultsOfAPayment(t *testing.T) {
	for name, test := range map[string]struct {
		fault   string
		want    error
		paid    bool
		dropped int
	}{
		"a status":            {`{"mode":"status","status":503}`, g2a.ErrUnavailable, false, 0},
		"too many requests":   {`{"mode":"status","status":429,"code":"BR03","retry_after":7}`, g2a.ErrThrottled, false, 0},
		"a code alone":        {`{"mode":"status","code":"ORD121"}`, g2a.ErrPaymentLimit, false, 0},
		"another bad gateway": {`{"mode":"status","code":"ORD122"}`, g2a.ErrUnavailable, false, 0},
		"a delay":             {`{"mode":"delay","delay_ms":1}`, nil, true, 0},
		"drop before":         {`{"mode":"drop_before"}`, g2a.ErrUnavailable, false, 1},
		"drop after":          {`{"mode":"drop_after"}`, g2a.ErrUnavailable, true, 1},
		"a slow body":         {`{"mode":"slow_body","delay_ms":1}`, nil, true, 0},
		"a truncated body":    {`{"mode":"truncated_body"}`, g2a.ErrUnavailable, true, 1},
		"a gateway's page":    {`{"mode":"wrong_content_type","status":502}`, g2a.ErrUnavailable, false, 0},
	} {
		for _, route := range []string{payRoute, "*"} {
			t.Run(name+", "+route, func(t *testing.T) {
				srv := newServer(t)
				c := client(t, srv)
				order := createOrder(t, c, plentiful)
				addFault(t, srv, `{"route":"`+route+`",`+test.fault[1:])
				_, err := c.PayOrder(t.Context(), order.ID)
				if !errors.Is(err, test.want) {
					t.Errorf("error is %v, want %v", err, test.want)
				}
				if got := record(t, srv, order.ID); got.Paid != test.paid || (got.Charges == 1) != test.paid {
					t.Errorf("record is %+v, want paid %v", got, test.paid)
				}
				if got := srv.Simulator.Stats().Routes[payRoute]; got.Dropped != test.dropped || got.Calls != 1 {
					t.Errorf("stats are %+v, want one call and %d dropped", got, test.dropped)
				}
				details, err := c.OrderDetails(t.Context(), order.ID)
				if err != nil || (details.Status == g2a.OrderComplete) != test.paid {
					t.Errorf("details afterwards are %v (%v), want paid %v", details, err, test.paid)
				}
			})
		}
	}
}

// TestPageInPlaceOfAnAnswer has answers that are not in the contract: the server is
// not checked, but what the check finds is.
func TestPageInPlaceOfAnAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		fault  string
		status int
	}{
		"as a success": {`{"mode":"wrong_content_type"}`, 200},
		"as a refusal": {`{"mode":"wrong_content_type","status":403,"delay_ms":1}`, 403},
	} {
		t.Run(name, func(t *testing.T) {
			srv := g2atest.NewServer(t)
			order := createOrder(t, client(t, srv), plentiful)
			addFault(t, srv, `{"route":"`+payRoute+`",`+test.fault[1:])
			var got reply
			var found []error
			page := g2a.New(srv.Config("G2A_RETRY_MAX=0"), g2a.Options{
				Credentials: srv.Credentials,
				Transport: contracttest.G2A().Transport(roundTrip(func(r *http.Request) (*http.Response, error) {
					response, err := srv.Client().Transport.RoundTrip(r)
					if err != nil {
						return nil, err
					}
					body, err := io.ReadAll(response.Body)
					response.Body.Close()
					response.Body = io.NopCloser(bytes.NewReader(body))
					got = reply{response.StatusCode, response.Header, string(body)}
					return response, err
				}), func(err error) { found = append(found, err) }),
			})
			if _, err := page.PayOrder(t.Context(), order.ID); err == nil {
				t.Error("the client took the page for an answer of G2A's")
			}
			if got.status != test.status || got.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.HasPrefix(got.body, "<!DOCTYPE html>") {
				t.Errorf("answer is %+v, want %d with a page", got, test.status)
			}
			if len(found) != 1 || !strings.Contains(found[0].Error(), "text/html") {
				t.Errorf("the check found %v, want the page", found)
			}
			if record(t, srv, order.ID).Paid {
				t.Error("the order is paid, want the work not done")
			}
		})
	}
}

func TestBodyIsCutInItsMiddle(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(name, func(t *testing.T) {
			srv := newServerOver(t, http2)
			get := func() (response *http.Response, body []byte, err error) {
				request, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL+"/v1/products", nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("Authorization", srv.Credentials.Hash.Reveal()+", "+srv.Credentials.Key.Reveal())
				if response, err = srv.Client().Do(request); err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				body, err = io.ReadAll(response.Body)
				return response, body, err
			}
			_, whole, err := get()
			if err != nil {
				t.Fatal(err)
			}
			addFault(t, srv, `{"route":"`+productsRoute+`","mode":"truncated_body"}`)
			response, half, err := get()
			if err == nil || response.Proto != name || response.StatusCode != http.StatusOK {
				t.Errorf("answer is %s by %s, read with error %v, want a 200 by %s that cannot be read", response.Status, response.Proto, err, name)
			}
			if length := response.ContentLength; length != int64(len(whole)) || !bytes.Equal(half, whole[:len(whole)/2]) {
				t.Errorf("%d bytes came of %d, want the first half of %d", len(half), length, len(whole))
			}
			if got := srv.Simulator.Stats().Routes[productsRoute]; got.Calls != 2 || got.Dropped != 1 {
				t.Errorf("stats are %+v, want one of two calls dropped", got)
			}
		})
	}
}

// TestKeyOfASlowBodyIsGone gives up when the header has come.
func TestKeyOfASlowBodyIsGone(t *testing.T) {
	srv := g2atest.NewServer(t) // the check of newServer waits for the body
	c := client(t, srv)
	order := createOrder(t, c, plentiful)
	payOrder(t, c, order.ID)
	addFault(t, srv, `{"route":"`+keyRoute+`","mode":"slow_body","delay_ms":600000}`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	impatient := g2a.New(srv.Config("G2A_RETRY_MAX=0"), g2a.Options{
		Credentials: srv.Credentials,
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			response, err := srv.Client().Transport.RoundTrip(r)
			cancel()
			return response, err
		}),
	})
	if _, err := impatient.OrderKey(ctx, order.ID); !errors.Is(err, g2a.ErrUnavailable) {
		t.Errorf("error is %v, want ErrUnavailable", err)
	}
	if _, err := c.OrderKey(t.Context(), order.ID); !errors.Is(err, g2a.ErrKeyAlreadyDownloaded) {
		t.Errorf("error is %v, want ErrKeyAlreadyDownloaded", err)
	}
}

func TestConnectionIsCut(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(name, func(t *testing.T) {
			srv := newServerOver(t, http2)
			order := createOrder(t, client(t, srv), plentiful)
			addFault(t, srv, `{"route":"`+payRoute+`","mode":"drop_after"}`)
			pay := func() (*http.Response, error) {
				request, err := http.NewRequestWithContext(t.Context(), "PUT", srv.URL+"/v1/order/pay/"+order.ID, nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("Authorization", srv.Credentials.Hash.Reveal()+", "+srv.Credentials.Key.Reveal())
				return srv.Client().Do(request)
			}
			if response, err := pay(); err == nil {
				response.Body.Close()
				t.Errorf("an answer came: %s", response.Status)
			}
			response, err := pay()
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != http.StatusPaymentRequired || response.Proto != name {
				t.Errorf("the next answer is %s by %s, want 402 by %s", response.Status, response.Proto, name)
			}
		})
	}
}

func TestKeyWhoseAnswerIsLostIsGone(t *testing.T) {
	srv := newServer(t)
	c := client(t, srv)
	order := createOrder(t, c, plentiful)
	payOrder(t, c, order.ID)
	addFault(t, srv, `{"route":"`+keyRoute+`","mode":"drop_after"}`)
	if _, err := c.OrderKey(t.Context(), order.ID); !errors.Is(err, g2a.ErrUnavailable) {
		t.Errorf("error is %v, want ErrUnavailable", err)
	}
	if _, err := c.OrderKey(t.Context(), order.ID); !errors.Is(err, g2a.ErrKeyAlreadyDownloaded) {
		t.Errorf("error is %v, want ErrKeyAlreadyDownloaded", err)
	}
}

func TestStatusFaultAnswersAsG2A(t *testing.T) {
	srv := newServer(t)
	for name, test := range map[string]struct {
		fault, retryAfter, code string
		status                  int
	}{
		"all given":           {`"status":429,"code":"BR03","retry_after":7`, "7", "BR03", 429},
		"seconds as a text":   {`"status":429,"code":"BR03","retry_after":"7"`, "7", "BR03", 429},
		"status alone":        {`"status":500`, "", "", 500},
		"code alone":          {`"code":"ORD112"`, "", "ORD112", 403},
		"a status of its own": {`"status":400,"code":"AUTH01"`, "", "AUTH01", 400},
	} {
		t.Run(name, func(t *testing.T) {
			addFault(t, srv, `{"route":"`+productsRoute+`","mode":"status",`+test.fault+`}`)
			got := send(t, srv, "GET", "/v1/products", "", credentials(srv))
			got.wantFailure(t, test.status, test.code)
			if after := got.header.Get("Retry-After"); after != test.retryAfter {
				t.Errorf("Retry-After is %q, want %q", after, test.retryAfter)
			}
		})
	}
}

func TestFaultsStandInQueues(t *testing.T) {
	srv := newServer(t)
	for _, fault := range []string{
		`{"route":"*","mode":"status","status":500,"count":2}`,
		`{"route":"` + productsRoute + `","mode":"status","status":501,"count":2}`,
		`{"route":"*","mode":"status","status":502}`,
		`{"route":"` + productsRoute + `","mode":"status","status":503}`,
	} {
		addFault(t, srv, fault)
	}
	token := "/v1/token"
	for i, step := range []struct {
		path string
		want int
	}{
		{"/v1/products", 501}, {token, 500}, {"/v1/products", 501}, {"/v1/products", 503}, {"/v1/products", 500},
		{"/v1/products", 502}, {"/v1/products", 200}, {token, 200},
	} {
		if got := send(t, srv, "GET", step.path, "", credentials(srv)); got.status != step.want {
			t.Errorf("call %d, %s: status is %d, want %d", i+1, step.path, got.status, step.want)
		}
	}
}

func TestFaultsMeetNoOtherRoutes(t *testing.T) {
	srv := newServer(t)
	addFault(t, srv, `{"route":"*","mode":"status","status":500}`)
	if got := send(t, srv, "GET", "/_sim/stats", ""); got.status != http.StatusOK {
		t.Errorf("control route: status is %d, want 200", got.status)
	}
	if got := send(t, srv, "GET", "/nothing", ""); got.status != http.StatusNotFound {
		t.Errorf("unknown path: status is %d, want 404", got.status)
	}
	addFault(t, srv, `{"route":"GET /integration-api/v1/token","mode":"status","status":501}`)
	if got := send(t, srv, "GET", "/v1/token", "", credentials(srv)); got.status != http.StatusInternalServerError {
		t.Errorf("the other base path: status is %d, want the 500 of *", got.status)
	}
}

func TestManyUseUpAFaultsCount(t *testing.T) {
	srv := newServer(t)
	addFault(t, srv, `{"route":"`+productsRoute+`","mode":"status","code":"BR02","count":63}`)
	c := client(t, srv)
	wantOne(t, allAtOnce(func() error { _, err := c.Products(t.Context(), g2a.ProductQuery{}); return err }), g2a.ErrInvalidRequest)
}

func TestBadFaultIsRefused(t *testing.T) {
	srv := newServer(t)
	for name, test := range map[string]struct{ fault, want string }{
		"no route":             {`{"mode":"delay","delay_ms":1}`, `route: "" is not one of`},
		"unknown route":        {`{"route":"GET /v1/order","mode":"delay","delay_ms":1}`, `route: "GET /v1/order" is not one of`},
		"control route":        {`{"route":"GET /_sim/stats","mode":"delay","delay_ms":1}`, "route: "},
		"no mode":              {`{"route":"*"}`, `mode: "" is not status, delay, drop_before, drop_after, slow_body, truncated_body, wrong_content_type, answer`},
		"unknown mode":         {`{"route":"*","mode":"explode"}`, `mode: "explode" is not`},
		"unknown field":        {`{"route":"*","mode":"drop_after","delay":1}`, `unknown field "delay"`},
		"no status":            {`{"route":"*","mode":"status"}`, "status: is missing"},
		"unknown code alone":   {`{"route":"*","mode":"status","code":"X"}`, "status: is missing"},
		"status out of range":  {`{"route":"*","mode":"status","status":99}`, "status: 99 is not from 200 to 599"},
		"HTML out of range":    {`{"route":"*","mode":"wrong_content_type","status":600}`, "status: 600 is not from 200 to 599"},
		"status without mode":  {`{"route":"*","mode":"drop_after","status":500}`, "status: belongs to modes status, wrong_content_type and answer"},
		"code without mode":    {`{"route":"*","mode":"wrong_content_type","code":"BR01"}`, "code and retry_after: belong to mode status"},
		"time without mode":    {`{"route":"*","mode":"wrong_content_type","retry_after":1}`, "code and retry_after: belong to mode status"},
		"no delay":             {`{"route":"*","mode":"delay"}`, "delay_ms: is missing"},
		"no delay of a body":   {`{"route":"*","mode":"slow_body"}`, "delay_ms: is missing"},
		"negative delay":       {`{"route":"*","mode":"delay","delay_ms":-1}`, "delay_ms: is not from 0 to 600000"},
		"endless delay":        {`{"route":"*","mode":"delay","delay_ms":600001}`, "delay_ms: is not from 0 to 600000"},
		"negative count":       {`{"route":"*","mode":"drop_after","count":-1}`, "count: is not from 1 to 1000000"},
		"negative retry after": {`{"route":"*","mode":"status","status":429,"retry_after":-1}`, "retry_after: is not a whole number"},
		"broken retry after":   {`{"route":"*","mode":"status","status":429,"retry_after":1.5}`, "retry_after: is not a whole number"},
		"code of an answer":    {`{"route":"*","mode":"answer","code":"BR01"}`, "code and retry_after: belong to mode status"},
		"time of an answer":    {`{"route":"*","mode":"answer","retry_after":1}`, "code and retry_after: belong to mode status"},
		"answer out of range":  {`{"route":"*","mode":"answer","status":199}`, "status: 199 is not from 200 to 599"},
		"body without mode":    {`{"route":"*","mode":"wrong_content_type","body":"x"}`, "belong to mode answer"},
		"bytes without mode":   {`{"route":"*","mode":"drop_after","body_base64":"eA=="}`, "belong to mode answer"},
		"type without mode":    {`{"route":"*","mode":"status","status":500,"content_type":"text/plain"}`, "belong to mode answer"},
		"coded without mode":   {`{"route":"*","mode":"slow_body","delay_ms":1,"content_encoding":"gzip"}`, "belong to mode answer"},
		"two bodies":           {`{"route":"*","mode":"answer","body":"x","body_base64":"eA=="}`, "only one of them"},
		"broken base64":        {`{"route":"*","mode":"answer","body_base64":"eA"}`, "body_base64: is not base64"},
		"body of a 204":        {`{"route":"*","mode":"answer","status":204,"body":"x"}`, "status: 204 and 304 have no body"},
		"bytes of a 304":       {`{"route":"*","mode":"answer","status":304,"body_base64":"eA=="}`, "status: 204 and 304 have no body"},
		"type of two lines":    {`{"route":"*","mode":"answer","content_type":"text/plain\r\nX: y"}`, "content_type: has a control character"},
		"coding of two lines":  {`{"route":"*","mode":"answer","content_encoding":"gzip\u007f"}`, "content_encoding: has a control character"},
		"body is an object":    {`{"route":"*","mode":"answer","body":{"key":"x"}}`, "not understood"},
		"half a surrogate":     {`{"route":"*","mode":"answer","body":"AB\ud83dCD"}`, "not Unicode"},
		"bytes in the body":    {"{\"route\":\"*\",\"mode\":\"answer\",\"body\":\"CAF\xE9\"}", "not Unicode"},
		"count is a text":      {`{"route":"*","mode":"drop_after","count":"1"}`, "not understood"},
		"not JSON":             {`route`, "not understood"},
		"empty":                {``, "not understood"},
		"two objects":          {`{"route":"*","mode":"drop_after"}{}`, "more than one JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			got := send(t, srv, "POST", "/_sim/faults", test.fault)
			got.wantFailure(t, http.StatusBadRequest, "")
			if plain := strings.ReplaceAll(got.body, `\"`, `"`); !strings.Contains(plain, test.want) {
				t.Errorf("answer is %s, want one with %q", got.body, test.want)
			}
		})
	}
	if t.Failed() {
		return // the call might meet a fault that should not be there
	}
	if got := send(t, srv, "GET", "/v1/products", "", credentials(srv)); got.status != http.StatusOK {
		t.Errorf("a refused fault came about: status is %d", got.status)
	}
}

// TestDelayHoldsTheCallUp runs on a clock that stands still but for the delay.
func TestDelayHoldsTheCallUp(t *testing.T) {
	for name, test := range map[string]struct {
		patience time.Duration // of the client
		want     time.Duration
	}{
		"until it is over":          {time.Hour, 90 * time.Second},
		"until the client gives up": {time.Second, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				simulator, err := g2atest.New(g2atest.Options{Credentials: testCredentials})
				if err != nil {
					t.Fatal(err)
				}
				if err := simulator.AddFault(g2atest.Fault{Route: "POST /v1/order", Mode: "delay", DelayMS: 90_000}); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), test.patience)
				defer cancel()
				request := httptest.NewRequestWithContext(ctx, "POST", "/v1/order", strings.NewReader(`{"product_id":"`+plentiful+`"}`))
				request.Header.Set("Authorization", testCredentials.Hash.Reveal()+", "+testCredentials.Key.Reveal())
				started := time.Now()
				simulator.ServeHTTP(httptest.NewRecorder(), request)
				if took := time.Since(started); took != test.want {
					t.Errorf("it took %v, want %v", took, test.want)
				}
				if created := simulator.Stats().OrdersCreated; created != 1 {
					t.Errorf("%d orders were created, want 1", created)
				}
			})
		})
	}
}

// timedWriter notes when an answer's header and pieces are sent.
type timedWriter struct {
	*httptest.ResponseRecorder
	started time.Time
	header  time.Duration
	pieces  []time.Duration
}

func (w *timedWriter) WriteHeader(status int) {
	w.header = time.Since(w.started)
	w.ResponseRecorder.WriteHeader(status)
}

func (w *timedWriter) Write(piece []byte) (int, error) {
	if !w.Flushed {
		return 0, errors.New("a piece came before the header was sent")
	}
	w.pieces = append(w.pieces, time.Since(w.started))
	return w.ResponseRecorder.Write(piece)
}

// TestSlowBodyComesInPieces runs on a clock that stands still but for the waits.
func TestSlowBodyComesInPieces(t *testing.T) {
	second := time.Second
	for name, test := range map[string]struct {
		patience time.Duration // of the client
		pieces   []time.Duration
		whole    bool
	}{
		"all of it":                 {time.Hour, []time.Duration{10 * second, 20 * second, 30 * second, 40 * second, 50 * second, 60 * second, 70 * second, 80 * second}, true},
		"until the client gives up": {25 * second, []time.Duration{10 * second, 20 * second}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				simulator, err := g2atest.New(g2atest.Options{Credentials: testCredentials})
				if err != nil {
					t.Fatal(err)
				}
				if err := simulator.AddFault(g2atest.Fault{Route: productsRoute, Mode: "slow_body", DelayMS: 80_000}); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), test.patience)
				defer cancel()
				request := httptest.NewRequestWithContext(ctx, "GET", "/v1/products?id="+plentiful, nil)
				request.Header.Set("Authorization", testCredentials.Hash.Reveal()+", "+testCredentials.Key.Reveal())
				w := &timedWriter{ResponseRecorder: httptest.NewRecorder(), started: time.Now()}
				simulator.ServeHTTP(w, request)
				if w.header != 0 || !slices.Equal(w.pieces, test.pieces) {
					t.Errorf("the header came after %v and the pieces after %v, want 0s and %v", w.header, w.pieces, test.pieces)
				}
				err = contracttest.G2A().CheckAnswer(request, w.Code, w.Header(), w.Body.Bytes())
				if (err == nil) != test.whole {
					t.Errorf("the body is %s (%v), want it whole: %v", w.Body, err, test.whole)
				}
			})
		})
	}
}
