package g2a

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"slices"
	"time"
)

// Page is one page of a list of the Import API. What G2A does not state is nil or 0.
type Page[T any] struct {
	Items   []T
	Number  int   // from 1
	PerPage int   // items on a full page
	Total   *int  // items on all pages
	HasNext *bool // whether a page follows
}

// maxPerPage is what the iterators ask for: the fewest calls.
const maxPerPage = 100

// paging is the part of a list that is asked for; 0 is G2A's own choice.
type paging struct{ page, perPage int }

func (p paging) check() *FieldError {
	switch {
	case p.page < 0:
		return &FieldError{Field: "page", Problem: "is negative"}
	case p.perPage < 0 || p.perPage > maxPerPage:
		return &FieldError{Field: "itemsPerPage", Problem: "is not from 1 to 100"}
	}
	return nil
}

func (p paging) addTo(values query) {
	values.number("page", p.page)
	values.number("itemsPerPage", p.perPage)
}

// wirePage is a page as the Import API sends it.
type wirePage struct {
	Data []json.RawMessage `json:"data"`
	Meta *wireMeta         `json:"meta"`
}

type wireMeta struct {
	Page         *int  `json:"page"`
	ItemsPerPage *int  `json:"itemsPerPage"`
	TotalResults *int  `json:"totalResults"`
	HasNext      *bool `json:"hasNext"`
}

// readPage checks and maps. A list without meta is the page that was asked for.
func readPage[W, T any](w wirePage, asked paging, read func(W) (T, *FieldError)) (Page[T], *FieldError) {
	if w.Data == nil {
		return Page[T]{}, &FieldError{Field: "data", Problem: "is missing"}
	}
	items, fault := readList("data", w.Data, read)
	if fault != nil {
		return Page[T]{}, fault
	}
	if w.Meta == nil {
		return Page[T]{Items: items, Number: max(1, asked.page), PerPage: asked.perPage}, nil
	}
	if fault := w.Meta.check(); fault != nil {
		return Page[T]{}, fault
	}
	return Page[T]{
		Items: items, Number: *w.Meta.Page, PerPage: *w.Meta.ItemsPerPage, Total: w.Meta.TotalResults, HasNext: w.Meta.HasNext,
	}, nil
}

// check requires one of totalResults and hasNext: each is left out by one of G2A's versions.
func (m wireMeta) check() *FieldError {
	for _, number := range []struct {
		field string
		value *int
		least int
		known bool // in another way, if it is missing
	}{
		{"meta.page", m.Page, 1, false},
		{"meta.itemsPerPage", m.ItemsPerPage, 1, false},
		{"meta.totalResults", m.TotalResults, 0, m.HasNext != nil},
	} {
		switch {
		case number.value == nil && !number.known:
			return &FieldError{Field: number.field, Problem: "is missing"}
		case number.value != nil && *number.value < number.least:
			return &FieldError{Field: number.field, Problem: "is too small"}
		}
	}
	return nil
}

// listImport makes the call of a list of the Import API.
func listImport[W, T any](
	ctx context.Context, c *Client, r request, asked paging, read func(W) (T, *FieldError),
) (Page[T], error) {
	var wire wirePage
	var page Page[T]
	err := c.doBearer(ctx, r, decoded(&wire, func() (fault *FieldError) {
		page, fault = readPage(wire, asked, read)
		return fault
	}))
	if err != nil {
		return Page[T]{}, err
	}
	return page, nil
}

// readData reads the Import API's {"data":{...}}. The path of a fault begins with data.
func readData[W, T any](raw json.RawMessage, read func(W) (T, *FieldError)) (T, *FieldError) {
	if absent(raw) {
		return *new(T), &FieldError{Field: "data", Problem: "is missing"}
	}
	value, fault := readWire(raw, read)
	if fault != nil {
		return *new(T), fault.within("data")
	}
	return value, nil
}

// wireData is one object as the Import API sends it.
type wireData struct {
	Data json.RawMessage `json:"data"`
}

// oneImport makes a call of the Import API that answers one object.
func oneImport[W, T any](ctx context.Context, c *Client, r request, read func(W) (T, *FieldError)) (T, error) {
	var wire wireData
	var value T
	err := c.doBearer(ctx, r, decoded(&wire, func() (fault *FieldError) {
		value, fault = readData(wire.Data, read)
		return fault
	}))
	if err != nil {
		return *new(T), err
	}
	return value, nil
}

// since adds a time in RFC 3339; the zero time is left out.
func (q query) since(name string, at time.Time) {
	if !at.IsZero() {
		q.text(name, at.UTC().Format(time.RFC3339))
	}
}

// list adds a parameter once for each value, in the form that G2A has for lists.
func (q query) list(name string, values []string) {
	for _, value := range values {
		url.Values(q).Add(name+"[]", value)
	}
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
	next          *bool // whether a page follows; nil is for total to say
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
			seen += len(got.items)
			more := seen < min(got.total, limit)
			if got.next != nil {
				more = *got.next && seen < maxWalk
			}
			if len(got.items) == 0 || !more {
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

// walkPages is a walk over pages of the Import API. After a full page that states nothing
// about others, another one is asked for.
func walkPages[T any](
	route string, first, size int, id func(T) string, ask func(context.Context, int) (Page[T], error),
) walk[T] {
	return walk[T]{
		route: route, first: first, size: size, totalField: "meta.totalResults", numberField: "meta.page", id: id,
		ask: func(ctx context.Context, number int) (part[T], error) {
			page, err := ask(ctx, number)
			got := part[T]{items: page.Items, number: page.Number, next: page.HasNext}
			switch {
			case page.Total != nil:
				got.total = *page.Total
			case got.next == nil:
				got.next = new(len(page.Items) >= size)
			}
			return got, err
		},
	}
}
