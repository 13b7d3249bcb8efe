package g2atest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

var (
	offerTypes   = []string{"dropshipping", "game", "promo", "preorder", "physical", "steamgift"}
	visibilities = []string{"all", "retail", "business"}
)

// maxInventory is the most pieces an offer takes (one client's bound).
const maxInventory = 10_000

// offer is one of the seller's. Offers are not in the catalogue; Simulator.Sell sells them.
type offer struct {
	id, kind, productID string
	retail              decimal.Decimal // EUR
	business            *decimal.Decimal
	visibility          string
	active, archived    bool
	items               []string // the inventory, by id
	sold                int
	updatedAt           time.Time
}

func (o *offer) status() string {
	switch {
	case o.archived:
		return "archived"
	case o.active:
		return "active"
	}
	return "inactive"
}

// variant is the part of a request that describes the offer: what is nil was absent.
type variant struct {
	productID, visibility string
	retail, business      *decimal.Decimal
	active, archive       *bool
	size                  *int
}

// readers are those of the fields that a creation and a change have in common.
func (v *variant) readers() map[string]func(json.RawMessage) error {
	return map[string]func(json.RawMessage) error{
		"price":      v.readPrice,
		"visibility": choiceInto(&v.visibility, visibilities...),
		"active":     boolInto(&v.active),
		"inventory":  v.readInventory,
	}
}

// readPrice takes {"retail": "12.50", "business": "12.00"?}.
func (v *variant) readPrice(value json.RawMessage) error {
	var wire struct{ Retail, Business *string }
	if json.Unmarshal(value, &wire) != nil || wire.Retail == nil {
		return errors.New(`must be an object such as {"retail": "12.50"}`)
	}
	for text, into := range map[*string]**decimal.Decimal{wire.Retail: &v.retail, wire.Business: &v.business} {
		if text == nil {
			continue
		}
		if err := readPrice(*text, into); err != nil || (*into).IsZero() {
			return errors.New("must be prices such as 12.50, and not zero")
		}
	}
	return nil
}

// readInventory takes {"size": n}.
func (v *variant) readInventory(value json.RawMessage) error {
	var wire struct{ Size json.RawMessage }
	size := 0
	if json.Unmarshal(value, &wire) != nil || readWhole(string(wire.Size), 0, &size) != nil || size > maxInventory {
		return fmt.Errorf(`must be an object such as {"size": 10}, of at most %d`, maxInventory)
	}
	v.size = &size
	return nil
}

// apply makes the offer what the variant says.
func (s *Simulator) apply(v variant, o *offer, now time.Time) {
	if v.retail != nil {
		o.retail, o.business = *v.retail, v.business
	}
	if v.visibility != "" {
		o.visibility = v.visibility
	}
	if v.active != nil {
		o.active = *v.active
	}
	if v.archive != nil {
		o.archived, o.active = *v.archive, o.active && !*v.archive
	}
	if v.size != nil {
		o.items = o.items[:min(len(o.items), *v.size)]
		for len(o.items) < *v.size {
			o.items = append(o.items, s.randomUUID())
		}
	}
	o.updatedAt = now
}

// createOffer is POST /v3/sales/offers. A seller has one offer of a type for a product: the
// next one is answered 409 with the first one's id, until that is archived. When G2A answers
// so is not public.
func (s *Simulator) createOffer(c *call) answer {
	v, kind, failure := s.readNewOffer(c.body)
	if failure != nil {
		return *failure
	}
	for _, o := range s.offers {
		if o.productID == v.productID && o.kind == kind && !o.archived {
			return answer{status: http.StatusConflict, body: oneOf[existingOffer]{existingOffer{OfferID: o.id}}}
		}
	}
	o := &offer{id: s.randomUUID(), kind: kind, productID: v.productID}
	s.apply(v, o, c.now)
	if !s.options.Import.jobsFail() {
		s.offers = append(s.offers, o)
	}
	return s.startJob(o.id)
}

type existingOffer struct {
	OfferID string `json:"offerId"`
}

// readNewOffer reads a creation, which has one variant.
func (s *Simulator) readNewOffer(body []byte) (v variant, kind string, failure *answer) {
	var variants []json.RawMessage
	if failure := readBody(body, map[string]func(json.RawMessage) error{
		"offerType": choiceInto(&kind, offerTypes...),
		"variants": func(value json.RawMessage) error {
			if json.Unmarshal(value, &variants) != nil || len(variants) != 1 {
				return errors.New("must be a list of one")
			}
			return nil
		},
	}); failure != nil {
		return variant{}, "", failure
	}
	if kind == "" || variants == nil {
		return variant{}, "", invalid("offerType and variants", errMissing)
	}
	readers := v.readers()
	readers["productId"] = textInto(&v.productID)
	if failure := readBody(variants[0], readers); failure != nil {
		return variant{}, "", failure
	}
	if v.retail == nil || v.visibility == "" || v.active == nil {
		return variant{}, "", invalid("price, visibility and active", errMissing)
	}
	if _, found := s.stock.place[v.productID]; !found {
		return variant{}, "", invalid("productId", errNoProduct)
	}
	return v, kind, nil
}

// changeOffer is PATCH /v3/sales/offers/{offerId}: all of the change or, where a part of it
// is not good, none.
func (s *Simulator) changeOffer(c *call) answer {
	o := s.offer(c.value("offerId"))
	if o == nil {
		return notFound("Offer")
	}
	var v variant
	var kind string
	failure := readBody(c.body, map[string]func(json.RawMessage) error{
		"offerType": choiceInto(&kind, o.kind),
		"variant": func(value json.RawMessage) error {
			readers := v.readers()
			readers["archive"] = boolInto(&v.archive)
			if failure := readBody(value, readers); failure != nil {
				return errors.New(failure.body.(errorBody).Message)
			}
			return nil
		},
	})
	switch {
	case failure != nil:
		return *failure
	case kind == "":
		return *invalid("offerType", errMissing)
	case v == variant{}:
		return *invalid("variant", errMissing)
	}
	if v.retail != nil && !v.retail.Equal(o.retail) && !s.mayReprice(o.productID, c.now) {
		return fail(codeTooManyRequests, "Price change limit exceeded")
	}
	if !s.options.Import.jobsFail() {
		s.apply(v, o, c.now)
	}
	return s.changed(o.id)
}

// The limit of price changes is per product and hour; beyond it the product's price is
// locked. How long is not known: an hour.
const (
	maxPriceChanges = 5
	priceWindow     = time.Hour
)

// repricing is what counts for the limit of one product.
type repricing struct {
	changes     []time.Time
	lockedUntil time.Time
}

// mayReprice counts a price change, or locks the product's price.
func (s *Simulator) mayReprice(productID string, now time.Time) bool {
	r := s.repricings[productID]
	if r == nil {
		r = &repricing{}
		s.repricings[productID] = r
	}
	if now.Before(r.lockedUntil) {
		return false
	}
	r.changes = slices.DeleteFunc(r.changes, func(at time.Time) bool { return !now.Before(at.Add(priceWindow)) })
	if len(r.changes) == maxPriceChanges {
		r.lockedUntil = now.Add(priceWindow)
		return false
	}
	r.changes = append(r.changes, now)
	return true
}

// deleteOffer is DELETE /v3/sales/offers/{offerId}. An offer that is for sale is refused:
// clients archive or deactivate it first.
func (s *Simulator) deleteOffer(c *call) answer {
	o := s.offer(c.value("offerId"))
	switch {
	case o == nil:
		return notFound("Offer")
	case o.active:
		return fail(codeInvalidData, "The offer is active")
	}
	if !s.options.Import.jobsFail() {
		s.offers = slices.DeleteFunc(s.offers, func(other *offer) bool { return other == o })
	}
	return s.changed(o.id)
}

// listOffers is GET /v3/sales/offers, the oldest offer first.
func (s *Simulator) listOffers(c *call) answer {
	part, failure := parsePaging(c.query)
	if failure != nil {
		return *failure
	}
	matches, failure := parseOfferFilter(c.query)
	if failure != nil {
		return *failure
	}
	found := []offerDocument{}
	for _, o := range s.offers {
		if matches(o) {
			found = append(found, s.document(o))
		}
	}
	return ok(pageOf(found, part))
}

// parseOfferFilter reads the query of a list of offers. What is absent does not filter. The
// type has two names: clients differ.
func parseOfferFilter(query url.Values) (func(*offer) bool, *answer) {
	types := slices.Concat(query["type"], query["type[]"])
	for _, kind := range types {
		if !slices.Contains(offerTypes, kind) {
			return nil, invalid("type", errors.New("there is no such type"))
		}
	}
	active, given := false, query.Get("active") != ""
	if given {
		if err := readBool(query.Get("active"), &active); err != nil {
			return nil, invalid("active", err)
		}
	}
	from, failure := since(query, "updatedAtFrom")
	if failure != nil {
		return nil, failure
	}
	return func(o *offer) bool {
		return (len(types) == 0 || slices.Contains(types, o.kind)) &&
			(!given || o.active == active) && !o.updatedAt.Before(from)
	}, nil
}

// since reads a parameter that is a time in RFC 3339; an absent one is the zero time.
func since(query url.Values, name string) (time.Time, *answer) {
	value := query.Get(name)
	if value == "" {
		return time.Time{}, nil
	}
	from, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return time.Time{}, invalid(name, errors.New("must be a time such as 2024-01-31T18:30:00Z"))
	}
	return from, nil
}

// getOffer is GET /v3/sales/offers/{offerId}.
func (s *Simulator) getOffer(c *call) answer {
	o := s.offer(c.value("offerId"))
	if o == nil {
		return notFound("Offer")
	}
	return ok(oneOf[offerDocument]{s.document(o)})
}

// offerDocument is an offer as G2A sends it.
type offerDocument struct {
	ID                 string         `json:"id"`
	Type               string         `json:"type"`
	Status             string         `json:"status"`
	Active             bool           `json:"active"`
	Product            productName    `json:"product"`
	Price              any            `json:"price"`
	BusinessPrice      any            `json:"businessPrice,omitempty"`
	FinalPrice         any            `json:"finalPrice,omitempty"`
	BusinessFinalPrice any            `json:"businessFinalPrice,omitempty"`
	Visibility         string         `json:"visibility"`
	Inventory          inventoryCount `json:"inventory"`
}

type productName struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type inventoryCount struct {
	Size      int `json:"size"`
	SoldCount int `json:"soldCount"`
}

// document is an offer with its price in the form that Options.Import has.
func (s *Simulator) document(o *offer) offerDocument {
	product := s.stock.products[s.stock.place[o.productID]]
	d := offerDocument{
		ID: o.id, Type: o.kind, Status: o.status(), Active: o.active, Product: productName{product.id, product.name},
		Visibility: o.visibility, Inventory: inventoryCount{len(o.items), o.sold},
	}
	if s.options.Import.Price == "nested" {
		price := nestedPrice{Retail: audiencePrice{Base: priceIn(allCountries, o.retail)}}
		if o.business != nil {
			price.Business = &audiencePrice{Base: priceIn(allCountries, *o.business)}
		}
		d.Price = price
		return d
	}
	numbers := s.options.Import.Price == "number"
	d.Price, d.FinalPrice = written(o.retail, numbers), finalPrices(o.retail, numbers)
	if o.business != nil {
		d.BusinessPrice, d.BusinessFinalPrice = written(*o.business, numbers), finalPrices(*o.business, numbers)
	}
	return d
}

// offer finds an offer, or returns nil.
func (s *Simulator) offer(id string) *offer {
	for _, o := range s.offers {
		if o.id == id {
			return o
		}
	}
	return nil
}
