package g2a

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"time"
)

// OfferType is what kind of thing is sold.
type OfferType string

// The types an offer can be created with (four public clients).
const (
	OfferDropshipping OfferType = "dropshipping"
	OfferGame         OfferType = "game"
	OfferPromo        OfferType = "promo"
	OfferPreorder     OfferType = "preorder"
	OfferPhysical     OfferType = "physical"
	OfferSteamGift    OfferType = "steamgift"
)

var offerTypes = []OfferType{OfferDropshipping, OfferGame, OfferPromo, OfferPreorder, OfferPhysical, OfferSteamGift}

// Visibility is whom an offer is shown to (four public clients).
type Visibility string

// Whom an offer is shown to.
const (
	VisibleAll      Visibility = "all"
	VisibleRetail   Visibility = "retail"
	VisibleBusiness Visibility = "business"
)

var visibilities = []Visibility{VisibleAll, VisibleRetail, VisibleBusiness}

// OfferStatus is the state of an offer, in G2A's word. The words are not public: the
// constants are those that clients have seen or assume, and there may be others.
type OfferStatus string

// The statuses that are known of.
const (
	OfferActive   OfferStatus = "active"
	OfferInactive OfferStatus = "inactive"
	OfferArchived OfferStatus = "archived"
)

// Offer is one of the seller's own offers. Only ID, Type, ProductID and Price are always
// there: what else G2A returns differs between the public clients, and between the list and
// the single offer. Type, Status and Visibility are as they came, also if they are none of
// the constants.
type Offer struct {
	ID                 string
	Type               OfferType
	Status             OfferStatus // "" if not stated
	Active             *bool       // nil if not stated
	ProductID          string
	ProductName        string
	Price              Money            // without the buyer's taxes
	BusinessPrice      Money            // zero if not stated
	FinalPrice         map[string]Money // what a private buyer pays, by country (ISO 3166-1, two letters)
	BusinessFinalPrice map[string]Money // what a business pays
	Visibility         Visibility       // "" if not stated
	Inventory          *int             // pieces, nil if not stated
	Sold               *int             // pieces, nil if not stated
}

// NewOffer is an offer to create. Regions and the restrictions are left out if empty; of
// the last two one at most can be set. Regions is known from one client alone.
type NewOffer struct {
	Type          OfferType
	ProductID     string
	Price         Money // in EUR
	BusinessPrice Money // in EUR; zero is left out
	Active        bool  // for sale at once
	Visibility    Visibility
	Inventory     *int     // pieces; nil is left out
	Regions       []string // such as GLOBAL
	OnlyIn        []string // countries (ISO 3166-1, two letters)
	NotIn         []string // countries
}

// OfferChange is what to change of an offer; what is nil or "" stays as it is. The values
// are absolute, so a change can be made again. To stop selling, set Active to false and
// Inventory to 0.
type OfferChange struct {
	Type          OfferType // the offer's own: G2A requires it
	Price         *Money    // in EUR
	BusinessPrice *Money    // in EUR; needs Price
	Active        *bool
	Archive       *bool
	Visibility    Visibility
	Inventory     *int // pieces
}

// OfferQuery selects offers. The zero value selects all.
type OfferQuery struct {
	Page        int // from 1; 0 is the first
	PerPage     int // 1 to 100; 0 is G2A's choice
	Type        OfferType
	Active      *bool
	UpdatedFrom time.Time // sent in RFC 3339, which is an inference; zero is left out
}

// CreateOffer puts a product up for sale. A job does it, whose id is returned: WaitJob
// returns the offer's. If the seller has such an offer already, the error is ErrExists and
// its ExistingID is the offer's id.
//
// An offer of keys needs a collection of keys (AddInventory). How an offer refers to it is
// not public, and neither are the bodies for physical goods.
func (c *Client) CreateOffer(ctx context.Context, offer NewOffer) (jobID string, err error) {
	r, _ := c.newRequest(importAPI, "POST", "/v3/sales/offers")
	if fault := offer.check(); fault != nil {
		return "", invalid(ctx, r, fault)
	}
	return c.changeByJob(ctx, r, offer.wire())
}

// Offer returns one offer.
func (c *Client) Offer(ctx context.Context, id string) (Offer, error) {
	r, fault := c.newRequest(importAPI, "GET", "/v3/sales/offers/{offerId}", id)
	if fault != nil {
		return Offer{}, invalid(ctx, r, fault)
	}
	return oneImport(ctx, c, r, wireOffer.offer)
}

// ChangeOffer changes an offer. It returns the id of the job that does it, or "" if G2A has
// done it at once: G2A's outline of 3.256.2 says 204, newer clients read a job.
//
// G2A takes 5 changes of price per product and hour; one more is ErrThrottled, and locks
// the product's price for a time (G2A's changelog of 3.367.0, by one client).
func (c *Client) ChangeOffer(ctx context.Context, id string, change OfferChange) (jobID string, err error) {
	r, fault := c.newRequest(importAPI, "PATCH", "/v3/sales/offers/{offerId}", id)
	if fault = cmp.Or(fault, change.check()); fault != nil {
		return "", invalid(ctx, r, fault)
	}
	return c.changeByJob(ctx, r, change.wire(), http.StatusNoContent)
}

// DeleteOffer deletes an offer, which must not be for sale: one client archives it first,
// another deactivates it. It returns a job's id or "" as ChangeOffer does.
func (c *Client) DeleteOffer(ctx context.Context, id string) (jobID string, err error) {
	r, fault := c.newRequest(importAPI, "DELETE", "/v3/sales/offers/{offerId}", id)
	if fault != nil {
		return "", invalid(ctx, r, fault)
	}
	return c.changeByJob(ctx, r, nil, http.StatusNoContent, http.StatusOK)
}

// Offers returns one page of the offers selected.
func (c *Client) Offers(ctx context.Context, query OfferQuery) (Page[Offer], error) {
	r, _ := c.newRequest(importAPI, "GET", "/v3/sales/offers")
	if fault := query.check(); fault != nil {
		return Page[Offer]{}, invalid(ctx, r, fault)
	}
	r.url += query.encode()
	return listImport(ctx, c, r, paging{query.Page, query.PerPage}, wireOffer.offer)
}

// AllOffers returns the offers selected on all pages, as AllProducts returns products.
func (c *Client) AllOffers(ctx context.Context, query OfferQuery) iter.Seq2[Offer, error] {
	if query.PerPage == 0 {
		query.PerPage = maxPerPage
	}
	return walkPages("/v3/sales/offers", query.Page, query.PerPage, func(o Offer) string { return o.ID },
		func(ctx context.Context, page int) (Page[Offer], error) {
			query.Page = page
			return c.Offers(ctx, query)
		}).all(ctx)
}

// changeByJob makes a call that a job carries out, and returns the job's id. An answer of
// one of the bare statuses may be without a job; then the id is "".
func (c *Client) changeByJob(ctx context.Context, r request, body any, bare ...int) (jobID string, err error) {
	r.effect = changes
	if body != nil {
		if r.body, err = json.Marshal(body); err != nil {
			return "", notSent{fmt.Errorf("writing the request: %w", err)}
		}
	}
	var wire wireData
	readJob := decoded(&wire, func() (fault *FieldError) {
		jobID, fault = readData(wire.Data, wireStarted.id)
		return fault
	})
	err = c.doBearer(ctx, r, func(a *answer) error {
		if a.cut == nil && len(bytes.TrimSpace(a.body)) == 0 && slices.Contains(bare, a.status) {
			return nil
		}
		return readJob(a)
	})
	if err != nil {
		return "", err
	}
	return jobID, nil
}

// wireStarted names the job that a call has started.
type wireStarted struct {
	JobID json.RawMessage `json:"jobId"`
}

func (w wireStarted) id() (string, *FieldError) { return readID("jobId", w.JobID) }

// wireOffer is an offer as G2A sends it. Its price is a string, a number, or an object that
// holds the price for businesses too.
type wireOffer struct {
	ID      json.RawMessage `json:"id"`
	Type    OfferType       `json:"type"`
	Status  OfferStatus     `json:"status"`
	Active  *bool           `json:"active"`
	Product struct {
		ID   json.RawMessage `json:"id"`
		Name string          `json:"name"`
	} `json:"product"`
	Price              json.RawMessage `json:"price"`
	BusinessPrice      json.RawMessage `json:"businessPrice"`
	FinalPrice         json.RawMessage `json:"finalPrice"`
	BusinessFinalPrice json.RawMessage `json:"businessFinalPrice"`
	Visibility         Visibility      `json:"visibility"`
	Inventory          struct {
		Size      *int `json:"size"`
		SoldCount *int `json:"soldCount"`
	} `json:"inventory"`
}

// offer checks and maps.
func (w wireOffer) offer() (Offer, *FieldError) {
	offer := Offer{
		Type: w.Type, Status: w.Status, Active: w.Active, ProductName: w.Product.Name, Visibility: w.Visibility,
		Inventory: w.Inventory.Size, Sold: w.Inventory.SoldCount,
	}
	var fault *FieldError
	if offer.ID, fault = readID("id", w.ID); fault != nil {
		return Offer{}, fault
	}
	if w.Type == "" {
		return Offer{}, &FieldError{Field: "type", Problem: "is missing"}
	}
	if offer.ProductID, fault = readID("product.id", w.Product.ID); fault != nil {
		return Offer{}, fault
	}
	if fault := w.readPrices(&offer); fault != nil {
		return Offer{}, fault
	}
	return offer, cmp.Or(checkCount("inventory.size", offer.Inventory), checkCount("inventory.soldCount", offer.Sold))
}

// readPrices reads the prices of an offer. One that is not nested is in EUR.
func (w wireOffer) readPrices(into *Offer) (fault *FieldError) {
	if bytes.HasPrefix(w.Price, []byte("{")) {
		return w.readNestedPrice(into)
	}
	if into.Price, fault = readWrittenPrice("price", w.Price, ProductCurrency); fault != nil {
		return fault
	}
	if !absent(w.BusinessPrice) {
		if into.BusinessPrice, fault = readWrittenPrice("businessPrice", w.BusinessPrice, ProductCurrency); fault != nil {
			return fault
		}
	}
	if into.FinalPrice, fault = readByCountry("finalPrice", w.FinalPrice, ProductCurrency); fault != nil {
		return fault
	}
	into.BusinessFinalPrice, fault = readByCountry("businessFinalPrice", w.BusinessFinalPrice, ProductCurrency)
	return fault
}

func (w wireOffer) readNestedPrice(into *Offer) (fault *FieldError) {
	var nested wireNestedPrice
	if fault := readElement(w.Price, &nested); fault != nil {
		return fault.within("price")
	}
	if into.Price, fault = nested.Retail.base("price.retail"); fault != nil || nested.Business == nil {
		return fault
	}
	into.BusinessPrice, fault = nested.Business.base("price.business")
	return fault
}

// checkCount checks a number of pieces; nil is absent.
func checkCount(field string, count *int) *FieldError {
	if count != nil && *count < 0 {
		return &FieldError{Field: field, Problem: "is negative"}
	}
	return nil
}

// check reports what cannot be valid in the offer.
func (o NewOffer) check() *FieldError {
	switch {
	case o.ProductID == "":
		return &FieldError{Field: "productId", Problem: "is missing"}
	case len(o.OnlyIn) > 0 && len(o.NotIn) > 0:
		return &FieldError{Field: "regionRestrictions", Problem: "both includes and excludes countries"}
	}
	if !o.BusinessPrice.IsZero() {
		if fault := checkPrice("price.business", o.BusinessPrice); fault != nil {
			return fault
		}
	}
	return cmp.Or(
		readChoice("offerType", o.Type, offerTypes),
		readChoice("visibility", o.Visibility, visibilities),
		checkPrice("price.retail", o.Price),
		checkCount("inventory.size", o.Inventory),
		checkCountries("regionRestrictions", slices.Concat(o.OnlyIn, o.NotIn)),
	)
}

func checkCountries(field string, countries []string) *FieldError {
	for _, country := range countries {
		if !countryPattern.MatchString(country) {
			return &FieldError{Field: field, Problem: "has a country that is not two upper-case letters"}
		}
	}
	return nil
}

// check reports what cannot be valid in the change.
func (o OfferChange) check() *FieldError {
	if fault := readChoice("offerType", o.Type, offerTypes); fault != nil {
		return fault
	}
	if o == (OfferChange{Type: o.Type}) {
		return &FieldError{Field: "variant", Problem: "changes nothing"}
	}
	if o.Price == nil && o.BusinessPrice != nil {
		return &FieldError{Field: "variant.price.retail", Problem: "is missing"}
	}
	if o.Visibility != "" {
		if fault := readChoice("variant.visibility", o.Visibility, visibilities); fault != nil {
			return fault
		}
	}
	if o.Price != nil {
		if fault := checkPrice("variant.price.retail", *o.Price); fault != nil {
			return fault
		}
	}
	if o.BusinessPrice != nil {
		if fault := checkPrice("variant.price.business", *o.BusinessPrice); fault != nil {
			return fault
		}
	}
	return checkCount("variant.inventory.size", o.Inventory)
}

// wireNewOffer is the body of a creation. Clients send one variant.
type wireNewOffer struct {
	Type     OfferType     `json:"offerType"`
	Variants []wireVariant `json:"variants"`
}

// wireOfferChange is the body of a change.
type wireOfferChange struct {
	Type    OfferType   `json:"offerType"`
	Variant wireVariant `json:"variant"`
}

// wireVariant is what both bodies have in common; what is absent is left out.
type wireVariant struct {
	ProductID    string            `json:"productId,omitempty"`
	Price        *wirePrices       `json:"price,omitempty"`
	Active       *bool             `json:"active,omitempty"`
	Archive      *bool             `json:"archive,omitempty"`
	Inventory    *wireSize         `json:"inventory,omitempty"`
	Visibility   Visibility        `json:"visibility,omitempty"`
	Regions      []string          `json:"regions,omitempty"`
	Restrictions *wireRestrictions `json:"regionRestrictions,omitempty"`
}

// wirePrices are the prices of a request: strings.
type wirePrices struct {
	Retail   string `json:"retail"`
	Business string `json:"business,omitempty"`
}

type wireSize struct {
	Size int `json:"size"`
}

type wireRestrictions struct {
	Include []string `json:"include,omitempty"`
	Exclude []string `json:"exclude,omitempty"`
}

func (o NewOffer) wire() wireNewOffer {
	v := wireVariant{
		ProductID: o.ProductID, Price: &wirePrices{Retail: o.Price.Amount.StringFixed(2)}, Active: &o.Active,
		Visibility: o.Visibility, Inventory: sizeOf(o.Inventory), Regions: o.Regions,
	}
	if !o.BusinessPrice.IsZero() {
		v.Price.Business = o.BusinessPrice.Amount.StringFixed(2)
	}
	if len(o.OnlyIn)+len(o.NotIn) > 0 {
		v.Restrictions = &wireRestrictions{Include: o.OnlyIn, Exclude: o.NotIn}
	}
	return wireNewOffer{Type: o.Type, Variants: []wireVariant{v}}
}

func (o OfferChange) wire() wireOfferChange {
	v := wireVariant{Active: o.Active, Archive: o.Archive, Visibility: o.Visibility, Inventory: sizeOf(o.Inventory)}
	if o.Price != nil {
		v.Price = &wirePrices{Retail: o.Price.Amount.StringFixed(2)}
	}
	if o.BusinessPrice != nil {
		v.Price.Business = o.BusinessPrice.Amount.StringFixed(2)
	}
	return wireOfferChange{Type: o.Type, Variant: v}
}

// sizeOf returns an inventory as it is sent; nil is left out.
func sizeOf(pieces *int) *wireSize {
	if pieces == nil {
		return nil
	}
	return &wireSize{Size: *pieces}
}

// check reports what cannot be valid in the query.
func (q OfferQuery) check() *FieldError {
	if q.Type != "" {
		if fault := readChoice("type", q.Type, offerTypes); fault != nil {
			return fault
		}
	}
	return paging{q.Page, q.PerPage}.check()
}

func (q OfferQuery) encode() string {
	values := query{}
	paging{q.Page, q.PerPage}.addTo(values)
	values.text("type", string(q.Type))
	values.flag("active", q.Active)
	values.since("updatedAtFrom", q.UpdatedFrom)
	return values.encode()
}
