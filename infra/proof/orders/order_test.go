//go:build proof

package orders

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/shopspring/decimal"
)

// kind is how an order's limit stands to G2A's price.
type kind string

const (
	affordable kind = "affordable"
	tooDear    kind = "too dear"     // and the catalogue says so
	grownDear  kind = "grown dearer" // the order at G2A costs more than the catalogue says, and than the limit
)

// order is what a shop wants. It is the only one that wants its product, so that the
// simulator's order book tells whose an order at G2A is.
type order struct {
	ref   string
	kind  kind
	price decimal.Decimal // EUR, in the catalogue
	limit decimal.Decimal // EUR
	// product is what is asked for. dearer is what is sold in its place where the
	// price has grown: one cent above the limit.
	product, dearer string
	file            bool // its key is one
	quantity        int  // keys

	mu      sync.Mutex
	random  *rand.Rand
	late    []func() // requests of dead processes, on their way
	latePay int      // how many of them pay
}

var cent = decimal.New(1, -2)

// newOrders makes a number of orders, the same for the same seed.
func newOrders(prefix string, seed uint64, number int) []*order {
	orders := make([]*order, number)
	for n := range orders {
		random := rand.New(rand.NewPCG(seed, uint64(n)))
		o := &order{
			ref: fmt.Sprintf("%s-%d", prefix, n), kind: affordable, random: random,
			product: strconv.Itoa(10_000_000_000_000 + 2*n), dearer: strconv.Itoa(10_000_000_000_001 + 2*n),
			price: decimal.New(random.Int64N(6000)+2, -2),
		}
		o.limit = o.price
		switch random.IntN(20) {
		case 0:
			o.kind, o.limit = tooDear, o.price.Sub(cent)
		case 1, 2:
			o.kind = grownDear
		case 3, 4, 5:
			o.limit = o.price.Add(decimal.New(random.Int64N(500), -2))
		}
		orders[n] = o
	}
	return orders
}

// input is the workflow's.
func (o *order) input() []byte {
	return fmt.Appendf(nil, `{"order_ref":%q,"product_id":%q,"max_price":%q,"currency":"EUR","quantity":%d}`, o.ref, o.product, o.limit.StringFixed(2), o.quantity)
}

// hold keeps the request of a call for later.
func (o *order) hold(request func(), c call) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.name == payRoute || c.name == placeRoute {
		o.latePay++
	}
	o.late = append(o.late, request)
}

// arrive has the requests that were held back arrive.
func (o *order) arrive() {
	o.mu.Lock()
	arriving := o.late
	o.late = nil
	o.mu.Unlock()
	for _, request := range arriving {
		request()
	}
}

// chance is true so often, by the order's own random numbers.
func (o *order) chance(probability float64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.random.Float64() < probability
}

// pick gives a number below n.
func (o *order) pick(n int) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.random.IntN(n)
}

// product is a page's entry in G2A's format: id, quantity and price are to be filled in.
const product = `{"id":%q,"name":"","type":"","slug":"","qty":%d,"minPrice":%s,"retail_min_price":0,"retailMinBasePrice":0,` +
	`"availableToBuy":false,"thumbnail":"","smallImage":"","coverImage":"","images":[],"updated_at":"","release_date":"","region":"",` +
	`"developer":"","publisher":"","platform":"","priceLimit":{"min":null,"max":null},"requirements":{"minimal":` + machine +
	`,"recommended":` + machine + `},"restrictions":{"pegi_violence":false,"pegi_profanity":false,"pegi_discrimination":false,` +
	`"pegi_drugs":false,"pegi_fear":false,"pegi_gambling":false,"pegi_online":false,"pegi_sex":false},"videos":[],"categories":[]}`

const machine = `{"reqprocessor":"","reqgraphics":"","reqmemory":"","reqdiskspace":"","reqsystem":"","reqother":""}`

// catalogue is the page of the orders' products.
func catalogue(orders []*order) []byte {
	const stock = 1000 // each order that is lost reserves a piece
	var page bytes.Buffer
	fmt.Fprintf(&page, `{"total":%d,"page":1,"docs":[`, 2*len(orders))
	for n, o := range orders {
		if n > 0 {
			page.WriteString(",")
		}
		listed := product
		if o.file {
			listed = strings.Replace(product, `"categories":[]`, `"categories":[{"id":"key-file","name":"Key file"}]`, 1)
		}
		fmt.Fprintf(&page, listed, o.product, stock, o.price.StringFixed(2))
		page.WriteString(",")
		fmt.Fprintf(&page, product, o.dearer, stock, o.limit.Add(cent).StringFixed(2))
	}
	page.WriteString("]}")
	return page.Bytes()
}

// market is a G2A whose prices grow between the catalogue and the order, and that does
// not mind the limit it was told.
func market(g2a http.Handler, orders []*order) http.Handler {
	dearer := map[string]string{}
	for _, o := range orders {
		if o.kind == grownDear {
			dearer[o.product] = o.dearer
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/v1/order" && r.URL.Path != "/export/v1/orders" {
			g2a.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		var wish struct {
			ProductID string `json:"product_id"`
		}
		if json.Unmarshal(body, &wish) == nil && dearer[wish.ProductID] != "" {
			body = fmt.Appendf(nil, `{"product_id":%q}`, dearer[wish.ProductID])
		}
		for product, instead := range dearer { // on v2, whose limit is minded
			body = bytes.ReplaceAll(body, []byte(`"productId":"`+product+`"`), []byte(`"productId":"`+instead+`"`))
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		g2a.ServeHTTP(w, r)
	})
}
