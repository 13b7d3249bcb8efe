package function_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/function"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
	"github.com/g2a-lambda/g2a-lambda/shared/secrets"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

func TestFail(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("order a: paying: %w", err) }
	call := func(kind error) error {
		return &g2a.Error{Method: "PUT", Route: "/order/pay/{id}", Kind: kind, Status: 500}
	}
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"invalid order", &purchase.InvalidOrder{Problems: []string{"order_ref is missing"}}, "InvalidOrder"},
		{"invalid order, wrapped", wrap(&purchase.InvalidOrder{Problems: []string{"x"}}), "InvalidOrder"},
		{"order conflict", wrap(purchase.ErrConflict), "OrderConflict"},
		{"order busy", wrap(purchase.ErrBusy), "OrderBusy"},
		{"order busy by its version", errors.Join(purchase.ErrBusy, purchase.ErrVersionConflict), "OrderBusy"},
		{"store", wrap(store.ErrUnavailable), "StoreUnavailable"},
		{"secret", wrap(secrets.ErrUnavailable), "StoreUnavailable"},
		{"credentials rejected", call(g2a.ErrCredentialsRejected), "CredentialsRejected"},
		{"throttled", wrap(call(g2a.ErrThrottled)), "G2AThrottled"},
		{"unavailable", call(g2a.ErrUnavailable), "G2AUnavailable"},
		{"malformed answer", call(g2a.ErrMalformedAnswer), "G2AUnavailable"},
		{"deadline", wrap(context.DeadlineExceeded), "G2AUnavailable"},
		{"deadline of the store", wrap(errors.Join(store.ErrUnavailable, context.DeadlineExceeded)), "StoreUnavailable"},
		{"store after a call", errors.Join(call(g2a.ErrUnavailable), store.ErrUnavailable), "StoreUnavailable"},
		{"order that cannot be cancelled", wrap(purchase.ErrNotCancellable), "OrderConflict"},
		{"request that G2A rejects", call(g2a.ErrInvalidRequest), "G2AUnavailable"},
		{"not found at G2A", call(g2a.ErrNotFound), "G2AUnavailable"},
		{"record that can never be written", wrap(purchase.ErrUnwritable), "InternalError"},
		{"anything else", errors.New("the record is damaged"), "InternalError"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := function.Fail(tt.err)
			if got.Type != tt.want {
				t.Errorf("%v is %s, want %s", tt.err, got.Type, tt.want)
			}
			if got.Message == "" || strings.Contains(got.Message, "\n") {
				t.Errorf("the message is not one line: %q", got.Message)
			}
		})
	}
}

func TestFailIsTheWireError(t *testing.T) {
	failure := function.FailAs(function.InvalidEvent, errors.Join(errors.New("first"), errors.New("second")))
	wire, err := json.Marshal(failure)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"errorMessage":"first; second","errorType":"InvalidEvent"}`; string(wire) != want {
		t.Errorf("got %s, want %s", wire, want)
	}
}
