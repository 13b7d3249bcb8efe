//go:build proof

package tokens

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/moto"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// startMoto starts a Secrets Manager that is not the project's own.
func startMoto(t *testing.T) (endpoint string) {
	t.Helper()
	endpoint, err := moto.Start(moto.Python(t, proof.Repository), func(ctx context.Context, url string) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/moto-api/data.json", http.NoBody)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		return response.Body.Close()
	})
	if err != nil {
		t.Fatalf("moto: %v", err)
	}
	return endpoint
}

// flow does one thing after the other until it is stopped, and counts.
type flow struct {
	name string
	do   func(n int) error
	done atomic.Int64
	step chan struct{} // one for each thing done
}

// flows run flows at once until stop is called. await waits until each one has begun
// and done two things more.
func flows(t *testing.T, all ...*flow) (await func(), stop func()) {
	over := make(chan struct{})
	var running sync.WaitGroup
	for _, f := range all {
		f.step = make(chan struct{})
		running.Go(func() {
			for n := 0; ; n++ {
				if err := f.do(n); err != nil {
					t.Errorf("%s %d: %v", f.name, n, err)
				}
				f.done.Add(1)
				select {
				case f.step <- struct{}{}:
				case <-over:
					return
				}
			}
		})
	}
	await = func() {
		for range 3 { // the first one may have begun before
			for _, f := range all {
				<-f.step
			}
		}
	}
	return await, func() { close(over); running.Wait() }
}

// TestRotation rotates the credentials while orders and webhooks flow: none of them
// fails or is refused, and no process ends.
func TestRotation(t *testing.T) {
	t.Parallel()
	endpoint := startMoto(t)
	s := newStack(t, func(o *localcloud.Options) { o.SecretsEndpoint, o.Concurrency = endpoint, 1 })

	if a := s.refresh(""); a.Version != 1 {
		t.Fatalf("before: %+v, want version 1", a)
	}
	orders := &flow{name: "order", do: s.order}
	webhooks := &flow{name: "webhook", do: s.webhook}
	await, stop := flows(t, orders, webhooks)
	await()
	s.Simulator.SetCredentials(original, renewed) // a person makes new ones at G2A
	await()
	s.setSecret(renewed)
	if got := s.stages(); got != "AWSCURRENT renewed, AWSPREVIOUS original" {
		t.Errorf("the secret's versions are %s", got)
	}
	await() // nobody has noticed
	s.Simulator.SetCredentials(renewed, original)
	await() // webhooks are signed with the new hash
	s.Simulator.SetCredentials(original, renewed)
	await() // and with the old one, which is the previous one by now
	s.Simulator.SetCredentials(renewed)
	await() // the old ones are good for nothing any more
	before := s.token(original)
	s.age(time.Hour)
	if a := s.refresh(""); a.ErrorType != "" || a.Version != 1 || a.TTL < 3000 {
		t.Errorf("after: %+v, want the new credentials' first token", a)
	}
	await()
	stop()

	old, fresh := s.token(original), s.token(renewed)
	if old["access_token"] != before["access_token"] || old["version"] != "1" || old["rejections"] != "1" {
		t.Errorf("the old credentials' item is of version %s with %s rejections, want what it was, and one", old["version"], old["rejections"])
	}
	if fresh["access_token"] == "" || fresh["access_token"] == old["access_token"] {
		t.Error("the new credentials have no token of their own")
	}
	s.issued(2)
	if said := s.ends.String(); strings.Contains(said, "an instance") {
		t.Errorf("an instance has ended:\n%s", said)
	}
	stats := s.Simulator.Stats()
	if int64(stats.OrdersPaid) != orders.done.Load() || int64(stats.KeysRevealed) != orders.done.Load() {
		t.Errorf("%d orders, %d paid, %d keys revealed", orders.done.Load(), stats.OrdersPaid, stats.KeysRevealed)
	}
	refused := 0
	for _, route := range stats.Routes {
		refused += route.Statuses[http.StatusUnauthorized]
	}
	if refused != 2 { // OrderFunction's and TokenRefreshFunction's one process each
		t.Errorf("G2A has refused %d calls, want one for each process that calls it", refused)
	}
	t.Logf("\norders %d, webhooks %d, calls that G2A refused and that were made again %d, failures 0, processes ended 0", orders.done.Load(), webhooks.done.Load(), refused)
}

// order takes one order all the way.
func (s *stack) order(n int) error {
	payload := fmt.Sprintf(`{"order_ref":"rotation-%d","product_id":"90000000334016","max_price":"5.00","currency":"EUR"}`, n)
	result, err := s.Invoke(context.WithoutCancel(s.t.Context()), "OrderFunction", []byte(payload))
	if err != nil {
		return err
	}
	var out struct{ Status string }
	if err := json.Unmarshal(result.Payload, &out); err != nil || out.Status != "fulfilled" {
		return fmt.Errorf("the answer is %s", result.Payload)
	}
	return nil
}

// webhook has G2A deliver one event.
func (s *stack) webhook(n int) error {
	sent, err := s.Simulator.Deliver(context.WithoutCancel(s.t.Context()), g2atest.Webhook{
		OrderID: fmt.Sprint(9000000 + n), Type: g2a.EventOrderCompleted, Status: g2a.StatusCompleted,
	})
	if err != nil {
		return err
	}
	if d := sent.Deliveries[0]; d.Status != http.StatusOK || !strings.Contains(string(d.Body), "processed") {
		return fmt.Errorf("it is answered %d %s %s", d.Status, d.Body, d.Error)
	}
	return nil
}

// stages tells which credentials the secret's labels are on.
func (s *stack) stages() string {
	s.t.Helper()
	var told []string
	for _, stage := range []string{"AWSCURRENT", "AWSPREVIOUS"} {
		value, err := s.SecretsManager().GetSecretValue(s.t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("G2ASecret"), VersionStage: &stage})
		if err != nil {
			s.t.Fatal(err)
		}
		name := "original"
		if strings.Contains(*value.SecretString, "renewed") {
			name = "renewed"
		}
		told = append(told, stage+" "+name)
	}
	return strings.Join(told, ", ")
}
