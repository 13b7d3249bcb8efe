package g2atest

import "slices"

type bestseller struct {
	ProductID string `json:"productId"`
	Sold      int    `json:"soldItemsQuantity"`
}

// bestsellers is GET /v3/sales/bestsellers: the whole catalogue, what was sold most here
// first, and then in the catalogue's order. The days asked for change nothing.
func (s *Simulator) bestsellers(c *call) answer {
	part, failure := parsePaging(c.query)
	if failure != nil {
		return *failure
	}
	if days := c.query.Get("daysNumber"); days != "" {
		if err := readWhole(days, 1, new(int)); err != nil {
			return *invalid("daysNumber", err)
		}
	}
	wanted, list := c.query["productIds[]"], []bestseller{}
	for i, p := range s.stock.products {
		if len(wanted) == 0 || slices.Contains(wanted, p.id) {
			list = append(list, bestseller{ProductID: p.id, Sold: s.stock.sold[i]})
		}
	}
	slices.SortStableFunc(list, func(a, b bestseller) int { return b.Sold - a.Sold })
	page := pageOf(list, part)
	if s.options.Import.NullMeta {
		page.Meta = nil
	}
	return ok(page)
}
