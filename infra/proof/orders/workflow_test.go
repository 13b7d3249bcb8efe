//go:build proof

package orders

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
)

// workflow goes by the project's state machine: what it retries and how often stands
// there. It runs faster between retries, and asks at once where it is told to wait: to
// ask sooner is always allowed.
type workflow struct {
	retriers []retrier
	speed    float64
}

// retrier is one of the state machine's.
type retrier struct {
	ErrorEquals     []string
	MaxAttempts     int
	IntervalSeconds float64
	BackoffRate     float64
	MaxDelaySeconds float64
	JitterStrategy  string
}

func readWorkflow(t testing.TB) workflow {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(proof.Repository, "infra", "order-workflow.asl.json"))
	if err != nil {
		t.Fatal(err)
	}
	var machine struct {
		States struct{ Advance struct{ Retry []retrier } }
	}
	if err := json.Unmarshal(text, &machine); err != nil {
		t.Fatal(err)
	}
	w := workflow{machine.States.Advance.Retry, 200}
	if w.retrier("OrderBusy").MaxAttempts == 0 || w.retrier("InvalidOrder").MaxAttempts != 0 {
		t.Fatalf("the state machine retries otherwise than is known here: %+v", w)
	}
	return w
}

// retrier gives the first that fits an error.
func (w workflow) retrier(errorType string) retrier {
	for _, r := range w.retriers {
		if slices.Contains(r.ErrorEquals, errorType) || slices.Contains(r.ErrorEquals, "States.ALL") {
			return r
		}
	}
	return retrier{}
}

// pause is before retry number n+1.
func (r retrier) pause(n int) time.Duration {
	seconds := r.IntervalSeconds
	for range n {
		seconds = min(seconds*r.BackoffRate, r.MaxDelaySeconds)
	}
	if r.JitterStrategy == "FULL" {
		seconds *= rand.Float64()
	}
	return time.Duration(seconds * float64(time.Second))
}

// execution is one of the workflow.
type execution struct {
	invocations int // that it has left
	waits       int // times that it was told to wait
	maxWaits    int // 0: any number
}

// run executes the workflow for an order until its end, an error that is not retried,
// or the last of the invocations.
func (e *execution) run(ctx context.Context, s *stack, w workflow, o *order) output {
	payload := o.input()
	for retries := map[string]int{}; ; { // by retrier
		out := s.invoke(ctx, o, payload)
		e.invocations--
		r := w.retrier(out.ErrorType)
		name := fmt.Sprint(r.ErrorEquals)
		switch {
		case e.invocations <= 0, out.ErrorType != "" && retries[name] >= r.MaxAttempts:
			return out
		case out.ErrorType != "":
			pause(ctx, time.Duration(float64(r.pause(retries[name]))/w.speed))
			retries[name]++
		case out.Status != "waiting":
			return out
		case e.maxWaits > 0 && e.waits == e.maxWaits:
			return out
		default:
			e.waits++
			payload, retries = fmt.Appendf(nil, `{"order_ref":%q}`, out.OrderRef), map[string]int{}
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
