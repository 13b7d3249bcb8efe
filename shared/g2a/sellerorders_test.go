package g2a_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// TestSellerOrder: the items are a list, or the only one of them.
func TestSellerOrder(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"two items", `{"id":"s1","status":"completed","items":[{"id":"a"},{"id":"b"}],"more":1}`, `s1 completed [{"id":"a"} {"id":"b"}]`},
		{"one item", `{"id":17,"status":"on hold","items":{"id":"a"}}`, `17 on hold [{"id":"a"}]`},
		{"no item", `{"id":"s1","status":"completed","items":[]}`, `s1 completed []`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, `{"data":`+test.body+`}`), answer(200, `{"data":[`+test.body+`],`+goodMeta+`}`)}}
			client := newClient(g2aServer)
			order, err := client.SellerOrder(t.Context(), "s/1")
			if got := fmt.Sprintf("%s %s %s", order.ID, order.Status, order.Items); err != nil || got != test.want {
				t.Errorf("order is %s, error %v; want %s", got, err, test.want)
			}
			page, err := client.SellerOrders(t.Context(), g2a.SellerOrderQuery{})
			if got := fmt.Sprint(page.Items); err != nil || len(page.Items) != 1 || page.Items[0].ID != order.ID {
				t.Errorf("orders are %s, error %v", got, err)
			}
			if path := g2aServer.requests()[0].URL.EscapedPath(); path != "/v3/sales/orders/s%2F1" {
				t.Errorf("asked for %s", path)
			}
		})
	}
}

func TestSellerOrderQuery(t *testing.T) {
	from := time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("CET", 3600))
	tests := []struct {
		name  string
		query g2a.SellerOrderQuery
		want  string
	}{
		{"nothing", g2a.SellerOrderQuery{}, ""},
		{"paging", g2a.SellerOrderQuery{Page: 2, PerPage: 50}, "itemsPerPage=50&page=2"},
		{"statuses", g2a.SellerOrderQuery{Statuses: []string{"completed", "delivery"}}, "statuses%5B%5D=completed&statuses%5B%5D=delivery"},
		{"since", g2a.SellerOrderQuery{CreatedFrom: from}, "createdAt%5Bfrom%5D=2026-03-01T12%3A00%3A00Z"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, goodSales)}}
			if _, err := newClient(g2aServer).SellerOrders(t.Context(), test.query); err != nil {
				t.Fatal(err)
			}
			if u := g2aServer.requests()[0].URL; u.Path != "/v3/sales/orders" || u.RawQuery != test.want {
				t.Errorf("asked for %s, want the query %s", u, test.want)
			}
		})
	}
}

func TestSellerOrderMalformed(t *testing.T) {
	tests := []struct{ name, body, fault string }{
		{"no data", `{"id":"s1","status":"completed","items":[]}`, "field data is missing"},
		{"no id", `{"data":{"status":"completed","items":[]}}`, "field data.id is missing"},
		{"no status", `{"data":{"id":"s1","items":[]}}`, "field data.status is missing"},
		{"no items", `{"data":{"id":"s1","status":"completed"}}`, "field data.items is missing"},
		{"items a text", `{"data":{"id":"s1","status":"completed","items":"hunter2"}}`, "field data.items is neither"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			order, err := newClient(&script{replies: []reply{answer(200, test.body)}}).SellerOrder(t.Context(), "s1")
			assertMalformed(t, err, test.fault)
			if order.ID != "" || order.Items != nil {
				t.Errorf("an order beside the error: %+v", order)
			}
		})
	}
}
