//go:build proof

package orders

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/localcloudtest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// page is what firewalls and proxies answer in G2A's place.
const page = "<!DOCTYPE html><html><head><title>Attention Required!</title></head><body>Sorry, you have been blocked</body></html>"

// oddAnswer is one answer of G2A, or of what stands before it, and what becomes of the
// order that meets it.
type oddAnswer struct {
	name   string
	fault  g2atest.Fault
	status string // of the order in the end; "" is fulfilled
	reason string
	made   int    // orders at G2A; 0 is 1
	raw    string // what is kept in place of the key, with {{key}} in it
	unpaid bool
}

// instead answers a route with a body, the work being done.
func instead(route, body string) g2atest.Fault {
	return g2atest.Fault{Route: route, Mode: "answer", Body: body}
}

// insteadBytes is instead for a body that is no UTF-8.
func insteadBytes(route, body string) g2atest.Fault {
	return g2atest.Fault{Route: route, Mode: "answer", BodyBase64: base64.StdEncoding.EncodeToString([]byte(body))}
}

// blocked answers with a page, the work not being done; blockedAfter with one in place of
// the answer to work that is done.
func blocked(route string, status int) g2atest.Fault {
	return g2atest.Fault{Route: route, Mode: "wrong_content_type", Status: status}
}
func blockedAfter(route string, status int) g2atest.Fault {
	return g2atest.Fault{Route: route, Mode: "answer", Status: status, Body: page, ContentType: "text/html"}
}
func emptyAfter(route string, status int) g2atest.Fault {
	return g2atest.Fault{Route: route, Mode: "answer", Status: status}
}
func coded(route, code string) g2atest.Fault {
	return g2atest.Fault{Route: route, Mode: "status", Code: code}
}

// oddAnswers are the answers that no documentation has, and real services give.
func oddAnswers(productID, price string) (all []oddAnswer) {
	add := func(a oddAnswer) { all = append(all, a) }
	for _, status := range []int{200, 401, 403, 404, 405, 408, 429, 503} {
		for _, route := range []string{productsRoute, orderRoute, payRoute, detailsRoute, keyRoute} {
			add(oddAnswer{name: fmt.Sprintf("a page with %d before %s", status, route), fault: blocked(route, status)})
		}
		for _, route := range []string{orderRoute, payRoute} {
			made := 1
			if route == orderRoute {
				made = 2 // the first is lost, and unpaid
			}
			add(oddAnswer{name: fmt.Sprintf("a page with %d after %s", status, route), fault: blockedAfter(route, status), made: made})
			if status != 200 && status != 503 {
				add(oddAnswer{name: fmt.Sprintf("nothing but %d after %s", status, route), fault: emptyAfter(route, status), made: made})
			}
		}
	}
	for _, body := range []string{`"price":4.9900000000000002,"currency":"EUR"`, `"price":"4.99","currency":"EUR"`, `"price":null,"currency":"EUR"`,
		`"price":4.99,"currency":"eur"`, `"currency":"EUR"`, `"price":[],"currency":null`} {
		add(oddAnswer{name: "POST order: " + body, fault: instead(orderRoute, `{"order_id":"{{order_id}}",`+strings.ReplaceAll(body, "4.99", price)+`}`)})
	}
	add(oddAnswer{name: "POST order: the id is a number", fault: instead(orderRoute, `{"order_id":{{order_id}},"price":{{price}},"currency":"EUR"}`)})
	for _, body := range []string{`{"status":"complete","price":"odd","currency":7}`, `{"status":"complete","price":null}`, `{"status":"Complete"}`, `{"status":"completed","price":{}}`} {
		add(oddAnswer{name: "details: " + body, fault: instead(detailsRoute, body)})
	}
	for _, body := range []string{`{"status":"new"}`, `{"status":"processing"}`, `{"status":"canceled"}`, `{"status":"on hold","price":1}`} {
		add(oddAnswer{name: "details: " + body, fault: instead(detailsRoute, body)})
	}
	for _, code := range []string{"ORD03", "ORD05", "ORD112", "ORD121", "ORD004", "ORD02"} {
		add(oddAnswer{name: "details: " + code, fault: coded(detailsRoute, code)})
	}
	add(oddAnswer{name: "details: 503 for hours", fault: g2atest.Fault{Route: detailsRoute, Mode: "status", Status: 503, RetryAfter: "7200", Count: 4}})
	add(oddAnswer{name: "pay: no transaction", fault: instead(payRoute, `{"status":true}`)})
	add(oddAnswer{name: "pay: 200 and ERROR", fault: instead(payRoute, `{"status":"ERROR","code":"BG01"}`)})
	product := func(fields string) string {
		return fmt.Sprintf(`{"total":1,"page":1,"docs":[{"id":%q,"name":"x","qty":9,"minPrice":%s,"availableToBuy":false%s}]}`, productID, price, fields)
	}
	for _, fields := range []string{`,"priceLimit":[]`, `,"images":{}`, `,"videos":{}`, `,"developer":0`, `,"slug":false`, `,"requirements":{"minimal":[]}`,
		`,"retail_min_price":-1`, `,"categories":"none"`, `,"restrictions":7`, `,"updated_at":null`} {
		add(oddAnswer{name: "product: " + fields, fault: instead(productsRoute, product(fields))})
	}
	add(oddAnswer{name: "product: numbers as they come", fault: instead(productsRoute, fmt.Sprintf(`{"total":1,"page":1,"docs":[{"id":%s,"qty":12.0,"minPrice":"%s","availableToBuy":0}]}`, productID, price))})
	add(oddAnswer{name: "product: sold out, no price", fault: instead(productsRoute, fmt.Sprintf(`{"total":1,"page":1,"docs":[{"id":%q,"name":"x","qty":0,"minPrice":null,"availableToBuy":false}]}`, productID)),
		status: "failed", reason: "out_of_stock", unpaid: true})
	for _, body := range []string{"\ufeff" + `{"key":"{{key}}","isFile":false}`, `{"key":"{{key}}","isFile":0,"more":{"a":[1]}}`, "{{answer}}\n\n"} {
		add(oddAnswer{name: "key: " + body, fault: instead(keyRoute, body)})
	}
	add(oddAnswer{name: "key: gzip without its header", fault: instead(keyRoute, "{{answer_gzip}}")})
	for _, body := range []string{`{"key":["{{key}}"]}`, `{"key":{"value":"{{key}}"}}`, `Notice: Undefined index in /app.php` + "\n{{answer}}", "{{answer}}<br>Notice",
		`{"key":"{{key}}","key":"other"}`, `{"key":"{{key}}\ud83d"}`, `{"key":"{{key}}","isFile":"perhaps"}`, `{"code":"{{key}}"}`, `"{{key}}"`} {
		add(oddAnswer{name: "key: " + body, fault: instead(keyRoute, body), status: "needs_attention", reason: "key_unreadable", raw: body})
	}
	latin1 := "{\"key\":\"{{key}}\xe9\"}"
	add(oddAnswer{name: "key: a byte of Latin-1", fault: insteadBytes(keyRoute, latin1), status: "needs_attention", reason: "key_unreadable", raw: latin1})
	add(oddAnswer{name: "key: deflate", fault: instead(keyRoute, "{{answer_deflate}}"), status: "needs_attention", reason: "key_unreadable", raw: "*"})
	return all
}

// TestOddAnswers has the real binaries meet each answer once: at most one order is paid,
// and the key, or the answer that holds it, is stored byte for byte.
func TestOddAnswers(t *testing.T) {
	number := len(oddAnswers("", "1"))
	orders := ordinary("odd-"+localcloudtest.TraceRoot(), number)
	s := newStack(t, options{orders: orders})
	w := readWorkflow(t)
	ends := map[string]int{}
	for n, o := range orders {
		odd := oddAnswers(o.product, o.price.StringFixed(2))[n]
		t.Run(odd.name, func(t *testing.T) {
			if err := s.Simulator.AddFault(odd.fault); err != nil {
				t.Fatal(err)
			}
			e := execution{invocations: 300}
			out := e.run(t.Context(), s, w, o)
			if odd.status == "" {
				odd.status = "fulfilled"
			}
			if odd.made == 0 && !odd.unpaid {
				odd.made = 1
			}
			ends[out.Status]++
			if out.Status != odd.status || out.Reason != odd.reason {
				t.Errorf("%s, want %s (%s)", out, odd.status, odd.reason)
			}
			sold := s.ofOrder(o)
			paid, at := 0, g2atest.OrderRecord{}
			for _, record := range sold {
				if record.Charges > 0 {
					paid, at = paid+1, record
				}
			}
			if wantPaid := map[bool]int{true: 0, false: 1}[odd.unpaid]; len(sold) != odd.made || paid != wantPaid || at.Charges > 1 {
				t.Errorf("%d orders at G2A, %d paid, charged %d times; want %d, %d, once", len(sold), paid, at.Charges, odd.made, wantPaid)
			}
			s.checkKey(t, o, at, odd)
		})
	}
	a := s.audit(orders, false)
	for _, problem := range a.problems {
		t.Error(problem)
	}
	t.Logf("%d odd answers: %v, paid %d, double paid %d, lost in silence %d", number, ends, a.paid, a.double, a.lost)
}

// checkKey holds what is stored against what was given out.
func (s *stack) checkKey(t *testing.T, o *order, at g2atest.OrderRecord, odd oddAnswer) {
	t.Helper()
	value, raw := s.stored(t, o)
	switch {
	case odd.raw == "" && raw != nil, odd.raw != "" && value != "":
		t.Error("it is stored as what it is not")
	case odd.status == "fulfilled" && digest(value) != at.KeySHA256:
		t.Error("the key that is stored is not the one that was given out")
	case odd.raw == "" || odd.raw == "*" && len(raw) > 0:
	case raw == nil:
		t.Error("the answer is not stored")
	default:
		before, after, found := strings.Cut(odd.raw, "{{key}}")
		if !found {
			before, after, _ = strings.Cut(odd.raw, "{{answer}}")
			before, after = before+`{"key":"`, `"}`+after
		}
		stored := string(raw)
		if !strings.HasPrefix(stored, before) || !strings.HasSuffix(stored, after) ||
			digest(strings.TrimSuffix(strings.TrimPrefix(stored, before), after)) != at.KeySHA256 {
			t.Error("the answer that is stored is not, byte for byte, the one that was given")
		}
	}
	s.checkLogs(t)
}

// stored returns an order's first key, and the answer that was kept in its place or beside
// it.
func (s *stack) stored(t *testing.T, o *order) (key string, raw []byte) {
	t.Helper()
	got, err := s.db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("OrdersTable"), Key: itemKey("ORDER#"+o.ref, "ORDER"), ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	if kept, is := got.Item["key_raw"].(*types.AttributeValueMemberB); is {
		raw = kept.Value
	}
	return localcloudtest.Texts(got.Item)["product_key"], raw
}

// checkLogs looks for keys in the functions' logs.
func (s *stack) checkLogs(t *testing.T) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(s.Logs(), "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("%d logs, %v", len(logs), err)
	}
	for _, name := range logs {
		if text, err := os.ReadFile(name); err != nil || strings.Contains(string(text), "FAKE-") {
			t.Errorf("%s holds a key, or cannot be read: %v", filepath.Base(name), err)
		}
	}
}

// TestLargeKeys buys keys that are files, around and far beyond what an item holds.
func TestLargeKeys(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			for _, size := range []int{79, 322_560, 1 << 20, 6<<20 - 1024} {
				t.Run(fmt.Sprintf("%d bytes", size), func(t *testing.T) {
					o := ordinary("large-"+localcloudtest.TraceRoot(), 1)[0]
					o.file = true
					s := newStack(t, options{engine: engine.start, orders: []*order{o}, fileKeySize: size})
					if out := s.invoke(t.Context(), o, o.input()); out.Status != "fulfilled" {
						t.Fatalf("%s, want fulfilled", out)
					}
					key := s.wholeKey(t, o)
					if sold := s.ofOrder(o)[0]; digest(key) != sold.KeySHA256 {
						t.Errorf("of %d characters, and not the key that was given out", len(key))
					}
					t.Logf("a file of %d bytes is stored as %d characters", size, len(key))
				})
			}
		})
	}
}

// wholeKey reads a key from the items, as docs/data-model.md tells.
func (s *stack) wholeKey(t *testing.T, o *order) string {
	t.Helper()
	record := s.item("ORDER#"+o.ref, "ORDER")
	number, sum, inParts := strings.Cut(record["product_key_parts"], ":")
	if !inParts {
		return record["product_key"]
	}
	var key strings.Builder
	parts := 0
	if _, err := fmt.Sscan(number, &parts); err != nil {
		t.Fatal(err)
	}
	for n := range parts {
		got, err := s.db.GetItem(t.Context(), &dynamodb.GetItemInput{
			TableName: aws.String("OrdersTable"), Key: itemKey("ORDER#"+o.ref, fmt.Sprintf("KEY#%s#%03d", sum, n)), ConsistentRead: aws.Bool(true),
		})
		if err != nil {
			t.Fatal(err)
		}
		data, is := got.Item["data"].(*types.AttributeValueMemberB)
		if !is {
			t.Fatalf("part %d is missing", n)
		}
		key.Write(data.Value)
	}
	return key.String()
}
