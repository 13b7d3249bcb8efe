package g2atest

import (
	"encoding/json"
	"slices"
	"strings"
)

type bestseller struct {
	ProductID  string      `json:"productId"`
	Name       string      `json:"name"`
	Platform   string      `json:"platform"`
	Categories []category  `json:"categories"`
	MinPrice   json.Number `json:"minPrice"` // EUR
	Sold       int         `json:"sold"`     // pieces
}

// bestsellers is GET /bestsellers: the whole catalogue, what was sold most here
// first, and then in the catalogue's order. A category may be named by its id or
// its name; platforms go without regard to case.
func (s *Simulator) bestsellers(c *call) answer {
	part, failure := parsePaging(c.query)
	if failure != nil {
		return *failure
	}
	wanted, platform := c.query.Get("category"), c.query.Get("platform")
	list := []bestseller{}
	for i, p := range s.stock.products {
		if (wanted != "" && !p.in(wanted)) || (platform != "" && !strings.EqualFold(p.platform, platform)) {
			continue
		}
		list = append(list, bestseller{
			ProductID: p.id, Name: p.name, Platform: p.platform, Categories: p.categories,
			MinPrice: number(p.price), Sold: s.stock.sold[i],
		})
	}
	slices.SortStableFunc(list, func(a, b bestseller) int { return b.Sold - a.Sold })
	return ok(pageOf(list, part))
}
