package g2atest_test

import (
	"fmt"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

const (
	orderName      = "5a1c7e4e-0000-4000-8000-00000000000a"
	idempotencyKey = "Idempotency-Key: " + orderName
)

// v2Order is the body of POST /orders.
func v2Order(productID string, quantity int, maxPrice string) string {
	return fmt.Sprintf(`{"items":[{"auto":{"productId":%q,"quantity":%d,"maxPrice":%q}}],"currency":"EUR"}`, productID, quantity, maxPrice)
}

// wish is an order of the Export API v2 whose idempotency key ends with these digits.
func wish(productID string, quantity int, limit string, digits int) g2a.NewOrder {
	return g2a.NewOrder{
		IdempotencyKey: fmt.Sprintf("5a1c7e4e-0000-4000-9000-%012d", digits), ProductID: productID, Quantity: quantity,
		MaxPrice: g2a.Money{Amount: decimal.RequireFromString(limit), Currency: "EUR"},
	}
}

// placeOrder places an order with a large enough limit.
func placeOrder(t *testing.T, srv *g2atest.Server, productID string, quantity int) g2a.Order {
	t.Helper()
	order, err := client(t, srv).PlaceOrder(t.Context(), wish(productID, quantity, "9999", quantity))
	if err != nil {
		t.Fatalf("placing an order: %v", err)
	}
	return order
}
