package g2atest

import (
	"fmt"
	"net/url"
	"slices"
)

// pageSizes are those the Import API takes; the first is the default.
var pageSizes = []int{10, 20, 50, 100}

// paging is the part of a list that is asked for.
type paging struct{ page, perPage int }

// listPage is a list's part, as the Import API sends it.
type listPage[T any] struct {
	Data []T      `json:"data"`
	Meta listMeta `json:"meta"`
}

type listMeta struct {
	CurrentPage int `json:"currentPage"`
	LastPage    int `json:"lastPage"` // of an empty list: 1
	PerPage     int `json:"perPage"`
	Total       int `json:"total"`
}

func parsePaging(query url.Values) (paging, *answer) {
	p := paging{page: 1, perPage: pageSizes[0]}
	if value := query.Get("page"); value != "" {
		if err := readWhole(value, 1, &p.page); err != nil {
			return paging{}, invalid("page", err)
		}
	}
	if value := query.Get("perPage"); value != "" {
		if err := readWhole(value, 1, &p.perPage); err != nil || !slices.Contains(pageSizes, p.perPage) {
			return paging{}, invalid("perPage", fmt.Errorf("must be one of %v", pageSizes))
		}
	}
	return p, nil
}

// pageOf cuts the part out. A page after the last is empty.
func pageOf[T any](list []T, p paging) listPage[T] {
	first := min((p.page-1)*p.perPage, len(list))
	return listPage[T]{
		Data: append([]T{}, list[first:min(first+p.perPage, len(list))]...),
		Meta: listMeta{
			CurrentPage: p.page,
			LastPage:    max(1, (len(list)+p.perPage-1)/p.perPage),
			PerPage:     p.perPage,
			Total:       len(list),
		},
	}
}
