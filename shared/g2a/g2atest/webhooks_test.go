package g2atest_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// receiver takes webhooks as our own endpoint does, and answers what it is told.
type receiver struct {
	*httptest.Server
	mu         sync.Mutex
	events     []g2a.Event
	bodies     []string
	signatures []string
	faults     []error
}

func newReceiver(t *testing.T, now func() time.Time, status int, answer string) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			t.Errorf("reading a webhook: %v", err)
		}
		event, err := g2a.VerifyWebhook(body, request.Header, []g2a.Secret{testCredentials.Hash}, now())
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events, r.bodies, r.faults = append(r.events, event), append(r.bodies, string(body)), append(r.faults, err)
		r.signatures = append(r.signatures, request.Header.Get(g2a.HeaderSignature))
		if request.Method != http.MethodPost || request.URL.Path != "/webhooks/g2a" || request.Header.Get("Content-Type") != "application/json" {
			t.Errorf("webhook is %s %s of type %q", request.Method, request.URL.Path, request.Header.Get("Content-Type"))
		}
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(r.Close)
	return r
}

// webhookServer is a simulator that delivers to the URL.
func webhookServer(t *testing.T, clock *clock, url string) *g2atest.Server {
	return newServer(t, withClock(clock), func(o *g2atest.Options) {
		o.Credentials, o.WebhookURL = testCredentials, url+"/webhooks/g2a"
	})
}

func TestWebhookIsSignedAndDelivered(t *testing.T) {
	clock := newClock()
	r := newReceiver(t, clock.Now, http.StatusOK, `{"result":"processed"}`)
	srv := webhookServer(t, clock, r.URL)
	got := send(t, srv, "POST", "/_sim/webhook", `{"order_id":"80201019921771","type":"order.completed","status":"completed","event_id":"evt_7","copies":3}`)
	one := `{"status":200,"body":{"result":"processed"}}`
	if want := `{"event_id":"evt_7","deliveries":[` + one + "," + one + "," + one + `]}`; got.status != http.StatusOK || got.body != want {
		t.Errorf("answer is %d %s, want %s", got.status, got.body, want)
	}
	if len(r.events) != 3 {
		t.Fatalf("%d webhooks arrived, want 3", len(r.events))
	}
	nonces := map[string]bool{}
	for i, event := range r.events {
		if r.faults[i] != nil {
			t.Errorf("delivery %d is not valid: %v", i+1, r.faults[i])
		}
		if r.bodies[i] != r.bodies[0] {
			t.Errorf("delivery %d is %s, want the same event %s", i+1, r.bodies[i], r.bodies[0])
		}
		if event.ID != "evt_7" || event.OrderID != "80201019921771" || event.Type != g2a.EventOrderCompleted || event.Status != g2a.StatusCompleted {
			t.Errorf("delivery %d is %+v", i+1, event)
		}
		if !event.SentAt.Equal(clock.Now()) {
			t.Errorf("delivery %d was sent at %v, want %v", i+1, event.SentAt, clock.Now())
		}
		nonces[event.Nonce] = true
	}
	if len(nonces) != 3 {
		t.Errorf("%d nonces, want one a delivery", len(nonces))
	}
}

func TestWebhookGetsAnEventIDOfItsOwn(t *testing.T) {
	clock := newClock()
	r := newReceiver(t, clock.Now, http.StatusOK, `{}`)
	srv := webhookServer(t, clock, r.URL)
	ids := map[string]bool{}
	for range 2 {
		var got g2atest.Deliveries
		send(t, srv, "POST", "/_sim/webhook", `{"order_id":"1","type":"order.failed","status":"failed"}`).want(t, &got)
		if len(got.Deliveries) != 1 || !strings.HasPrefix(got.EventID, "evt_") {
			t.Errorf("answer is %+v, want one delivery of an event with an id", got)
		}
		ids[got.EventID] = true
	}
	if len(ids) != 2 || r.events[0].ID == r.events[1].ID {
		t.Errorf("event ids are %v, want two", ids)
	}
}

func TestWebhookTellsWhatTheReceiverSaid(t *testing.T) {
	clock := newClock()
	for name, test := range map[string]struct {
		status       int
		answer, want string
	}{
		"JSON":       {503, `{"error": "later"}`, `{"error":"later"}`},
		"no JSON":    {502, `<h1>Bad & gone</h1>`, `"<h1>Bad & gone</h1>"`},
		"nothing":    {204, ``, `""`},
		"a redirect": {302, ``, `""`},
	} {
		t.Run(name, func(t *testing.T) {
			srv := webhookServer(t, clock, newReceiver(t, clock.Now, test.status, test.answer).URL)
			var got g2atest.Deliveries
			send(t, srv, "POST", "/_sim/webhook", `{"order_id":"1","type":"order.failed","status":"failed"}`).want(t, &got)
			if len(got.Deliveries) != 1 || got.Deliveries[0].Status != test.status || got.Deliveries[0].Error != "" {
				t.Fatalf("deliveries are %+v, want one with %d", got.Deliveries, test.status)
			}
			var body, want any
			if json.Unmarshal(got.Deliveries[0].Body, &body) != nil || json.Unmarshal([]byte(test.want), &want) != nil || !reflect.DeepEqual(body, want) {
				t.Errorf("body is %s, want %s", got.Deliveries[0].Body, test.want)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		closed := httptest.NewServer(http.NotFoundHandler())
		closed.Close()
		var got g2atest.Deliveries
		send(t, webhookServer(t, clock, closed.URL), "POST", "/_sim/webhook", `{"order_id":"1","type":"order.failed","status":"failed","copies":2}`).want(t, &got)
		if len(got.Deliveries) != 2 || got.Deliveries[1].Status != 0 || got.Deliveries[1].Error == "" {
			t.Errorf("answer is %+v, want two failed deliveries", got)
		}
	})
}

func TestBadWebhookIsRefused(t *testing.T) {
	clock := newClock()
	r := newReceiver(t, clock.Now, http.StatusOK, `{}`)
	srv := webhookServer(t, clock, r.URL)
	for name, body := range map[string]string{
		"no order":        `{"type":"order.failed","status":"failed"}`,
		"no type":         `{"order_id":"1","status":"failed"}`,
		"no status":       `{"order_id":"1","type":"order.failed"}`,
		"negative copies": `{"order_id":"1","type":"order.failed","status":"failed","copies":-1}`,
		"too many copies": `{"order_id":"1","type":"order.failed","status":"failed","copies":1001}`,
		"unknown field":   `{"order_id":"1","type":"order.failed","status":"failed","copy":1}`,
		"not JSON":        `order_id=1`,
	} {
		t.Run(name, func(t *testing.T) {
			send(t, srv, "POST", "/_sim/webhook", body).wantFailure(t, http.StatusBadRequest, "")
		})
	}
	if len(r.events) != 0 {
		t.Errorf("%d webhooks were delivered, want none", len(r.events))
	}
	t.Run("no receiver", func(t *testing.T) {
		send(t, newServer(t), "POST", "/_sim/webhook", `{"order_id":"1","type":"order.failed","status":"failed"}`).wantFailure(t, http.StatusConflict, "")
	})
}

// TestWebhookIsSignedWithTheCurrentHash: the receiver knows the first credentials alone.
func TestWebhookIsSignedWithTheCurrentHash(t *testing.T) {
	clock := newClock()
	r := newReceiver(t, clock.Now, http.StatusOK, `{}`)
	srv := webhookServer(t, clock, r.URL)
	other := g2a.Credentials{Hash: g2a.NewSecret("another-hash"), Key: g2a.NewSecret("another-key")}
	for i, step := range []struct {
		credentials []g2a.Credentials
		want        error
	}{
		{[]g2a.Credentials{testCredentials, other}, nil},
		{[]g2a.Credentials{other, testCredentials}, g2a.ErrSignatureWrong},
	} {
		srv.Simulator.SetCredentials(step.credentials[0], step.credentials[1:]...)
		if _, err := srv.Simulator.Deliver(t.Context(), g2atest.Webhook{OrderID: "1", Type: g2a.EventOrderCompleted, Status: g2a.StatusCompleted}); err != nil {
			t.Fatal(err)
		}
		if got := r.faults[i]; !errors.Is(got, step.want) {
			t.Errorf("delivery %d: %v, want %v", i+1, got, step.want)
		}
	}
}
