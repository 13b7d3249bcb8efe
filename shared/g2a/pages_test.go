package g2a_test

import (
	"context"
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
	{"offers", 100, importPage(`{"id":"%s","offerType":"game","productId":"7","price":4.99,"visibility":"all","status":"active","active":true}`),
		func(ctx context.Context, c *g2a.Client, first int) iter.Seq2[string, error] {
			return idsOf(c.AllOffers(ctx, g2a.OfferQuery{Page: first}), func(o g2a.Offer) string { return o.ID })
		}},
	{"bestsellers", 100, importPage(`{"productId":"%s"}`), func(ctx context.Context, c *g2a.Client, first int) iter.Seq2[string, error] {
		return idsOf(c.AllBestsellers(ctx, g2a.BestsellerQuery{Page: first}), func(b g2a.Bestseller) string { return b.ProductID })
	}},
}

func importPage(item string) func(number, total int, ids ...string) string {
	return func(number, total int, ids ...string) string {
		return fmt.Sprintf(`{"data":[%s],"meta":{"currentPage":%d,"lastPage":9,"perPage":100,"total":%d}}`, each(ids, item), number, total)
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
		}, "page=1&perPage=100"},
		{"offers, 10 a page", func(c *g2a.Client) {
			for range c.AllOffers(t.Context(), g2a.OfferQuery{PerPage: 10, ProductID: "7"}) {
			}
		}, "page=1&perPage=10&productId=7"},
		{"bestsellers", func(c *g2a.Client) {
			for range c.AllBestsellers(t.Context(), g2a.BestsellerQuery{Platform: "Steam"}) {
			}
		}, "page=1&perPage=100&platform=Steam"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, `{"data":[],"meta":{"currentPage":1,"lastPage":1,"perPage":100,"total":0}}`)}}
			test.make(newClient(g2aServer))
			if got := g2aServer.requests()[0].URL.RawQuery; got != test.want {
				t.Errorf("query is %s, want %s", got, test.want)
			}
		})
	}
}

func TestPageMalformed(t *testing.T) {
	meta := `"meta":{"currentPage":1,"lastPage":1,"perPage":10,"total":0}`
	tests := []struct{ name, body, fault string }{
		{"no data", `{` + meta + `}`, "field data is missing"},
		{"data null", `{"data":null,` + meta + `}`, "field data is missing"},
		{"data an object", `{"data":{},` + meta + `}`, "field data has the wrong type"},
		{"no meta", `{"data":[]}`, "field meta is missing"},
		{"no current page", `{"data":[],"meta":{"lastPage":1,"perPage":10,"total":0}}`, "field meta.currentPage is missing"},
		{"no last page", `{"data":[],"meta":{"currentPage":1,"perPage":10,"total":0}}`, "field meta.lastPage is missing"},
		{"no page size", `{"data":[],"meta":{"currentPage":1,"lastPage":1,"total":0}}`, "field meta.perPage is missing"},
		{"no total", `{"data":[],"meta":{"currentPage":1,"lastPage":1,"perPage":10}}`, "field meta.total is missing"},
		{"page zero", `{"data":[],"meta":{"currentPage":0,"lastPage":1,"perPage":10,"total":0}}`, "field meta.currentPage is too small"},
		{"total negative", `{"data":[],"meta":{"currentPage":1,"lastPage":1,"perPage":10,"total":-1}}`, "field meta.total is too small"},
		{"total a text", `{"data":[],"meta":{"currentPage":1,"lastPage":1,"perPage":10,"total":"hunter2"}}`, "field meta.total has the wrong type"},
		{"an entry null", `{"data":[` + goodOffer + `,null],` + meta + `}`, "field data[1].id is missing"},
		{"an entry a number", `{"data":[17],` + meta + `}`, "field data[0] has the wrong type"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			page, err := newClient(&script{replies: []reply{answer(200, test.body)}}).Offers(t.Context(), g2a.OfferQuery{})
			assertMalformed(t, err, test.fault)
			if page.Items != nil || page.Number != 0 || page.Total != 0 {
				t.Errorf("a page beside the error: %+v", page)
			}
		})
	}
}
