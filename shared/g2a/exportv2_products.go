package g2a

import (
	"context"
	"encoding/json"
)

// ProductDetails returns the descriptions of at most 20 products from the Export API v2.
// Products that G2A does not know are left out. Of a [Product] it sets what means the same
// there; SmallImage is the portrait image, a video is its URL alone. AvailableToBuy is true
// as in [ProductOffer.Product].
func (c *Client) ProductDetails(ctx context.Context, ids []string) ([]Product, error) {
	r, _ := c.newRequest(exportV2API, "GET", "/products")
	fault := checkIDs(ids, maxProductIDs)
	if len(ids) == 0 {
		fault = &FieldError{Field: "productIds", Problem: "is missing"}
	}
	if fault != nil {
		return nil, invalid(ctx, r, fault)
	}
	r.url += query{"productIds[]": ids}.encode()
	var wire map[string]json.RawMessage
	var products []Product
	err := c.doBearer(ctx, r, decoded(&wire, func() *FieldError {
		data, fault := readDataList(wire)
		for _, raw := range data {
			products = append(products, readProductDetails(raw))
		}
		return fault
	}))
	if err != nil {
		return nil, err
	}
	return products, nil
}

// readProductDetails reads a product of the Export API v2, each field by itself.
func readProductDetails(raw json.RawMessage) Product {
	p := Product{AvailableToBuy: true}
	m := members{odd: &p.Odd}
	if json.Unmarshal(raw, &m.raw) != nil || m.raw == nil {
		m.note("", "is not an object")
		return p
	}
	p.ID, p.Name, p.Slug = m.id("id"), m.text("name"), m.text("slug")
	p.Platform, p.Region = m.text("platform"), m.text("region")
	p.Developer, p.Publisher = m.text("developer"), m.text("publisher")
	p.UpdatedAt, p.ReleaseDate = m.text("updatedAt"), m.text("releaseDate")
	p.Quantity, p.MinPrice = m.stock(m.currency())
	p.Thumbnail, p.SmallImage, p.CoverImage = m.text("thumbnail"), m.text("portraitImage"), m.text("coverImage")
	p.Categories = m.categories()
	p.Images = m.texts("images")
	for _, address := range m.texts("videos") {
		p.Videos = append(p.Videos, Video{URL: address})
	}
	return p
}

// texts reads a list of strings.
func (m members) texts(name string) []string {
	all, names := m.elements(name)
	texts := make([]string, 0, len(names))
	for _, each := range names {
		texts = append(texts, all.text(each))
	}
	return texts
}
