//go:build proof

package orders

import (
	"fmt"
	"slices"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/localcloudtest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// oddAnswersV2 are answers of the Export API v2, or of what stands before it, that no
// documentation has. After each of them an order goes on to its end, unless it says
// otherwise.
func oddAnswersV2() (all []oddAnswer) {
	add := func(name string, fault g2atest.Fault) { all = append(all, oddAnswer{name: name, fault: fault}) }
	routes := []string{offerRoute, placeRoute, keysRoute}
	for _, status := range []int{200, 401, 402, 403, 404, 405, 408, 409, 425, 429, 503} {
		for _, route := range routes {
			add(fmt.Sprintf("a page with %d before %s", status, route), blocked(route, status))
			add(fmt.Sprintf("a page with %d after %s", status, route), blockedAfter(route, status))
			if status != 200 && status != 503 {
				add(fmt.Sprintf("nothing but %d after %s", status, route), emptyAfter(route, status))
			}
		}
	}
	for _, status := range []int{401, 402, 409, 425, 429, 500} {
		add(fmt.Sprintf("refused with %d: POST orders", status), g2atest.Fault{Route: placeRoute, Mode: "status", Status: status})
	}
	for _, status := range []int{400, 401, 402, 403, 404, 409, 410, 422, 425, 429, 500} {
		add(fmt.Sprintf("refused with %d: GET keys", status), g2atest.Fault{Route: keysRoute, Mode: "status", Status: status})
	}
	for _, data := range []string{
		`"id":"{{order_id}}"`, `"id":"{{order_id}}","status":null,"totalPrice":null,"currency":null`, `"id":"{{order_id}}","totalPrice":{{price}},"currency":"EUR"`,
		`"id":"{{order_id}}","totalPrice":"{{price}}","currency":"eur"`, `"id":"{{order_id}}","status":7,"totalPrice":[],"currency":{}`,
		`"status":"completed"`, `"id":null`, `"id":{}`,
	} {
		add("POST orders: "+data, instead(placeRoute, `{"data":{`+data+`}}`))
	}
	add("POST orders: no data", instead(placeRoute, `{}`))
	add("POST orders: the order itself, not enveloped", instead(placeRoute, `{"id":"{{order_id}}"}`))
	add("POST orders: a conflict with the order", g2atest.Fault{Route: placeRoute, Mode: "answer", Status: 409, Body: `{"data":{"id":"{{order_id}}"}}`})
	for _, body := range []string{`{"data":[]}`, `{"data":[{"item":{"id":"1"},"keys":[]}]}`} {
		add("GET keys: "+body, instead(keysRoute, body))
	}
	add("GET keys: 202", g2atest.Fault{Route: keysRoute, Mode: "answer", Status: 202, Body: `{"data":{"status":"pending"}}`})
	add("GET keys: 204", g2atest.Fault{Route: keysRoute, Mode: "answer", Status: 204})
	for _, body := range []string{
		`{"keys":{{keys}}}`, `{"data":[{"item":{"id":"1"},"keys":[{"code":"{{key}}"},{"value":"x"}]}]}`, `{"data":{"keys":{{keys}}}}`,
		`{"data":[{"item":{"id":"1"},"keys":[{"code":["{{key}}"]}]}]}`, "{{answer_deflate}}",
	} {
		all = append(all, oddAnswer{name: "GET keys: " + body, fault: instead(keysRoute, body), raw: "*"})
	}
	for _, body := range []string{"{{answer_gzip}}", "\ufeff{{answer}}", " \n{{answer}}\n "} {
		add(fmt.Sprintf("GET keys: %q", body), instead(keysRoute, body))
	}
	for _, mode := range []string{"drop_before", "drop_after"} {
		for _, route := range routes {
			add(mode+" "+route, g2atest.Fault{Route: route, Mode: mode})
		}
	}
	all = append(all, oddAnswer{name: "GET keys: cut in the middle", fault: g2atest.Fault{Route: keysRoute, Mode: "truncated_body"}, raw: "*"})
	for _, status := range []int{400, 403, 404, 410, 422} {
		all = append(all, oddAnswer{
			name: fmt.Sprintf("refused with %d: POST orders", status), fault: g2atest.Fault{Route: placeRoute, Mode: "status", Status: status},
			status: "failed", reason: "order_rejected", unpaid: true,
		})
	}
	return all
}

// TestOddAnswersV2 has the real binaries meet each answer once: one order is made and paid,
// and its keys are stored, each once and in their order. What could not be understood is
// kept beside them.
func TestOddAnswersV2(t *testing.T) {
	odds := oddAnswersV2()
	orders := ordinary("odd-v2-"+localcloudtest.TraceRoot(), len(odds))
	s := newStack(t, options{market: exportV2, orders: orders})
	w := readWorkflow(t)
	ends, kept := map[string]int{}, 0
	for n, o := range orders {
		odd := odds[n]
		t.Run(odd.name, func(t *testing.T) {
			if err := s.Simulator.AddFault(odd.fault); err != nil {
				t.Fatal(err)
			}
			e := execution{invocations: 30}
			out := e.run(t.Context(), s, w, o)
			if out.ErrorType == "CredentialsRejected" { // ends an execution: a person starts the next one
				out = e.run(t.Context(), s, w, o)
			}
			ends[out.Status]++
			want, made := output{Status: "fulfilled"}, 1
			if odd.unpaid {
				want, made = output{Status: odd.status, Reason: odd.reason}, 0
			}
			if out.Status != want.Status || out.Reason != want.Reason {
				t.Errorf("%s, want %s", out, want)
			}
			if _, raw := s.stored(t, o); (len(raw) > 0) != (odd.raw != "") {
				t.Errorf("kept are %d bytes of an answer that was not understood, want any: %t", len(raw), odd.raw != "")
			} else if len(raw) > 0 {
				kept++
			}
			sold := s.ofOrder(o)
			if len(sold) != made || made == 1 && sold[0].Charges != 1 {
				t.Fatalf("%d orders at G2A, want %d, charged once", len(sold), made)
			}
			if made == 0 {
				return
			}
			var sums []string
			for _, key := range s.keysOf(o.ref) {
				sums = append(sums, digest(key))
			}
			if !slices.Equal(sums, sold[0].KeysSHA256) {
				t.Errorf("%d keys are stored, which are not those that G2A has sold, in their order", len(sums))
			}
		})
	}
	a := s.audit(orders, false)
	for _, problem := range a.problems {
		t.Error(problem)
	}
	s.checkLogs(t)
	t.Logf("%d odd answers: %v, %d kept as they came; orders made for one, at most %d; paid %d, double paid %d, lost in silence %d",
		len(odds), ends, kept, a.most, a.paid, a.double, a.lost)
}
