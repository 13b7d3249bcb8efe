package g2a

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
)

// Page is one page of a list of the Import API.
type Page[T any] struct {
	Items    []T
	Number   int // from 1
	LastPage int
	PerPage  int // items on a full page
	Total    int // items on all pages
}

// pageSizes are those the Import API has.
var pageSizes = []int{10, 20, 50, 100}

// maxPerPage is what the iterators ask for: the fewest calls.
const maxPerPage = 100

// checkPaging checks what a list is asked with; 0 is G2A's own choice.
func checkPaging(page, perPage int) *FieldError {
	switch {
	case page < 0:
		return &FieldError{Field: "page", Problem: "is negative"}
	case perPage != 0 && !slices.Contains(pageSizes, perPage):
		return &FieldError{Field: "perPage", Problem: "is none of 10, 20, 50, 100"}
	}
	return nil
}

// wirePage is a page as the Import API sends it.
type wirePage struct {
	Data []json.RawMessage `json:"data"`
	Meta *wireMeta         `json:"meta"`
}

type wireMeta struct {
	CurrentPage *int `json:"currentPage"`
	LastPage    *int `json:"lastPage"`
	PerPage     *int `json:"perPage"`
	Total       *int `json:"total"`
}

// readPage checks and maps.
func readPage[W, T any](w wirePage, read func(W) (T, *FieldError)) (Page[T], *FieldError) {
	switch {
	case w.Data == nil:
		return Page[T]{}, &FieldError{Field: "data", Problem: "is missing"}
	case w.Meta == nil:
		return Page[T]{}, &FieldError{Field: "meta", Problem: "is missing"}
	}
	items, fault := readList("data", w.Data, read)
	if fault != nil {
		return Page[T]{}, fault
	}
	page := Page[T]{Items: items}
	for _, number := range []struct {
		field string
		value *int
		least int
		into  *int
	}{
		{"meta.currentPage", w.Meta.CurrentPage, 1, &page.Number},
		{"meta.lastPage", w.Meta.LastPage, 0, &page.LastPage},
		{"meta.perPage", w.Meta.PerPage, 1, &page.PerPage},
		{"meta.total", w.Meta.Total, 0, &page.Total},
	} {
		switch {
		case number.value == nil:
			return Page[T]{}, &FieldError{Field: number.field, Problem: "is missing"}
		case *number.value < number.least:
			return Page[T]{}, &FieldError{Field: number.field, Problem: "is too small"}
		}
		*number.into = *number.value
	}
	return page, nil
}

// maxWalk is the most items a list may say it has for a walk over them all.
const maxWalk = 10_000_000

// walk goes over all pages of a list.
type walk[T any] struct {
	route       string
	first       int // page to begin with; 0 is the first
	size        int // items on a full page
	totalField  string
	numberField string
	id          func(T) string
	ask         func(ctx context.Context, page int) (part[T], error)
}

// part is what a walk needs to know of one page.
type part[T any] struct {
	items         []T
	number, total int
}

// all returns the items one by one. The calls of one loop share a correlation id.
func (w walk[T]) all(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ctx, id := correlated(ctx)
		page := max(1, w.first)
		seen := (page - 1) * w.size // with those on the pages before
		var limit int
		var before []T
		for asked := 0; ; asked++ {
			got, err := w.ask(ctx, page+asked)
			if fault := w.odd(got, page+asked, before); err == nil && fault != nil {
				err = &Error{Method: "GET", Route: w.route, Status: 200, CorrelationID: id, Kind: ErrMalformedAnswer, Cause: fault}
			}
			if err != nil {
				yield(*new(T), err)
				return
			}
			for _, item := range got.items {
				if !yield(item, nil) {
					return
				}
			}
			if asked == 0 {
				limit = got.total + w.size // and a page of those added concurrently
			}
			if seen += len(got.items); len(got.items) == 0 || seen >= min(got.total, limit) {
				return
			}
			before = got.items
		}
	}
}

// odd reports what would make a walk endless, or repeat the same items.
func (w walk[T]) odd(got part[T], asked int, before []T) *FieldError {
	same := func(a, b T) bool { return w.id(a) == w.id(b) }
	named := func(item T) bool { return w.id(item) != "" } // those without an id are all alike
	switch {
	case got.total > maxWalk:
		return &FieldError{Field: w.totalField, Problem: "is not plausible"}
	case got.number != asked:
		return &FieldError{Field: w.numberField, Problem: "is not the page asked for"}
	case slices.ContainsFunc(before, named) && slices.EqualFunc(got.items, before, same):
		return &FieldError{Field: w.numberField, Problem: "holds the same as the page before"}
	}
	return nil
}

// walkPages is a walk over pages of the Import API.
func walkPages[T any](route string, first, size int, id func(T) string, ask func(context.Context, int) (Page[T], error)) walk[T] {
	return walk[T]{
		route: route, first: first, size: size, totalField: "meta.total", numberField: "meta.currentPage", id: id,
		ask: func(ctx context.Context, number int) (part[T], error) {
			page, err := ask(ctx, number)
			return part[T]{items: page.Items, number: page.Number, total: page.Total}, err
		},
	}
}
