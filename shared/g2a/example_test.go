package g2a_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// A client from the environment, and the check of price and stock before an order.
func Example() {
	srv := startG2A() // in place of G2A's sandbox
	defer srv.stop()

	cfg, err := g2a.ParseConfig(srv.lookup) // os.LookupEnv
	if err != nil {
		fmt.Println(err)
		return
	}
	credentials, _, err := g2a.ParseCredentials(srv.lookup)
	if err != nil {
		fmt.Println(err)
		return
	}
	client := g2a.New(cfg, g2a.Options{Credentials: credentials, Transport: srv.Client().Transport})

	product, err := client.Product(context.Background(), "90000000334016")
	if err != nil {
		fmt.Println(err)
		return
	}
	limit, err := g2a.ParseMoney("5.00", "EUR")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(product.Name, product.MinPrice)
	fmt.Println("3 for at most 5.00 each:", product.Quantity >= 3 && product.MinPrice.AtMost(limit))
	// Output:
	// Brasswick Harbor Steam Key GLOBAL 4.99 EUR
	// 3 for at most 5.00 each: true
}

func ExampleClient_AllProducts() {
	srv := startG2A()
	defer srv.stop()
	client := srv.client()

	limit, err := g2a.ParseMoney("0.50", "EUR")
	if err != nil {
		fmt.Println(err)
		return
	}
	query := g2a.ProductQuery{MinQuantity: 100, MinPriceTo: &limit.Amount}
	for product, err := range client.AllProducts(context.Background(), query) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(product.ID, product.Quantity, product.MinPrice)
	}
	// Output:
	// 90000000340030 5000 0.01 EUR
	// 90000001079407 240 0.49 EUR
	// 90000002022808 1828 0.49 EUR
}

// From the order to its key. This is the plain way: a program that may be killed in
// between writes down what it is about to do before each step.
func ExampleClient_CreateOrder() {
	srv := startG2A()
	defer srv.stop()
	client, ctx := srv.client(), context.Background()

	limit, err := g2a.ParseMoney("5.00", "EUR")
	if err != nil {
		fmt.Println(err)
		return
	}
	order, err := client.CreateOrder(ctx, "90000000334016", limit)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := client.PayOrder(ctx, order.ID); g2a.OutcomeOf(err) == g2a.NotDone {
		fmt.Println(err)
		return
	} else if err != nil {
		fmt.Println("it may have been charged, the details decide:", err)
	}
	details, err := client.OrderDetails(ctx, order.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(details.Status, details.Price)
	key, err := client.OrderKey(ctx, order.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("key:", key.Value, "- understood:", !key.Value.IsZero())
	// Output:
	// complete 4.99 EUR
	// key: [redacted] - understood: true
}

func ExampleClient_CreateOffer() {
	srv := startG2A()
	defer srv.stop()
	client := srv.client()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	price, err := g2a.ParseMoney("12.50", "EUR")
	if err != nil {
		fmt.Println(err)
		return
	}
	jobID, err := client.CreateOffer(ctx, g2a.NewOffer{
		Type: g2a.OfferDropshipping, ProductID: "90000000334016", Price: price, Active: true,
		Visibility: g2a.VisibleAll, Inventory: new(3),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	job, err := client.WaitJob(ctx, jobID)
	if ended := new(g2a.JobError); errors.As(err, &ended) {
		fmt.Println("G2A created no offer:", ended)
		return
	} else if err != nil {
		fmt.Println(err)
		return
	}
	changed, err := client.ChangeOffer(ctx, job.ResourceID(), g2a.OfferChange{Type: g2a.OfferDropshipping, Inventory: new(2)})
	if err != nil {
		fmt.Println(err)
		return
	}
	if changed != "" { // "" is done at once
		if _, err := client.WaitJob(ctx, changed); err != nil {
			fmt.Println(err)
			return
		}
	}
	for offer, err := range client.AllOffers(ctx, g2a.OfferQuery{Active: new(true)}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(offer.Type, offer.Price, "in stock:", *offer.Inventory)
	}
	// Output:
	// dropshipping 12.50 EUR in stock: 2
}

func ExampleClient_SimulatePrice() {
	srv := startG2A()
	defer srv.stop()

	price, err := g2a.ParseMoney("12.50", "EUR")
	if err != nil {
		fmt.Println(err)
		return
	}
	simulation, err := srv.client().SimulatePrice(context.Background(), "90000000334016", price, "DE")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("the buyer pays", simulation.FinalPrice["DE"], "and the seller gets", simulation.Income["DE"])
	// Output:
	// the buyer pays 14.88 EUR and the seller gets 11.15 EUR
}

func ExampleVerifyWebhook() {
	hash := g2a.NewSecret("the API hash")
	now := time.Now()

	// What G2A sends:
	body := []byte(`{"event_id":"evt_1","order_id":"42","type":"order.completed","payload":{"status":"completed"}}`)
	timestamp, nonce := strconv.FormatInt(now.UnixMilli(), 10), "nonce-0000000000000001"
	header := http.Header{}
	header.Set(g2a.HeaderTimestamp, timestamp)
	header.Set(g2a.HeaderNonce, nonce)
	header.Set(g2a.HeaderSignature, g2a.SignWebhook(hash, body, timestamp, nonce).Reveal())

	event, err := g2a.VerifyWebhook(body, header, []g2a.Secret{hash}, now)
	fmt.Println(event.Type, event.OrderID, event.Status, err)

	_, err = g2a.VerifyWebhook([]byte(`{"order_id":"43"}`), header, []g2a.Secret{hash}, now)
	fmt.Println(errors.Is(err, g2a.ErrSignatureWrong), err)
	// Output:
	// order.completed 42 completed <nil>
	// true signature is wrong
}

// Two processes that share one access token. The store here is in memory; package
// store has one in DynamoDB.
func ExampleSharedTokens() {
	srv := startG2A()
	defer srv.stop()
	store := &memoryStore{}
	process := func(name string) *g2a.Client {
		tokens := &g2a.SharedTokens{
			Store: store, Credentials: srv.Credentials, Owner: name, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
		}
		client := g2a.New(srv.Config(), g2a.Options{
			Credentials: srv.Credentials,
			Transport:   srv.Client().Transport,
			Tokens:      g2a.RememberTokens(tokens, time.Now),
		})
		tokens.Fetch = client.FetchTokenFor
		return client
	}
	for _, name := range []string{"first", "second"} {
		page, err := process(name).Offers(context.Background(), g2a.OfferQuery{})
		fmt.Println(name, "process:", len(page.Items), "offers", err)
	}
	fmt.Println("tokens issued:", srv.Simulator.Stats().TokensIssued)
	// Output:
	// first process: 0 offers <nil>
	// second process: 0 offers <nil>
	// tokens issued: 1
}

func ExampleError() {
	srv := startG2A()
	defer srv.stop()
	client := srv.client()
	if err := srv.Simulator.AddFault(g2atest.Fault{Route: "POST /v1/order", Mode: "status", Code: "BR03", RetryAfter: "60"}); err != nil {
		fmt.Println(err)
		return
	}

	limit, err := g2a.ParseMoney("5.00", "EUR")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.CreateOrder(context.Background(), "90000000334016", limit)
	var failed *g2a.Error
	switch {
	case errors.Is(err, g2a.ErrThrottled) && errors.As(err, &failed):
		fmt.Println("not done, and can be done in", failed.RetryAfter, failed.Temporary())
	case errors.Is(err, g2a.ErrCredentialsRejected):
		fmt.Println("stop: nothing will work with these credentials")
	}
	fmt.Println(err)

	_, err = client.OrderDetails(context.Background(), "42")
	fmt.Println(errors.Is(err, g2a.ErrNotFound), err)
	// Output:
	// not done, and can be done in 1m0s true
	// POST /order: G2A has had too many requests (HTTP 429, BR03, "Too Many Requests, as a test wished")
	// true GET /order/details/{id}: not found at G2A (HTTP 404, ORD02, "Order not found")
}

// exampleG2A is a simulator for an example, which has no *testing.T.
type exampleG2A struct {
	*g2atest.Server
	stops []func()
}

func startG2A() *exampleG2A {
	e := &exampleG2A{}
	e.Server = g2atest.NewServer(e)
	return e
}

func (e *exampleG2A) Helper()                       {}
func (e *exampleG2A) Cleanup(stop func())           { e.stops = append(e.stops, stop) }
func (e *exampleG2A) Fatalf(text string, at ...any) { panic(fmt.Sprintf(text, at...)) }

func (e *exampleG2A) stop() {
	for _, stop := range e.stops {
		stop()
	}
}

func (e *exampleG2A) client() *g2a.Client {
	return g2a.New(e.Config(), g2a.Options{Credentials: e.Credentials, Transport: e.Server.Client().Transport})
}

// lookup is the environment of a program that has this G2A.
func (e *exampleG2A) lookup(name string) (string, bool) {
	value, found := map[string]string{
		"G2A_API_URL":       e.URL,
		"G2A_ALLOWED_HOSTS": e.Listener.Addr().String(),
		"G2A_API_HASH":      e.Credentials.Hash.Reveal(),
		"G2A_API_KEY":       e.Credentials.Key.Reveal(),
	}[name]
	return value, found
}
