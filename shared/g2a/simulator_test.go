package g2a_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/g2a-lambda/g2a-lambda/contracts/contracttest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// checked is a transport that holds every request and answer to G2A's contract, and
// keeps the operations that were called.
type checked struct {
	next http.RoundTripper

	mu     sync.Mutex
	called map[string]int
}

func newChecked(t *testing.T, srv *g2atest.Server) *checked {
	return &checked{
		next:   contracttest.G2A().Transport(srv.Client().Transport, func(err error) { t.Error(err) }),
		called: map[string]int{},
	}
}

func (c *checked) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.called[contracttest.G2A().Operation(r)]++
	c.mu.Unlock()
	return c.next.RoundTrip(r)
}

// simulated is a client of a simulator, in the tightest bonds.
func simulated(t *testing.T, variables ...string) (*g2a.Client, *g2atest.Server, *checked) {
	t.Helper()
	srv := g2atest.NewServer(t)
	transport := newChecked(t, srv)
	return g2a.New(srv.Config(variables...), g2a.Options{Credentials: srv.Credentials, Transport: transport}), srv, transport
}

// TestEveryOperation does everything the client can do, and holds it to the contract.
func TestEveryOperation(t *testing.T) {
	called := map[string]int{}
	for _, variables := range [][]string{
		{"G2A_TOKEN_FLOW=hash"},
		{"G2A_TOKEN_FLOW=client_credentials", "G2A_AUTH_SCHEME=signed"},
	} {
		t.Run(strings.Join(variables, " "), func(t *testing.T) {
			client, srv, transport := simulated(t, variables...)
			buy(t, client)
			buyAtV2(t, client)
			sell(t, client, srv)
			for operation, n := range transport.called {
				called[operation] += n
			}
		})
	}
	for _, operation := range contracttest.G2A().Operations() {
		if called[operation] == 0 {
			t.Errorf("operation %s was not called", operation)
		}
		delete(called, operation)
	}
	if len(called) > 0 {
		t.Errorf("calls that are not in the contract: %v", called)
	}
}

// buy goes from the catalogue to the key.
func buy(t *testing.T, client *g2a.Client) {
	t.Helper()
	ctx := t.Context()
	cent := decimal.RequireFromString("0.01")
	query := g2a.ProductQuery{MinQuantity: 1, MinPriceFrom: &cent, MinPriceTo: new(decimal.RequireFromString("500.5")), IncludeOutOfStock: true}
	var product g2a.Product
	for p, err := range client.AllProducts(ctx, query) {
		if err != nil {
			t.Fatal(err)
		}
		product = p
	}
	query.UpdatedAtFrom, query.UpdatedAtTo = time.Unix(0, 0), time.Unix(2000000000, 0)
	if _, err := client.Products(ctx, query); err != nil {
		t.Error(err)
	}
	again, err := client.Product(ctx, product.ID)
	if err != nil || !reflect.DeepEqual(again, product) {
		t.Errorf("product is %+v, error %v; in the list it was %+v", again, err, product)
	}
	order, err := client.CreateOrder(ctx, product.ID, product.MinPrice)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.PayOrder(ctx, order.ID); err != nil {
		t.Fatal(err)
	}
	if details, err := client.OrderDetails(ctx, order.ID); err != nil || details.Status != g2a.OrderComplete || details.Price.String() != product.MinPrice.String() {
		t.Errorf("details are %+v, error %v", details, err)
	}
	if key, err := client.OrderKey(ctx, order.ID); err != nil || key.Value.IsZero() {
		t.Errorf("no key, error %v", err)
	}
	if _, err := client.OrderKey(ctx, order.ID); !errors.Is(err, g2a.ErrKeyAlreadyDownloaded) {
		t.Errorf("a second key: %v", err)
	}
}

// buyAtV2 goes from the catalogue of the Export API v2 to the keys.
func buyAtV2(t *testing.T, client *g2a.Client) {
	t.Helper()
	ctx := t.Context()
	var offer g2a.ProductOffer
	for o, err := range client.AllProductOffers(ctx, g2a.ProductOfferQuery{PerPage: 10, UpdatedAtFrom: time.Unix(0, 0)}) {
		if err != nil {
			t.Fatal(err)
		}
		if o.Quantity > 2 && (offer.ID == "" || o.MinPrice.AtMost(offer.MinPrice)) {
			offer = o
		}
	}
	if again, err := client.ProductOffer(ctx, offer.ID); err != nil || !reflect.DeepEqual(again, offer) {
		t.Errorf("offer is %+v, error %v; in the list it was %+v", again, err, offer)
	}
	product, err := client.Product(ctx, offer.ID)
	if err != nil || product.Quantity != offer.Quantity || product.MinPrice.String() != offer.MinPrice.String() || len(product.Odd) > 0 {
		t.Errorf("at the Export API v1 it is %+v, error %v", product, err)
	}
	details, err := client.ProductDetails(ctx, []string{offer.ID})
	if err != nil || len(details) != 1 || len(details[0].Odd) > 0 || details[0].Name != product.Name || details[0].SmallImage != product.SmallImage ||
		details[0].MinPrice.String() != offer.MinPrice.String() || !reflect.DeepEqual(details[0].Images, product.Images) {
		t.Errorf("details are %+v, error %v", details, err)
	}
	wish := g2a.NewOrder{IdempotencyKey: "5a1c7e4e-0000-4000-8000-000000000001", ProductID: offer.ID, Quantity: 2, MaxPrice: offer.MinPrice}
	order, err := client.PlaceOrder(ctx, wish)
	if err != nil || order.Price.Amount.Cmp(offer.MinPrice.Amount.Mul(decimal.NewFromInt(2))) != 0 {
		t.Fatalf("order is %+v, error %v", order, err)
	}
	if again, err := client.PlaceOrder(ctx, wish); err != nil || again.ID != order.ID {
		t.Errorf("the same order is %+v, error %v", again, err)
	}
	if keys, err := client.OrderKeys(ctx, order.ID); err != nil || len(keys) != 2 || keys[0].Value.IsZero() || keys[1].Value.Equal(keys[0].Value) {
		t.Errorf("%d keys, error %v", len(keys), err)
	}
}

// sell goes from the bestsellers to an offer that is sold, and to its end.
func sell(t *testing.T, client *g2a.Client, srv *g2atest.Server) {
	t.Helper()
	ctx := t.Context()
	price := money("4.99")
	productID := explore(t, client)
	offer := offered(t, client, g2a.NewOffer{
		Type: g2a.OfferGame, ProductID: productID, Price: price, BusinessPrice: price, Active: true, Visibility: g2a.VisibleAll,
		Inventory: new(3), Regions: []string{"GLOBAL"}, NotIn: []string{"US"},
	})
	_, err := client.CreateOffer(ctx, g2a.NewOffer{Type: g2a.OfferGame, ProductID: productID, Price: price, Visibility: g2a.VisibleAll})
	if e := new(g2a.Error); !errors.As(err, &e) || e.Kind != g2a.ErrExists || e.ExistingID != offer.ID {
		t.Errorf("a second offer: %v, want that %s exists", err, offer.ID)
	}
	changed := change(t, client, offer.ID, g2a.OfferChange{Type: offer.Type, Price: new(money("12.5")), Visibility: g2a.VisibleRetail})
	if changed.Price.String() != "12.50 EUR" || changed.Visibility != g2a.VisibleRetail || *changed.Inventory != 3 {
		t.Errorf("changed offer is %+v", changed)
	}
	sold, err := srv.Simulator.Sell(offer.ID)
	if err != nil {
		t.Fatal(err)
	}
	if order, err := client.SellerOrder(ctx, sold); err != nil || len(order.Items) != 1 {
		t.Errorf("order is %+v, error %v", order, err)
	}
	since := time.Now().Add(-time.Hour)
	for order, err := range client.AllSellerOrders(ctx, g2a.SellerOrderQuery{Statuses: []string{"completed"}, CreatedFrom: since}) {
		if err != nil || order.ID != sold {
			t.Errorf("order is %+v, error %v; want %s", order, err, sold)
		}
	}
	withdraw(t, client, offer.ID, since)
}

// explore looks at the market and returns the product that sells best.
func explore(t *testing.T, client *g2a.Client) (productID string) {
	t.Helper()
	ctx := t.Context()
	sellers := 0
	for b, err := range client.AllBestsellers(ctx, g2a.BestsellerQuery{PerPage: 20, Days: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		if sellers++; sellers == 1 {
			if productID = b.ProductID; b.Sold != 2 {
				t.Errorf("the first is %+v; want the one of which two were just bought", b)
			}
		}
	}
	if one, err := client.Bestsellers(ctx, g2a.BestsellerQuery{ProductIDs: []string{productID}}); err != nil || len(one.Items) != 1 || sellers < 100 {
		t.Errorf("%d bestsellers, and %+v, error %v", sellers, one, err)
	}
	others, err := client.CompetitorOffers(ctx, productID, g2a.CompetitorQuery{Country: "DE", Visibility: g2a.VisibleAll})
	if err != nil || len(others.Items) != 1 || others.Items[0].FinalPrice["DE"].IsZero() {
		t.Errorf("competitors are %+v, error %v", others, err)
	}
	for _, country := range []string{"", "DE", "US"} {
		simulation, err := client.SimulatePrice(ctx, productID, money("4.99"), country)
		if err != nil || len(simulation.Income) == 0 || len(simulation.FinalPrice) == 0 {
			t.Errorf("simulation for %q is %+v, error %v", country, simulation, err)
		}
	}
	return productID
}

// withdraw takes an offer with two pieces off the market, one thing after the other.
func withdraw(t *testing.T, client *g2a.Client, id string, since time.Time) {
	t.Helper()
	ctx := t.Context()
	if collection, err := client.AddInventory(ctx, []g2a.Secret{g2a.NewSecret("FAKE-1"), g2a.NewSecret("FAKE-2")}); err != nil || collection == "" {
		t.Errorf("collection %q, error %v", collection, err)
	}
	document, err := client.Inventory(ctx, id, 1, 10)
	var inventory struct{ Data []struct{ ID string } }
	if err != nil || json.Unmarshal([]byte(document.Reveal()), &inventory) != nil || len(inventory.Data) != 2 {
		t.Fatalf("inventory is %s, error %v", document.Reveal(), err)
	}
	if err := client.DeleteInventoryItem(ctx, id, inventory.Data[0].ID); err != nil {
		t.Error(err)
	}
	if err := client.DeleteInventory(ctx, id); err != nil {
		t.Error(err)
	}
	archived := change(t, client, id, g2a.OfferChange{Type: g2a.OfferGame, Archive: new(true)})
	if archived.Status != g2a.OfferArchived || *archived.Inventory != 0 || *archived.Sold != 1 {
		t.Errorf("archived offer is %+v", archived)
	}
	page, err := client.Offers(ctx, g2a.OfferQuery{Type: g2a.OfferGame, Active: new(false), UpdatedFrom: since})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != id {
		t.Errorf("offers are %+v, error %v", page, err)
	}
	if _, err := client.DeleteOffer(ctx, id); err != nil {
		t.Error(err)
	}
	if _, err := client.Offer(ctx, id); !errors.Is(err, g2a.ErrNotFound) {
		t.Errorf("the deleted offer: %v", err)
	}
}

// failer is what a test and a property have in common.
type failer interface {
	Helper()
	Fatalf(string, ...any)
}

// offered creates an offer, waits for its job and returns the offer.
func offered(t failer, client *g2a.Client, wish g2a.NewOffer) g2a.Offer {
	t.Helper()
	job, err := client.CreateOffer(context.Background(), wish)
	if err != nil {
		t.Fatalf("creating the offer: %v", err)
	}
	return resultOf(t, client, job)
}

// change changes an offer, waits for its job and returns the offer.
func change(t failer, client *g2a.Client, id string, wish g2a.OfferChange) g2a.Offer {
	t.Helper()
	job, err := client.ChangeOffer(context.Background(), id, wish)
	if err != nil {
		t.Fatalf("changing the offer: %v", err)
	}
	return resultOf(t, client, job)
}

// resultOf waits for a job and returns its offer.
func resultOf(t failer, client *g2a.Client, jobID string) g2a.Offer {
	t.Helper()
	job, err := client.WaitJob(context.Background(), jobID)
	if err != nil || len(job.Elements) != 1 || job.Elements[0].ResourceType != "offer" {
		t.Fatalf("job is %+v, error %v", job, err)
	}
	offer, err := client.Offer(context.Background(), job.ResourceID())
	if err != nil {
		t.Fatalf("reading the offer: %v", err)
	}
	return offer
}

// TestOffersReadBack: what is offered comes back equal, digit for digit, alone and in
// the list, and so does what is changed of it.
func TestOffersReadBack(t *testing.T) {
	client, srv, _ := simulated(t)
	var products []string
	for p, err := range client.AllProducts(t.Context(), g2a.ProductQuery{IncludeOutOfStock: true}) {
		if err != nil {
			t.Fatal(err)
		}
		products = append(products, p.ID)
	}
	cents := func(t *rapid.T) g2a.Money {
		return g2a.Money{Amount: decimal.New(rapid.Int64Range(1, 99_999_999).Draw(t, "price in cents"), -2), Currency: "EUR"}
	}
	pieces := func(t *rapid.T) *int { return new(rapid.IntRange(0, 50).Draw(t, "inventory")) }
	visibility := rapid.SampledFrom([]g2a.Visibility{g2a.VisibleAll, g2a.VisibleBusiness, g2a.VisibleRetail})
	types := rapid.SampledFrom([]g2a.OfferType{
		g2a.OfferDropshipping, g2a.OfferGame, g2a.OfferPromo, g2a.OfferPreorder, g2a.OfferPhysical, g2a.OfferSteamGift,
	})
	rapid.Check(t, func(t *rapid.T) {
		srv.Simulator.Reset()
		client := g2a.New(srv.Config(), g2a.Options{Credentials: srv.Credentials, Transport: srv.Client().Transport}) // the token is gone, too
		var want []g2a.Offer
		for _, product := range rapid.SliceOfNDistinct(rapid.SampledFrom(products), 1, 12, rapid.ID).Draw(t, "products") {
			wish := g2a.NewOffer{
				Type: types.Draw(t, "type"), ProductID: product, Price: cents(t), BusinessPrice: cents(t),
				Active: rapid.Bool().Draw(t, "active"), Visibility: visibility.Draw(t, "visibility"), Inventory: pieces(t),
			}
			want = append(want, g2a.Offer{
				Type: wish.Type, Active: &wish.Active, ProductID: product, Price: wish.Price, BusinessPrice: wish.BusinessPrice,
				Visibility: wish.Visibility, Inventory: wish.Inventory,
			})
			offer := offered(t, client, wish)
			want[len(want)-1].ID = offer.ID
			same(t, offer, want[len(want)-1])
		}
		i := rapid.IntRange(0, len(want)-1).Draw(t, "changed")
		wish := g2a.OfferChange{
			Type: want[i].Type, Price: new(cents(t)), BusinessPrice: new(cents(t)), Active: new(rapid.Bool().Draw(t, "active")), Inventory: pieces(t),
		}
		want[i].Price, want[i].BusinessPrice, want[i].Active, want[i].Inventory = *wish.Price, *wish.BusinessPrice, wish.Active, wish.Inventory
		same(t, change(t, client, want[i].ID, wish), want[i])
		n := 0
		for offer, err := range client.AllOffers(context.Background(), g2a.OfferQuery{PerPage: rapid.SampledFrom([]int{0, 5, 7}).Draw(t, "a page")}) {
			if err != nil || n == len(want) {
				t.Fatalf("offer %d is %+v, error %v", n, offer, err)
			}
			same(t, offer, want[n])
			n++
		}
		if n != len(want) {
			t.Fatalf("%d offers in the list, want %d", n, len(want))
		}
	})
}

// same compares what a seller sets of an offer, and amounts as amounts: 4.9 is 4.90.
func same(t *rapid.T, got, want g2a.Offer) {
	t.Helper()
	text := func(o g2a.Offer) string {
		return fmt.Sprintln(o.ID, o.Type, *o.Active, o.ProductID, o.Price, o.BusinessPrice, o.Visibility, *o.Inventory)
	}
	if text(got) != text(want) {
		t.Fatalf("offer is %s, want %s", text(got), text(want))
	}
}

// TestLostAnswersOfSales: what makes something reaches G2A once, whatever becomes of
// the answer.
func TestLostAnswersOfSales(t *testing.T) {
	item := func(c *g2a.Client, offerID string) error {
		document, err := c.Inventory(t.Context(), offerID, 0, 0)
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(document.Reveal(), `"id":"`)
		id, _, _ := strings.Cut(rest, `"`)
		return c.DeleteInventoryItem(t.Context(), offerID, id)
	}
	tests := []struct {
		route string
		make  func(c *g2a.Client, offer g2a.Offer) error
	}{
		{"POST /v3/sales/offers", func(c *g2a.Client, o g2a.Offer) error {
			_, err := c.CreateOffer(t.Context(), g2a.NewOffer{Type: g2a.OfferPromo, ProductID: o.ProductID, Price: o.Price, Visibility: o.Visibility})
			return err
		}},
		{"PATCH /v3/sales/offers/{offerId}", func(c *g2a.Client, o g2a.Offer) error {
			_, err := c.ChangeOffer(t.Context(), o.ID, g2a.OfferChange{Type: o.Type, Active: new(true)})
			return err
		}},
		{"DELETE /v3/sales/offers/{offerId}", func(c *g2a.Client, o g2a.Offer) error { _, err := c.DeleteOffer(t.Context(), o.ID); return err }},
		{"POST /v3/sales/offers/inventory", func(c *g2a.Client, _ g2a.Offer) error {
			_, err := c.AddInventory(t.Context(), []g2a.Secret{g2a.NewSecret("FAKE-1")})
			return err
		}},
		{"DELETE /v3/sales/offers/{offerId}/inventory", func(c *g2a.Client, o g2a.Offer) error { return c.DeleteInventory(t.Context(), o.ID) }},
		{"DELETE /v3/sales/offers/{offerId}/inventory/{itemId}", func(c *g2a.Client, o g2a.Offer) error { return item(c, o.ID) }},
	}
	for _, test := range tests {
		for _, fault := range []g2atest.Fault{{Mode: "drop_after"}, {Mode: "drop_before"}, {Mode: "status", Status: 503}} {
			t.Run(test.route+"/"+fault.Mode, func(t *testing.T) {
				client, srv, _ := simulated(t)
				product, err := client.Products(t.Context(), g2a.ProductQuery{})
				if err != nil {
					t.Fatal(err)
				}
				offer := offered(t, client, g2a.NewOffer{
					Type: g2a.OfferGame, ProductID: product.Products[0].ID, Price: money("4.99"), Visibility: g2a.VisibleAll, Inventory: new(1),
				})
				before := srv.Simulator.Stats().Routes[test.route].Calls
				fault.Route = test.route
				if err := srv.Simulator.AddFault(fault); err != nil {
					t.Fatal(err)
				}
				if err := test.make(client, offer); !errors.Is(err, g2a.ErrUnavailable) {
					t.Errorf("error is %v, want ErrUnavailable", err)
				}
				if got := srv.Simulator.Stats().Routes[test.route].Calls - before; got != 1 {
					t.Errorf("%d calls reached G2A, want one", got)
				}
			})
		}
	}
}

// TestPriceChangeLimit: the sixth change in an hour is throttled, and was not carried out.
func TestPriceChangeLimit(t *testing.T) {
	client, _, _ := simulated(t, "G2A_RETRY_MAX=0")
	product, err := client.Products(t.Context(), g2a.ProductQuery{})
	if err != nil {
		t.Fatal(err)
	}
	offer := offered(t, client, g2a.NewOffer{Type: g2a.OfferGame, ProductID: product.Products[0].ID, Price: money("4.99"), Visibility: g2a.VisibleAll})
	for i := range 5 {
		change(t, client, offer.ID, g2a.OfferChange{Type: offer.Type, Price: new(money(fmt.Sprint(i + 10)))})
	}
	_, err = client.ChangeOffer(t.Context(), offer.ID, g2a.OfferChange{Type: offer.Type, Price: new(money("20"))})
	if !errors.Is(err, g2a.ErrThrottled) || g2a.OutcomeOf(err) != g2a.NotDone {
		t.Errorf("error is %v, want ErrThrottled, not done", err)
	}
	if now, err := client.Offer(t.Context(), offer.ID); err != nil || now.Price.String() != "14.00 EUR" {
		t.Errorf("offer is %+v, error %v; want the fifth price", now, err)
	}
}

// TestRevokedTokenAtTheSimulator: its reset forgets all tokens.
func TestRevokedTokenAtTheSimulator(t *testing.T) {
	client, srv, transport := simulated(t)
	for round := range 3 {
		if _, err := client.Offers(t.Context(), g2a.OfferQuery{}); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		srv.Simulator.Reset()
	}
	if fmt.Sprint(transport.called) != "map[issueToken:3 listOffers:5]" {
		t.Errorf("called %v, want a token a round, and the two lists that were rejected", transport.called)
	}
}

// TestWrongCredentials: of either flow, they fail at once.
func TestWrongCredentials(t *testing.T) {
	for _, flow := range []string{"hash", "client_credentials"} {
		t.Run(flow, func(t *testing.T) {
			srv := g2atest.NewServer(t)
			transport := newChecked(t, srv)
			client := g2a.New(srv.Config("G2A_TOKEN_FLOW="+flow), g2a.Options{Credentials: testCredentials, Transport: transport})
			for range 5 {
				if _, err := client.Offers(t.Context(), g2a.OfferQuery{}); !errors.Is(err, g2a.ErrCredentialsRejected) {
					t.Errorf("error is %v, want ErrCredentialsRejected", err)
				}
			}
			total := 0
			for _, n := range transport.called {
				total += n
			}
			if total != 1 {
				t.Errorf("called %v, want the token once", transport.called)
			}
		})
	}
}

// TestContractIsChecked: a request that drifts from the contract is found.
func TestContractIsChecked(t *testing.T) {
	srv := g2atest.NewServer(t)
	var found []error
	drifting := roundTrip(func(r *http.Request) (*http.Response, error) {
		r.URL.RawQuery = "limit=5"
		return contracttest.G2A().Transport(srv.Client().Transport, func(err error) { found = append(found, err) }).RoundTrip(r)
	})
	client := g2a.New(srv.Config(), g2a.Options{Credentials: srv.Credentials, Transport: drifting})
	_, _ = client.Products(t.Context(), g2a.ProductQuery{})
	if !slices.ContainsFunc(found, func(err error) bool { return strings.Contains(err.Error(), "limit") }) {
		t.Errorf("found %v, want the parameter that is not in the contract", found)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
