//go:build proof

package workflow_test

import (
	"testing"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

// market is one of G2A's purchasing APIs, and what an order costs there.
type market struct {
	api   g2a.ExportAPI
	shows string // the route that states stock and price
	pays  string // the route that charges
	keys  string // the route that gives keys out
	// cost are the calls of a new instance for an order that meets no trouble.
	cost func(keys int) map[string]int
	// orders is how many orders at G2A an order of so many keys is.
	orders func(keys int) int
	unpaid purchase.Step // at which an order waits that G2A lacks the money for
}

const tokenRoute = "GET /v1/token"

var exportV1 = market{
	api:   g2a.ExportV1,
	shows: "GET /v1/products", pays: "PUT /v1/order/pay/{id}", keys: "GET /v1/order/key/{id}",
	cost: func(keys int) map[string]int {
		return map[string]int{
			"GET /v1/products": keys, "POST /v1/order": keys, "PUT /v1/order/pay/{id}": keys,
			"GET /v1/order/details/{id}": keys, "GET /v1/order/key/{id}": keys,
		}
	},
	orders: func(keys int) int { return keys },
	unpaid: purchase.Created,
}

var exportV2 = market{
	api:   g2a.ExportV2,
	shows: "GET /export/v1/product-offers/{id}", pays: "POST /export/v1/orders", keys: "GET /export/v1/orders/{id}/keys",
	cost: func(int) map[string]int {
		return map[string]int{
			tokenRoute: 1, "GET /export/v1/product-offers/{id}": 1, "POST /export/v1/orders": 1, "GET /export/v1/orders/{id}/keys": 1,
		}
	},
	orders: func(int) int { return 1 },
	unpaid: purchase.Started,
}

// onBoth runs a test on each of the purchasing APIs.
func onBoth(t *testing.T, test func(t *testing.T, m market)) {
	t.Helper()
	t.Parallel()
	for _, m := range []market{exportV1, exportV2} {
		t.Run(string(m.api), func(t *testing.T) {
			t.Parallel()
			test(t, m)
		})
	}
}
