package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

const (
	product = "90000000334016" // 2500 in stock at 4.99
	soldOut = "90000000462062"
)

// stack is a G2A and an orders table that the tool works on.
type stack struct {
	g2a       *g2atest.Server
	orders    store.Orders
	variables map[string]string
	access    access
}

func newStack(t *testing.T, e *storetest.Engine) *stack {
	t.Helper()
	server := g2atest.NewServer(t)
	s := &stack{
		g2a:    server,
		orders: store.Orders{DB: e.DB, Table: e.OrdersTable},
		variables: map[string]string{
			"G2A_API_URL": server.URL, "G2A_ALLOWED_HOSTS": server.Listener.Addr().String(),
			"G2A_API_HASH": server.Credentials.Hash.Reveal(), "G2A_API_KEY": server.Credentials.Key.Reveal(),
			"ORDERS_TABLE": e.OrdersTable,
		},
	}
	s.access = access{
		lookup: func(name string) (string, bool) { value, found := s.variables[name]; return value, found },
		loadAWS: func(context.Context, ...func(*config.LoadOptions) error) (aws.Config, error) {
			return aws.Config{Region: "eu-central-1", BaseEndpoint: &e.Endpoint, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}, nil
		},
		transport: server.Client().Transport,
	}
	return s
}

// call runs the tool with these words.
func (s *stack) call(t *testing.T, words string) (out string, err error) {
	t.Helper()
	var printed, progress bytes.Buffer
	tool := tool{access: s.access, in: strings.NewReader("KEY-1\n\n KEY-2 \n"), out: &printed, progress: &progress}
	err = tool.run(t.Context(), strings.Fields(words))
	all := printed.String() + progress.String() + fmt.Sprint(err)
	for _, secret := range []string{s.g2a.Credentials.Hash.Reveal(), s.g2a.Credentials.Key.Reveal(), "FAKE-"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q tells a secret: %s", words, all)
		}
	}
	return printed.String(), err
}

// buy has OrderFunction's part done, on the Export API v1.
func (s *stack) buy(t *testing.T, ref, productID string) purchase.Result {
	t.Helper()
	market := g2a.New(s.g2a.Config(), g2a.Options{Credentials: s.g2a.Credentials, Transport: s.access.transport})
	purchaser := purchase.Purchaser{Orders: s.orders, Markets: purchase.Markets(market), API: g2a.ExportV1, Clock: time.Now, Log: slog.New(slog.DiscardHandler)}
	result, err := purchaser.Advance(t.Context(), purchase.Input{Ref: ref, ProductID: productID, MaxPrice: "50.00", Currency: "EUR"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestCommands(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		s := newStack(t, e)
		s.buy(t, "good", product)
		s.buy(t, "none", soldOut)
		lost := g2atest.Fault{Route: "GET /v1/order/key/{id}", Mode: "status", Status: 400, Code: "ORD004", Count: 1}
		if err := s.g2a.Simulator.AddFault(lost); err != nil {
			t.Fatal(err)
		}
		bad := s.buy(t, "bad", product)
		for _, tt := range []struct{ words, want string }{
			{"", "usage: g2actl COMMAND"},
			{"help", "order retry ORDER_REF"},
			{"products --help", "-min-qty"},
			{"products --api v2 --limit 1", "Brasswick Harbor Steam Key GLOBAL"},
			{"price --api v2 " + product + " --qty 9999", "to be had  no, 2498 in stock"},
			{"price --api v2 " + soldOut, "to be had  no, 0 in stock"},
			{"products --min-qty 2000 --min-price 4.99 --max-price 5 --limit 1", "Brasswick Harbor Steam Key GLOBAL"},
			{"price " + product, "to be had  yes"},
			{"price --max-price 4.98 " + product, "to be had  no, too dear"},
			{"price " + product + " --qty 9999", "to be had  no, 2498 in stock"},
			{"price " + soldOut, "to be had  no, 0 in stock"},
			{"order details " + bad.G2AOrderID, "complete"},
			{"order show good", "stored"},
			{"order show none", "out_of_stock"},
			{"order show bad", "key_lost"},
		} {
			t.Run(tt.words, func(t *testing.T) {
				out, err := s.call(t, tt.words)
				if err != nil || !strings.Contains(out, tt.want) {
					t.Errorf("%v, want %q in\n%s", err, tt.want, out)
				}
			})
		}
		t.Run("list", func(t *testing.T) {
			for status, want := range map[string]string{"fulfilled": "good", "failed": "none", "needs_attention": "bad", "waiting": ""} {
				out, err := s.call(t, "order list --json --status "+status)
				if err != nil {
					t.Fatal(err)
				}
				var found struct {
					Ref    string `json:"order_ref"`
					Status string `json:"status"`
				}
				if out != "" {
					if err := json.Unmarshal([]byte(out), &found); err != nil {
						t.Fatalf("%v: %s", err, out)
					}
				}
				if found.Ref != want || (want != "" && found.Status != status) {
					t.Errorf("%s: %s, want %q", status, out, want)
				}
			}
			if out, err := s.call(t, "order list"); err != nil || strings.Count(out, "\n") != 4 {
				t.Errorf("%v, want a head and three orders:\n%s", err, out)
			}
		})
		t.Run("cancel", func(t *testing.T) {
			if err := s.g2a.Simulator.AddFault(g2atest.Fault{Route: "PUT /v1/order/pay/{id}", Mode: "status", Code: "ORD112", Count: 1}); err != nil {
				t.Fatal(err)
			}
			if waits := s.buy(t, "poor", product); waits.Reason != purchase.ReasonNoFunds {
				t.Fatalf("it waits for %q", waits.Reason)
			}
			out, err := s.call(t, "order cancel poor")
			if err != nil || !strings.Contains(out, "cancelled") || !strings.Contains(out, "failed") {
				t.Errorf("%v, want it cancelled:\n%s", err, out)
			}
			for _, ref := range []string{"good", "bad"} {
				if _, err := s.call(t, "order cancel "+ref); err == nil || !strings.Contains(err.Error(), "may be paid and cannot be cancelled") {
					t.Errorf("%s: %v", ref, err)
				}
			}
			if stats := s.g2a.Simulator.Stats(); stats.OrdersPaid != 2 {
				t.Errorf("%d paid, want 2", stats.OrdersPaid)
			}
		})
		t.Run("retry", func(t *testing.T) {
			out, err := s.call(t, "order retry bad")
			if err != nil || !strings.Contains(out, "fulfilled") {
				t.Errorf("%v, want it fulfilled:\n%s", err, out)
			}
			if stats := s.g2a.Simulator.Stats(); stats.OrdersPaid != 2 || stats.KeysRevealed != 2 {
				t.Errorf("%d paid, %d keys; want 2, 2", stats.OrdersPaid, stats.KeysRevealed)
			}
		})
	})
}

// TestOrdersOfV2: an order stays with the API that it was bought through, whatever the tool
// is told to use.
func TestOrdersOfV2(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		s := newStack(t, e)
		if err := s.g2a.Simulator.AddFault(g2atest.Fault{Route: "GET /export/v1/orders/{id}/keys", Mode: "status", Status: 503}); err != nil {
			t.Fatal(err)
		}
		in := purchase.Input{Ref: "two", ProductID: product, MaxPrice: "50.00", Currency: "EUR", Quantity: 2}
		market := g2a.New(s.g2a.Config("G2A_RETRY_MAX=0"), g2a.Options{Credentials: s.g2a.Credentials, Transport: s.access.transport})
		purchaser := purchase.Purchaser{Orders: s.orders, Markets: purchase.Markets(market), API: g2a.ExportV2, Clock: time.Now, Log: slog.New(slog.DiscardHandler)}
		if _, err := purchaser.Advance(t.Context(), in, "test"); !errors.Is(err, g2a.ErrUnavailable) {
			t.Fatalf("%v, want G2A not available", err)
		}
		for _, api := range []string{"v1", "v2"} {
			out, err := s.call(t, "order retry two --json --api "+api)
			if err != nil || !strings.Contains(out, `"status":"fulfilled"`) || !strings.Contains(out, `"keys_stored":2`) {
				t.Errorf("%v, want two keys:\n%s", err, out)
			}
		}
		if stats := s.g2a.Simulator.Stats(); stats.OrdersCreated != 1 || stats.KeysRevealed != 2 {
			t.Errorf("%d orders, %d keys; want 1, 2", stats.OrdersCreated, stats.KeysRevealed)
		}
	})
}

// TestSelling takes an offer from its job to its keys.
func TestSelling(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		s := newStack(t, e)
		field := func(words, name string) string {
			t.Helper()
			out, err := s.call(t, words+" --json")
			var fields map[string]any
			if err != nil || json.Unmarshal([]byte(out), &fields) != nil {
				t.Fatalf("%s: %v\n%s", words, err, out)
			}
			return fmt.Sprint(fields[name])
		}
		job := field("offer create "+product+" --price 5.99 --business-price 5.50 --inventory 3", "job_id")
		offer := field("job --wait "+job, "resource_id")
		sale, err := s.g2a.Simulator.Sell(offer)
		if err != nil {
			t.Fatal(err)
		}
		change := "offer change " + offer + " --price 6.50 --active false --inventory 4"
		if got := field("job --wait "+field(change, "job_id"), "resource_status"); got != "completed" {
			t.Errorf("%s: its job has %s the offer", change, got)
		}
		for _, tt := range []struct{ words, name, want string }{
			{"job " + job, "status", "complete"},
			{"offer show " + offer, "price", "6.50"},
			{"offer show " + offer, "inventory", "4"},
			{"offer list --type dropshipping", "id", offer},
			{"offer list --active false --limit 1", "sold", "1"},
			{"offer drop-keys " + offer, "dropped", "all"},
			{"offer show " + offer, "inventory", "0"},
			{"sale list --status completed", "id", sale},
			{"sale show " + sale, "items", "1"},
			{"keys add", "keys", "2"},
			{"price simulate " + product + " --price 5 --country DE", "country", "DE"},
			{"bestsellers --limit 1 --days 2 --product " + product, "product_id", product},
			{"competitors --country DE " + product, "final_price", "5.94"},
			{"offer change " + offer + " --type dropshipping --archive true", "currency", "<nil>"},
			{"offer show " + offer, "status", "archived"},
			{"offer delete " + offer, "price", "<nil>"},
		} {
			if got := field(tt.words, tt.name); got != tt.want {
				t.Errorf("%s: %s is %s, want %s", tt.words, tt.name, got, tt.want)
			}
		}
		if _, err := s.call(t, "offer show "+offer); !errors.Is(err, g2a.ErrNotFound) {
			t.Errorf("the deleted offer: %v", err)
		}
	})
}

func TestAllProducts(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		s := newStack(t, e)
		out, err := s.call(t, "products --all --json")
		if lines := strings.Count(out, "\n"); err != nil || lines != 126 {
			t.Errorf("%v, %d products, want all 126", err, lines)
		}
		out, err = s.call(t, "products --all --json --limit 21")
		if lines := strings.Count(out, "\n"); err != nil || lines != 21 {
			t.Errorf("%v, %d products, want 21", err, lines)
		}
	})
}

// A listing reports the odd fields of a product, and goes on.
func TestOddProducts(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		s := newStack(t, e)
		page := `{"total":3,"page":1,"docs":[{"id":"1","name":"a","qty":"many","minPrice":1.50,"availableToBuy":false,"developer":[1]},` +
			`7,{"id":"3","name":"c","qty":0,"minPrice":null,"availableToBuy":false}]}`
		if err := s.g2a.Simulator.AddFault(g2atest.Fault{Route: "GET /v1/products", Mode: "answer", Body: page}); err != nil {
			t.Fatal(err)
		}
		out, err := s.call(t, "products --json")
		if err != nil {
			t.Fatal(err)
		}
		var odd []string
		for line := range strings.Lines(out) {
			var fields map[string]any
			if err := json.Unmarshal([]byte(line), &fields); err != nil {
				t.Fatal(err)
			}
			odd = append(odd, fmt.Sprint(fields["odd"]))
		}
		if len(odd) != 3 || !strings.Contains(odd[0], "qty") || !strings.Contains(odd[0], "developer") || odd[1] != "all of it" || odd[2] != "" {
			t.Errorf("odd fields %q of\n%s", odd, out)
		}
	})
}

func TestMistakes(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for _, tt := range []struct{ words, without, want string }{
			{"order", "", `there is no command "order": see g2actl help`},
			{"orders list", "", `there is no command "orders list"`},
			{"order show", "", "usage: g2actl order show ORDER_REF"},
			{"order show a b", "", "usage: g2actl order show ORDER_REF"},
			{"order show missing", "", `there is no order "missing"`},
			{"order retry missing", "", `order_ref "missing" is not known`},
			{"order cancel missing", "", `order_ref "missing" is not known`},
			{"order cancel", "", "usage: g2actl order cancel ORDER_REF"},
			{"products --api v3", "", `want v1 or v2`},
			{"products --api v2 --min-qty 3", "", "does not select products by stock or price"},
			{"order details 1 --api v2", "", "the Export API v2 has no such call"},
			{"order list --status open", "", `--status "open" is none of waiting, fulfilled, partly_fulfilled, failed, needs_attention`},
			{"order list", "ORDERS_TABLE", "ORDERS_TABLE: is missing"},
			{"products --min-price -1", "", "is not a decimal"},
			{"offer create " + product, "", "--price is missing"},
			{"offer create " + product + " --price 1 --type stone", "", "offerType is none of"},
			{"offer list --active maybe", "", "is neither true nor false"},
			{"offer change x --inventory -1", "", "is not a whole number"},
			{"offer change x --active true", "", "not found at G2A"},
			{"offer change x --type game", "", "field variant changes nothing"},
			{"offer drop-keys x --item y", "", "not found at G2A"},
			{"competitors " + product + " --country de", "", "field countryCode is not two"},
			{"sale show x", "", "not found at G2A"},
			{"price simulate " + product, "", "--price is missing"},
			{"job nope", "", "not found at G2A"},
			{"products", "G2A_API_HASH", "G2A_API_HASH: is missing"},
			{"products", "G2A_ALLOWED_HOSTS", "G2A_API_URL"},
			{"price 1", "", "not found at G2A"},
		} {
			t.Run(tt.words+" without "+tt.without, func(t *testing.T) {
				s := newStack(t, e)
				delete(s.variables, tt.without)
				_, err := s.call(t, tt.words)
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%v, want %q", err, tt.want)
				}
			})
		}
	})
}
