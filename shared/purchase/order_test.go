package purchase_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

func TestInvalidOrder(t *testing.T) {
	with := func(change func(*purchase.Input)) purchase.Input {
		in := place
		change(&in)
		return in
	}
	long := strings.Repeat("r", 129)
	tests := map[string]struct {
		in   purchase.Input
		want []string // one for each mistake
	}{
		"nothing at all":         {purchase.Input{}, []string{"order_ref"}},
		"a ref alone, not known": {again, []string{`order_ref "r1" is not known`}},
		"all wrong": {
			purchase.Input{Ref: "a b", ProductID: "x", MaxPrice: "-1", Currency: "eur"},
			[]string{"order_ref", "product_id", "max_price", "currency"},
		},
		"a ref and a product":  {purchase.Input{Ref: "r1", ProductID: "1"}, []string{"max_price", "currency"}},
		"ref too long":         {with(func(in *purchase.Input) { in.Ref = long }), []string{"order_ref"}},
		"ref with a newline":   {with(func(in *purchase.Input) { in.Ref = "r1\n" }), []string{"order_ref"}},
		"product a name":       {with(func(in *purchase.Input) { in.ProductID = "10-2" }), []string{"product_id"}},
		"price of 0":           {with(func(in *purchase.Input) { in.MaxPrice = "0.00" }), []string{"max_price"}},
		"price of 3 places":    {with(func(in *purchase.Input) { in.MaxPrice = "12.505" }), []string{"max_price"}},
		"price with exponent":  {with(func(in *purchase.Input) { in.MaxPrice = "1e3" }), []string{"max_price"}},
		"too many keys":        {with(func(in *purchase.Input) { in.Quantity = 51 }), []string{"quantity 51 is not from 1 to 50"}},
		"fewer than no keys":   {with(func(in *purchase.Input) { in.Quantity = -1 }), []string{"quantity -1"}},
		"a ref and a quantity": {purchase.Input{Ref: "r1", Quantity: 2}, []string{"product_id", "max_price", "currency"}},
		"price missing":        {with(func(in *purchase.Input) { in.MaxPrice = "" }), []string{"max_price"}},
		"no such currency":     {with(func(in *purchase.Input) { in.Currency = "EUX" }), []string{`currency "EUX" is not a current one of ISO 4217`}},
		"currency missing":     {with(func(in *purchase.Input) { in.Currency = "" }), []string{"currency"}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			_, _, err := w.advance(context.Background(), c.in, "a")
			var invalid *purchase.InvalidOrder
			if !errors.As(err, &invalid) {
				t.Fatalf("got %v, want *InvalidOrder", err)
			}
			if len(invalid.Problems) != len(c.want) {
				t.Errorf("problems %q, want %d", invalid.Problems, len(c.want))
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q says nothing of %s", err, want)
				}
			}
			if len(w.sold) > 0 || len(w.records) > 0 {
				t.Errorf("calls %q, want nothing done", w.calls)
			}
		})
	}
}

// Amounts that are equal are one request, whichever way they are written.
func TestFingerprint(t *testing.T) {
	base := purchase.Request{Ref: "r1", ProductID: "1", MaxPrice: euro("12.50")}
	for name, c := range map[string]struct {
		other purchase.Request
		same  bool
	}{
		"the same":            {base, true},
		"another ref":         {purchase.Request{Ref: "r2", ProductID: "1", MaxPrice: euro("12.50")}, true},
		"a zero more":         {purchase.Request{ProductID: "1", MaxPrice: euro("12.500")}, true},
		"no last zero":        {purchase.Request{ProductID: "1", MaxPrice: euro("12.5")}, true},
		"another price":       {purchase.Request{ProductID: "1", MaxPrice: euro("12.51")}, false},
		"another currency":    {purchase.Request{ProductID: "1", MaxPrice: money("12.50", "USD")}, false},
		"another product":     {purchase.Request{ProductID: "11", MaxPrice: euro("12.50")}, false},
		"one key":             {purchase.Request{ProductID: "1", MaxPrice: euro("12.50"), Quantity: 1}, true},
		"two keys":            {purchase.Request{ProductID: "1", MaxPrice: euro("12.50"), Quantity: 2}, false},
		"digits moved across": {purchase.Request{ProductID: "11", MaxPrice: euro("2.50")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.other.Fingerprint() == base.Fingerprint(); got != c.same {
				t.Errorf("the same: %t, want %t", got, c.same)
			}
		})
	}
}
