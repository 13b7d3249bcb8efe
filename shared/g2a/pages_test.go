package g2a_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// list is one of the lists that are walked over, as G2A answers it and as the client
// gives it.
type list struct {
	name     string
	pageSize int
	page     func(number, total int, ids ...string) string // an answer
	all      func(ctx context.Context, c *g2a.Client, first int) iter.Seq2[string, error]
}

var lists = []list{
	{"products", 20, func(number, total int, ids ...string) string {
		return fmt.Sprintf(`{"total":%d,"page":%d,"docs":[%s]}`, total, number, each(ids, `{"id":"%s","name":"A","qty":3,"minPrice":4.99}`))
	}, func(ctx context.Context, c *g2a.Client, first int) iter.Seq2[string, error] {
		return idsOf(c.AllProducts(ctx, g2a.ProductQuery{Page: first}), func(p g2a.Product) string { return p.ID })
	}},
	{"offers", 100, importPage(`{"id":"%s","type":"game","product":{"id":"7"},"price":"4.99"}`),
		func(ctx context.Context, c *g2a.Client, first int) iter.Seq2[string, error] {
			return idsOf(c.AllOffers(ctx, g2a.OfferQuery{Page: first}), func(o g2a.Offer) string { return o.ID })
		}},
	{"bestsellers", 100, importPage(`{"productId":"%s","soldItemsQuantity":3}`), func(ctx context.Context, c *g2a.Client, first int) iter.Seq2[string, error] {
		return idsOf(c.AllBestsellers(ctx, g2a.BestsellerQuery{Page: first}), func(b g2a.Bestseller) string { return b.ProductID })
	}},
	{"sales", 100, importPage(`{"id":"%s","status":"completed","items":[]}`), func(ctx context.Context, c *g2a.Client, first int) iter.Seq2[string, error] {
		return idsOf(c.AllSellerOrders(ctx, g2a.SellerOrderQuery{Page: first}), func(o g2a.SellerOrder) string { return o.ID })
	}},
}

func importPage(item string) func(number, total int, ids ...string) string {
	return func(number, total int, ids ...string) string {
		return fmt.Sprintf(`{"data":[%s],"meta":{"page":%d,"itemsPerPage":100,"totalResults":%d}}`, each(ids, item), number, total)
	}
}

func each(ids []string, item string) string {
	var items []string
	for _, id := range ids {
		items = append(items, fmt.Sprintf(item, id))
	}
	return strings.Join(items, ",")
}

func idsOf[T any](items iter.Seq2[T, error], id func(T) string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for item, err := range items {
			if !yield(id(item), err) {
				return
			}
		}
	}
}

// numbered gives the ids from first to last.
func numbered(first, last int) []string {
	var ids []string
	for n := first; n <= last; n++ {
		ids = append(ids, strconv.Itoa(n))
	}
	return ids
}

func TestAllPages(t *testing.T) {
	tests := []struct {
		name  string
		first int
		pages func(l list, page int) string // the answer
		want  func(l list) int              // items
		asked string                        // pages
		fault string                        // of the error after them
	}{
		{"none", 0, func(l list, page int) string { return l.page(page, 0) }, func(list) int { return 0 }, "1", ""},
		{"one page", 0, func(l list, page int) string { return l.page(page, 2, numbered(1, 2)...) }, func(list) int { return 2 }, "1", ""},
		{"full pages", 0, func(l list, page int) string {
			return l.page(page, 2*l.pageSize, numbered((page-1)*l.pageSize+1, page*l.pageSize)...)
		}, func(l list) int { return 2 * l.pageSize }, "1 2", ""},
		{"smaller pages than documented", 0, func(l list, page int) string { return l.page(page, 6, numbered(2*page-1, 2*page)...) }, func(list) int { return 6 }, "1 2 3", ""},
		{"from the second page on", 2, func(l list, page int) string {
			return l.page(page, 3*l.pageSize, numbered((page-1)*l.pageSize+1, page*l.pageSize)...)
		}, func(l list) int { return 2 * l.pageSize }, "2 3", ""},
		{"from a page after the last on", 9, func(l list, page int) string { return l.page(page, 5) }, func(list) int { return 0 }, "9", ""},
		{"an empty page before the end", 0, func(l list, page int) string {
			if page == 3 {
				return l.page(page, 100)
			}
			return l.page(page, 100, numbered(2*page-1, 2*page)...)
		}, func(list) int { return 4 }, "1 2 3", ""},
		{"it grows meanwhile", 0, func(l list, page int) string { return l.page(page, 3+page, numbered(3*page-2, 3*page)...) }, func(list) int { return 6 }, "1 2", ""},
		{"it grows for ever", 0, func(l list, page int) string {
			return l.page(page, (page+1)*l.pageSize, numbered((page-1)*l.pageSize+1, page*l.pageSize)...)
		}, func(l list) int { return 3 * l.pageSize }, "1 2 3", ""},
		{"it shrinks meanwhile", 0, func(l list, page int) string { return l.page(page, 6-page, numbered(2*page-1, 2*page)...) }, func(list) int { return 4 }, "1 2", ""},
		{"a total that is a lie", 0, func(l list, page int) string { return l.page(page, 1e9, numbered(2*page-1, 2*page)...) }, func(list) int { return 0 }, "1", "is not plausible"},
		{"the first page again and again", 0, func(l list, page int) string { return l.page(1, 100, numbered(1, 2)...) }, func(list) int { return 2 }, "1 2", "is not the page asked for"},
		{"the same page under other numbers", 0, func(l list, page int) string { return l.page(page, 100, numbered(1, 2)...) }, func(list) int { return 2 }, "1 2", "holds the same as the page before"},
		{"two pages in turns", 0, func(l list, page int) string { return l.page(page, 7, numbered(page%2, page%2)...) }, func(list) int { return 7 }, "1 2 3 4 5 6 7", ""},
		{"malformed", 0, func(l list, page int) string {
			if page == 2 {
				return l.page(page, 100, "3", "")
			}
			return l.page(page, 100, numbered(1, 2)...)
		}, func(list) int { return 2 }, "1 2", "[1]."},
	}
	for _, test := range tests {
		for _, l := range lists {
			if test.name == "malformed" && l.name == "products" {
				continue // a product is odd, not malformed
			}
			t.Run(test.name+"/"+l.name, func(t *testing.T) {
				var asked []string
				g2aServer := &script{replies: []reply{func(r *http.Request) (*http.Response, error) {
					page := max(1, number(r.URL.Query().Get("page")))
					if asked = append(asked, strconv.Itoa(page)); len(asked) > 20 {
						t.Fatal("there is no end")
					}
					return answer(200, test.pages(l, page))(r)
				}}}
				got, errs := 0, []error{}
				for id, err := range l.all(t.Context(), newClient(g2aServer), test.first) {
					if err != nil {
						errs = append(errs, err)
						continue
					}
					if id == "" || len(errs) > 0 {
						t.Errorf("item %q after %v", id, errs)
					}
					got++
				}
				if want := test.want(l); got != want || strings.Join(asked, " ") != test.asked {
					t.Errorf("%d items of pages %v, want %d of %s", got, asked, want, test.asked)
				}
				switch {
				case test.fault == "" && len(errs) > 0:
					t.Errorf("errors are %v", errs)
				case test.fault != "" && (len(errs) != 1 || !errors.Is(errs[0], g2a.ErrMalformedAnswer) || !strings.Contains(errs[0].Error(), test.fault)):
					t.Errorf("errors are %v, want one: %s", errs, test.fault)
				}
				if ids := correlations(g2aServer); ids != 1 {
					t.Errorf("%d correlation ids in one loop", ids)
				}
			})
		}
	}
}

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

func correlations(s *script) int {
	ids := map[string]bool{}
	for _, r := range s.requests() {
		ids[r.Header.Get("X-Correlation-ID")] = true
	}
	return len(ids)
}

// TestProductsWithoutIDs: pages of them look alike, and are not the same page again.
func TestProductsWithoutIDs(t *testing.T) {
	tests := []struct {
		name  string
		ids   func(page int) []string
		want  int
		fault string
	}{
		{"none has one", func(int) []string { return []string{"", ""} }, 6, ""},
		{"one has none", func(page int) []string { return []string{strconv.Itoa(page), ""} }, 6, ""},
		{"one has none, on the same page", func(int) []string { return []string{"1", ""} }, 2, "holds the same as the page before"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			products := lists[0]
			g2aServer := &script{replies: []reply{func(r *http.Request) (*http.Response, error) {
				page := max(1, number(r.URL.Query().Get("page")))
				return answer(200, products.page(page, 6, test.ids(page)...))(r)
			}}}
			got, fault := 0, ""
			for _, err := range products.all(t.Context(), newClient(g2aServer), 0) {
				if err != nil {
					fault = err.Error()
					continue
				}
				got++
			}
			if got != test.want || (fault == "") != (test.fault == "") || !strings.Contains(fault, test.fault) {
				t.Errorf("%d products, error %q; want %d, %q", got, fault, test.want, test.fault)
			}
		})
	}
}

// TestPagesAreAskedForWhenNeeded: nothing is asked before the loop begins, and no page
// before the loop has come to it.
func TestPagesAreAskedForWhenNeeded(t *testing.T) {
	for _, l := range lists {
		t.Run(l.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{func(r *http.Request) (*http.Response, error) {
				page := max(1, number(r.URL.Query().Get("page")))
				return answer(200, l.page(page, 100, numbered(2*page-1, 2*page)...))(r)
			}}}
			all := l.all(t.Context(), newClient(g2aServer), 0)
			if len(g2aServer.requests()) != 0 {
				t.Error("asked before the loop")
			}
			for round := range 2 { // a second loop begins anew
				for id := range all {
					if id == "2" {
						break
					}
				}
				if got := len(g2aServer.requests()); got != round+1 {
					t.Errorf("%d pages asked for in round %d, want one a round", got, round)
				}
			}
			for id := range all {
				if id == "3" {
					break
				}
			}
			if got := len(g2aServer.requests()); got != 4 {
				t.Errorf("%d pages asked for, want two more", got)
			}
		})
	}
}

func TestAllPagesCancelled(t *testing.T) {
	for _, l := range lists {
		t.Run(l.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{func(r *http.Request) (*http.Response, error) {
				page := max(1, number(r.URL.Query().Get("page")))
				return answer(200, l.page(page, 100, numbered(2*page-1, 2*page)...))(r)
			}}}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var errs []error
			items := 0
			for _, err := range l.all(ctx, newClient(g2aServer), 0) {
				if err != nil {
					errs = append(errs, err)
					continue
				}
				if items++; items == 1 {
					cancel()
				}
			}
			if items != 2 || len(errs) != 1 || !errors.Is(errs[0], context.Canceled) || len(g2aServer.requests()) != 1 {
				t.Errorf("%d items, errors %v, %d requests; want the page's two, the context's, one", items, errs, len(g2aServer.requests()))
			}
		})
	}
}

// TestPagesWithoutTotal: whether a page follows is what G2A states or, if it states nothing,
// what a full page suggests.
func TestPagesWithoutTotal(t *testing.T) {
	sales := lists[3]
	meta := func(more string) string { return `{"page":%d,"itemsPerPage":100` + more + `}` }
	full, half := numbered(1, 100), numbered(101, 150)
	tests := []struct {
		name  string
		metas []string // of the pages
		ids   [][]string
		want  int
		fault string
	}{
		{"hasNext", []string{meta(`,"hasNext":true`), meta(`,"hasNext":false`)}, [][]string{half, full}, 150, ""},
		{"hasNext, one page", []string{meta(`,"hasNext":false`)}, [][]string{full}, 100, ""},
		{"hasNext against a total", []string{meta(`,"totalResults":1,"hasNext":true`), meta(`,"totalResults":1,"hasNext":false`)}, [][]string{full, half}, 150, ""},
		{"hasNext, then an empty page", []string{meta(`,"hasNext":true`), meta(`,"hasNext":true`)}, [][]string{full, nil}, 100, ""},
		{"hasNext, the same page again", []string{meta(`,"hasNext":true`), meta(`,"hasNext":true`)}, [][]string{full, full}, 100, "holds the same"},
		{"nothing, a page that is not full", []string{"null"}, [][]string{half}, 50, ""},
		{"nothing, a full page and another", []string{"null", "null"}, [][]string{full, half}, 150, ""},
		{"nothing, a full page and an empty one", []string{"null", "null"}, [][]string{full, nil}, 100, ""},
		{"nothing, the same page again", []string{"null", "null"}, [][]string{full, full}, 100, "holds the same"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{}
			for i, ids := range test.ids {
				stated := strings.Replace(test.metas[i], "%d", strconv.Itoa(i+1), 1)
				items := each(ids, `{"id":"%s","status":"completed","items":[]}`)
				g2aServer.replies = append(g2aServer.replies, answer(200, `{"data":[`+items+`],"meta":`+stated+`}`))
			}
			got, fault := 0, ""
			for _, err := range sales.all(t.Context(), newClient(g2aServer), 0) {
				if err != nil {
					fault = err.Error()
					continue
				}
				got++
			}
			if got != test.want || (fault == "") != (test.fault == "") || !strings.Contains(fault, test.fault) || len(g2aServer.requests()) != len(test.ids) {
				t.Errorf("%d items in %d pages, error %q; want %d in %d, %q", got, len(g2aServer.requests()), fault, test.want, len(test.ids), test.fault)
			}
		})
	}
}

// TestPerPage: the loops ask for the fewest pages, unless told otherwise.
func TestPerPage(t *testing.T) {
	tests := []struct {
		name string
		make func(c *g2a.Client)
		want string
	}{
		{"offers", func(c *g2a.Client) {
			for range c.AllOffers(t.Context(), g2a.OfferQuery{}) {
			}
		}, "itemsPerPage=100&page=1"},
		{"offers, 10 a page", func(c *g2a.Client) {
			for range c.AllOffers(t.Context(), g2a.OfferQuery{PerPage: 10, Type: g2a.OfferGame}) {
			}
		}, "itemsPerPage=10&page=1&type=game"},
		{"bestsellers", func(c *g2a.Client) {
			for range c.AllBestsellers(t.Context(), g2a.BestsellerQuery{Days: 2}) {
			}
		}, "daysNumber=2&itemsPerPage=100&page=1"},
		{"sales", func(c *g2a.Client) {
			for range c.AllSellerOrders(t.Context(), g2a.SellerOrderQuery{}) {
			}
		}, "itemsPerPage=100&page=1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, `{"data":[],"meta":{"page":1,"itemsPerPage":100,"totalResults":0}}`)}}
			test.make(newClient(g2aServer))
			if got := g2aServer.requests()[0].URL.RawQuery; got != test.want {
				t.Errorf("query is %s, want %s", got, test.want)
			}
		})
	}
}

// TestPage: of its meta, what is not stated is nil.
func TestPage(t *testing.T) {
	tests := []struct{ name, meta, want string }{
		{"version 3", `{"page":2,"itemsPerPage":20,"totalResults":41}`, "2 20 41 null"},
		{"version 4", `{"page":2,"itemsPerPage":20,"hasNext":true}`, "2 20 null true"},
		{"all of it", `{"page":2,"itemsPerPage":20,"totalResults":0,"hasNext":false,"more":1}`, "2 20 0 false"},
		{"null", `null`, "3 50 null null"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			body := `{"data":[` + goodOfferBody + `],"meta":` + test.meta + `}`
			page, err := newClient(&script{replies: []reply{answer(200, body)}}).Offers(t.Context(), g2a.OfferQuery{Page: 3, PerPage: 50})
			total, _ := json.Marshal(page.Total)
			next, _ := json.Marshal(page.HasNext)
			if got := fmt.Sprintf("%d %d %s %s", page.Number, page.PerPage, total, next); err != nil || got != test.want || len(page.Items) != 1 {
				t.Errorf("page is %s, error %v; want %s", got, err, test.want)
			}
		})
	}
}

func TestPageMalformed(t *testing.T) {
	meta := `"meta":{"page":1,"itemsPerPage":10,"totalResults":0}`
	tests := []struct{ name, body, fault string }{
		{"no data", `{` + meta + `}`, "field data is missing"},
		{"data null", `{"data":null,` + meta + `}`, "field data is missing"},
		{"data an object", `{"data":{},` + meta + `}`, "field data has the wrong type"},
		{"no page", `{"data":[],"meta":{"itemsPerPage":10,"totalResults":0}}`, "field meta.page is missing"},
		{"no page size", `{"data":[],"meta":{"page":1,"totalResults":0}}`, "field meta.itemsPerPage is missing"},
		{"neither total nor next", `{"data":[],"meta":{"page":1,"itemsPerPage":10}}`, "field meta.totalResults is missing"},
		{"page zero", `{"data":[],"meta":{"page":0,"itemsPerPage":10,"totalResults":0}}`, "field meta.page is too small"},
		{"total negative", `{"data":[],"meta":{"page":1,"itemsPerPage":10,"totalResults":-1}}`, "field meta.totalResults is too small"},
		{"total negative, with next", `{"data":[],"meta":{"page":1,"itemsPerPage":10,"totalResults":-1,"hasNext":true}}`, "field meta.totalResults is too small"},
		{"total a text", `{"data":[],"meta":{"page":1,"itemsPerPage":10,"totalResults":"hunter2"}}`, "field meta.totalResults has the wrong type"},
		{"next a text", `{"data":[],"meta":{"page":1,"itemsPerPage":10,"hasNext":"hunter2"}}`, "field meta.hasNext has the wrong type"},
		{"an entry null", `{"data":[` + goodOfferBody + `,null],` + meta + `}`, "field data[1].id is missing"},
		{"an entry a number", `{"data":[17],` + meta + `}`, "field data[0] has the wrong type"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			page, err := newClient(&script{replies: []reply{answer(200, test.body)}}).Offers(t.Context(), g2a.OfferQuery{})
			assertMalformed(t, err, test.fault)
			if page.Items != nil || page.Number != 0 || page.Total != nil {
				t.Errorf("a page beside the error: %+v", page)
			}
		})
	}
}
