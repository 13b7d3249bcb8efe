//go:build proof

package orders

import (
	"slices"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// marketplace is one of G2A's purchasing APIs, at one reading of what is not documented,
// and what an order does there.
type marketplace struct {
	name string
	api  g2a.ExportAPI
	v2   g2atest.V2Options
	// calls are those of an order that meets no trouble: to the store by what they do, to
	// G2A by their routes.
	calls  []string
	shows  string // the route that states stock and price
	pays   string // the route that charges
	keys   string // the route that gives out keys
	faults []g2atest.Fault
	// again: keys can be read again, so that nothing loses them.
	again      bool
	lost       string // why an order needs attention whose keys are lost
	mostMade   int    // orders at G2A for one of the shop's, without a person
	mostWrites int
	quantity   int // keys that an order asks for
}

// The routes of the Export API v2 that the purchase calls.
const (
	offerRoute = "GET /export/v1/product-offers/{id}"
	placeRoute = "POST /export/v1/orders"
	keysRoute  = "GET /export/v1/orders/{id}/keys"
)

var exportV1 = marketplace{
	name: "v1", api: g2a.ExportV1,
	calls: []string{
		"load", "claim", productsRoute, "save quoted", orderRoute, "link created", "save paying", payRoute, "status",
		detailsRoute, "save key_requested", keyRoute, "save fulfilled",
	},
	shows: productsRoute, pays: payRoute, keys: keyRoute, faults: faultsV1, lost: "key_lost", mostMade: 3, mostWrites: 6, quantity: 1,
}

// exportV1Several sells two keys, which are two orders there.
var exportV1Several = func() marketplace {
	m := exportV1
	m.name, m.quantity = "v1, two keys", 2
	return m
}()

// exportV2 keeps to the meaning of the Idempotency-Key, and its keys can be read again.
var exportV2 = marketplace{
	name: "v2", api: g2a.ExportV2,
	calls: []string{
		"load", "claim", offerRoute, "save paying", placeRoute, "link key_requested", keysRoute, "save fulfilled",
	},
	shows: offerRoute, pays: placeRoute, keys: keysRoute, faults: faultsV2, again: true, mostMade: 1, mostWrites: 4, quantity: 2,
}

// exportV2Once gives out each key once.
var exportV2Once = func() marketplace {
	m := exportV2
	m.name, m.v2.KeysOnce, m.again, m.lost = "v2, keys once", true, false, "stuck"
	return m
}()

// exportV2Conflict answers a repeated Idempotency-Key with a conflict, and not the order.
var exportV2Conflict = func() marketplace {
	m := exportV2
	m.name, m.v2.Replay = "v2, repeats conflict", "conflict"
	return m
}()

// pieces is how many orders at G2A one of the shop's comes to.
func (m marketplace) pieces() int {
	if m.api == g2a.ExportV1 {
		return m.quantity
	}
	return 1
}

// ofG2A returns the calls to G2A among them.
func (m marketplace) ofG2A() []string {
	return slices.DeleteFunc(slices.Clone(m.calls), func(name string) bool { return !call{name: name}.ofG2A() })
}
