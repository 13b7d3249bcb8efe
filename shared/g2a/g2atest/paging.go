package g2atest

import (
	"fmt"
	"net/url"
)

// Pages of the Import API and the Export API v2: how many entries one has, which is not
// public, and at most.
const (
	defaultPerPage = 20
	maxPerPage     = 100
)

// paging is the part of a list that is asked for.
type paging struct{ page, perPage int }

// listPage is a list's part, as the Import API sends it.
type listPage[T any] struct {
	Data []T       `json:"data"`
	Meta *listMeta `json:"meta"`
}

type listMeta struct {
	Page         int   `json:"page"`
	ItemsPerPage int   `json:"itemsPerPage"`
	TotalResults *int  `json:"totalResults,omitempty"`
	HasNext      *bool `json:"hasNext,omitempty"`
}

// oneOf is one object, as the Import API sends it.
type oneOf[T any] struct {
	Data T `json:"data"`
}

func parsePaging(query url.Values) (paging, *answer) {
	p := paging{page: 1, perPage: defaultPerPage}
	for name, into := range map[string]*int{"page": &p.page, "itemsPerPage": &p.perPage} {
		if value := query.Get(name); value != "" {
			if err := readWhole(value, 1, into); err != nil {
				return paging{}, invalid(name, err)
			}
		}
	}
	if p.perPage > maxPerPage {
		return paging{}, invalid("itemsPerPage", fmt.Errorf("is more than %d", maxPerPage))
	}
	return p, nil
}

// pageOf cuts the part out. A page after the last is empty.
func pageOf[T any](list []T, p paging) listPage[T] {
	first := min((p.page-1)*p.perPage, len(list))
	return listPage[T]{
		Data: append([]T{}, list[first:min(first+p.perPage, len(list))]...),
		Meta: &listMeta{Page: p.page, ItemsPerPage: p.perPage, TotalResults: new(len(list))},
	}
}

// withHasNext states whether a page follows, and not how many entries there are.
func (l listPage[T]) withHasNext() listPage[T] {
	l.Meta.HasNext = new(l.Meta.Page*l.Meta.ItemsPerPage < *l.Meta.TotalResults)
	l.Meta.TotalResults = nil
	return l
}
