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
			client, _, transport := simulated(t, variables...)
			buy(t, client)
			buyAtV2(t, client)
			sell(t, client)
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

// sell goes from the bestsellers to an offer that has keys.
func sell(t *testing.T, client *g2a.Client) {
	t.Helper()
	ctx := t.Context()
	sellers := 0
	var product g2a.Bestseller
	for b, err := range client.AllBestsellers(ctx, g2a.BestsellerQuery{PerPage: 20}) {
		if err != nil {
			t.Fatal(err)
		}
		if sellers++; sellers == 1 {
			product = b
		}
	}
	if sellers < 100 || product.Sold == nil || *product.Sold != 2 {
		t.Errorf("%d bestsellers, the first %+v; want the one of which two were bought", sellers, product)
	}
	if _, err := client.Bestsellers(ctx, g2a.BestsellerQuery{Platform: product.Platform, Category: "Games"}); err != nil {
		t.Error(err)
	}
	for _, country := range []string{"", "DE", "US"} {
		if simulation, err := client.SimulatePrice(ctx, product.ProductID, product.MinPrice, country); err != nil || len(simulation.Income) == 0 || len(simulation.FinalPrice) == 0 {
			t.Errorf("simulation for %q is %+v, error %v", country, simulation, err)
		}
	}
	offer := offered(t, client, g2a.NewOffer{
		Type: g2a.OfferGame, ProductID: product.ProductID, Price: product.MinPrice, Visibility: g2a.VisibleAll,
		Inventory: new(2), Variant: json.RawMessage(`{"edition":"deluxe"}`),
	})
	changed, err := client.ChangeOffer(ctx, offer.ID, g2a.OfferChange{Price: new(money("12.5")), Active: new(false)})
	if err != nil || changed.Price.String() != "12.50 EUR" || changed.Active || changed.Status != g2a.OfferInactive {
		t.Errorf("changed offer is %+v, error %v", changed, err)
	}
	if collection, err := client.AddInventory(ctx, offer.ID, []g2a.Secret{g2a.NewSecret("FAKE-1"), g2a.NewSecret("FAKE-2")}); err != nil || collection == "" {
		t.Errorf("collection %q, error %v", collection, err)
	}
	query := g2a.OfferQuery{ProductID: product.ProductID, Status: g2a.OfferInactive, Type: g2a.OfferGame, Active: new(false)}
	page, err := client.Offers(ctx, query)
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != offer.ID || *page.Items[0].Inventory != 4 {
		t.Errorf("offers are %+v, error %v", page, err)
	}
}

// offered makes an offer, waits for its job and gives the offer.
func offered(t interface {
	Helper()
	Fatalf(string, ...any)
}, client *g2a.Client, wish g2a.NewOffer) g2a.Offer {
	t.Helper()
	ctx := context.Background()
	id, err := client.CreateOffer(ctx, wish)
	if err != nil {
		t.Fatalf("creating the offer: %v", err)
	}
	job, err := client.WaitJob(ctx, id)
	if err != nil || job.ResourceType != "offer" {
		t.Fatalf("job is %+v, error %v", job, err)
	}
	offer, err := client.Offer(ctx, job.ResourceID)
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
	variant := rapid.Map(rapid.MapOf(rapid.String(), rapid.String()), func(fields map[string]string) json.RawMessage {
		text, err := json.Marshal(fields)
		if err != nil {
			panic(err)
		}
		return text
	})
	visibility := rapid.SampledFrom([]g2a.Visibility{g2a.VisibleAll, g2a.VisibleBusiness, g2a.VisibleRetail})
	rapid.Check(t, func(t *rapid.T) {
		srv.Simulator.Reset()
		client := g2a.New(srv.Config(), g2a.Options{Credentials: srv.Credentials, Transport: srv.Client().Transport}) // the token is gone, too
		var want []g2a.Offer
		for range rapid.IntRange(1, 12).Draw(t, "offers") {
			wish := g2a.NewOffer{
				Type:       rapid.SampledFrom([]g2a.OfferType{g2a.OfferDropshipping, g2a.OfferPromo, g2a.OfferSteamGift, g2a.OfferGame, g2a.OfferPreorder}).Draw(t, "type"),
				ProductID:  rapid.SampledFrom(products).Draw(t, "product"),
				Price:      cents(t),
				Visibility: visibility.Draw(t, "visibility"),
				Inventory:  new(rapid.IntRange(0, 1000).Draw(t, "inventory")),
				Variant:    variant.Draw(t, "variant"),
			}
			offer := offered(t, client, wish)
			same(t, offer, g2a.Offer{
				ID: offer.ID, Type: wish.Type, ProductID: wish.ProductID, Price: wish.Price, Visibility: wish.Visibility,
				Status: g2a.OfferActive, Active: true, Inventory: wish.Inventory, Variant: wish.Variant,
			})
			want = append(want, offer)
		}
		i := rapid.IntRange(0, len(want)-1).Draw(t, "changed")
		change := g2a.OfferChange{Price: new(cents(t)), Active: new(rapid.Bool().Draw(t, "active")), Inventory: new(rapid.IntRange(0, 1000).Draw(t, "inventory"))}
		want[i].Price, want[i].Active, want[i].Inventory = *change.Price, *change.Active, change.Inventory
		if want[i].Status = g2a.OfferInactive; want[i].Active {
			want[i].Status = g2a.OfferActive
		}
		changed, err := client.ChangeOffer(context.Background(), want[i].ID, change)
		if err != nil {
			t.Fatal(err)
		}
		same(t, changed, want[i])
		var got []g2a.Offer
		for offer, err := range client.AllOffers(context.Background(), g2a.OfferQuery{PerPage: rapid.SampledFrom([]int{0, 10, 20}).Draw(t, "a page")}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, offer)
		}
		if len(got) != len(want) {
			t.Fatalf("%d offers in the list, want %d", len(got), len(want))
		}
		for i := range got {
			same(t, got[i], want[i])
		}
	})
}

// same compares amounts as amounts: 4.9 is 4.90.
func same(t *rapid.T, got, want g2a.Offer) {
	t.Helper()
	if !got.Price.Amount.Equal(want.Price.Amount) || got.Price.Currency != want.Price.Currency {
		t.Fatalf("price is %s, want %s", got.Price, want.Price)
	}
	got.Price, want.Price = g2a.Money{}, g2a.Money{}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("offer is %+v, want %+v", got, want)
	}
}

// TestLostAnswersOfSales: what makes something reaches G2A once, whatever becomes of
// the answer.
func TestLostAnswersOfSales(t *testing.T) {
	tests := []struct {
		route string
		make  func(c *g2a.Client, offerID string) error
	}{
		{"POST /v1/offers", func(c *g2a.Client, id string) error {
			wish, err := c.Offer(t.Context(), id)
			if err != nil {
				return err
			}
			_, err = c.CreateOffer(t.Context(), g2a.NewOffer{Type: wish.Type, ProductID: wish.ProductID, Price: wish.Price, Visibility: wish.Visibility})
			return err
		}},
		{"PATCH /v1/offers/{id}", func(c *g2a.Client, id string) error {
			_, err := c.ChangeOffer(t.Context(), id, g2a.OfferChange{Active: new(false)})
			return err
		}},
		{"POST /v1/offers/{id}/inventory", func(c *g2a.Client, id string) error {
			_, err := c.AddInventory(t.Context(), id, []g2a.Secret{g2a.NewSecret("FAKE-1")})
			return err
		}},
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
					Type: g2a.OfferGame, ProductID: product.Products[0].ID, Price: money("4.99"), Visibility: g2a.VisibleAll, Inventory: new(0),
				})
				before := srv.Simulator.Stats().Routes[test.route].Calls
				fault.Route = test.route
				if err := srv.Simulator.AddFault(fault); err != nil {
					t.Fatal(err)
				}
				if err := test.make(client, offer.ID); !errors.Is(err, g2a.ErrUnavailable) {
					t.Errorf("error is %v, want ErrUnavailable", err)
				}
				if got := srv.Simulator.Stats().Routes[test.route].Calls - before; got != 1 {
					t.Errorf("%d calls reached G2A, want one", got)
				}
			})
		}
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
