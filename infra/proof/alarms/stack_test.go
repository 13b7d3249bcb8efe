//go:build proof

package alarms

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

const (
	// goodOrder is one that the simulator sells; dearOrder is above its limit, and
	// invalidOrder is none.
	goodOrder    = `{"order_ref":%q,"product_id":"90000000334016","max_price":"5.00","currency":"EUR"}`
	dearOrder    = `{"order_ref":%q,"product_id":"90000000334016","max_price":"0.01","currency":"EUR"}`
	invalidOrder = `{"order_ref":%q,"product_id":"90000000334016","max_price":"free","currency":"EUR"}`
)

var account = g2a.Credentials{Hash: g2a.NewSecret("hash-of-the-alarms"), Key: g2a.NewSecret("key-of-the-alarms")}

// stack is the local cloud of the real binaries, whose metrics are recorded.
type stack struct {
	*proof.Stack
	t     *testing.T
	order string         // the form of its orders
	read  map[string]int // bytes of each function's log
}

// options of a stack.
type options struct {
	api    g2a.ExportAPI
	broken string // the package of the function that cannot start; "" is none
	wallet string // EUR; "" is enough
}

func newStack(t *testing.T, o options) *stack {
	t.Helper()
	s := &stack{t: t, order: goodOrder, read: map[string]int{}}
	s.Stack = proof.Start(t, proof.Options{
		Engine: storetest.Minidyn(t), Credentials: account,
		Cloud: func(c *localcloud.Options) {
			c.Parameters = map[string]string{"G2AExportApi": string(o.api), "G2ATimeoutMs": "5000", "G2ARetryMax": "0"}
			breakFunction(t, c.Root, o.broken)
		},
		Simulator: func(options *g2atest.Options) {
			options.TokenLife = tokenLife
			if o.wallet != "" {
				options.Wallet = decimal.RequireFromString(o.wallet)
			}
		},
	})
	return s
}

// breakFunction puts a program that ends at once in the place of a function's.
func breakFunction(t *testing.T, root, broken string) {
	t.Helper()
	if broken == "" {
		return
	}
	build := filepath.Join(root, "build")
	whole, err := os.Readlink(build)
	must(t, err)
	must(t, os.Remove(build))
	must(t, os.Mkdir(build, 0o750))
	for _, name := range []string{"webhook", "order", "token", "health"} {
		if name != broken {
			must(t, os.Symlink(filepath.Join(whole, name), filepath.Join(build, name)))
		}
	}
	must(t, os.Mkdir(filepath.Join(build, broken), 0o750))
	must(t, os.WriteFile(filepath.Join(build, broken, "bootstrap"), []byte("#!/bin/sh\nexit 1\n"), 0o700)) // #nosec G306 -- it is run
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// minute is one of traffic, all of it at once: each schedule, an order and a webhook.
func (s *stack) minute() minute {
	s.t.Helper()
	var token, health, order, webhook []value
	var all sync.WaitGroup
	all.Go(func() { token = s.invoke("TokenRefreshFunction", `{}`) })
	all.Go(func() { health = s.invoke("HealthFunction", `{}`) })
	all.Go(func() { order = s.invoke("OrderFunction", fmt.Sprintf(s.order, rand.Text())) })
	all.Go(func() { webhook = s.webhook() })
	all.Wait()
	return minute{
		scheduled: slices.Concat(token, s.emitted("TokenRefreshFunction"), health, s.emitted("HealthFunction")),
		traffic:   slices.Concat(order, s.emitted("OrderFunction"), webhook, s.emitted("WebhookFunction")),
	}
}

// warmUp has the token fetched, and the functions started that answer within a second. It
// leaves out OrderFunction, which would remember the token.
func (s *stack) warmUp() {
	s.t.Helper()
	for _, function := range []string{"TokenRefreshFunction", "HealthFunction"} {
		s.invoke(function, `{}`)
		s.emitted(function)
	}
	s.webhook()
	s.emitted("WebhookFunction")
}

// invoke calls a function, and returns what AWS measures of it.
func (s *stack) invoke(function, payload string) []value {
	begun := time.Now()
	result, err := s.Invoke(context.WithoutCancel(s.t.Context()), function, []byte(payload))
	if err != nil {
		s.t.Error(err)
	}
	return byAWS(function, result.FunctionError != "", time.Since(begun))
}

// webhook delivers one. The gateway answers for a function that fails with a status of 5xx
// of its own, where WebhookFunction itself never answers another than 503.
func (s *stack) webhook() []value {
	body := fmt.Sprintf(`{"event_id":"evt_%s","order_id":"42","type":"order.completed","payload":{"status":"completed"}}`, strings.ToLower(rand.Text()))
	timestamp, nonce := strconv.FormatInt(time.Now().UnixMilli(), 10), rand.Text()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.Addresses().HTTP+"/webhooks/g2a", strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return nil
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(g2a.HeaderTimestamp, timestamp)
	request.Header.Set(g2a.HeaderNonce, nonce)
	request.Header.Set(g2a.HeaderSignature, g2a.SignWebhook(account.Hash, []byte(body), timestamp, nonce).Reveal())
	begun := time.Now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Error(err)
		return nil
	}
	_ = response.Body.Close()
	failed := response.StatusCode >= 500 && response.StatusCode != http.StatusServiceUnavailable
	return append(byAWS("WebhookFunction", failed, time.Since(begun)), byGateway(response.StatusCode))
}
