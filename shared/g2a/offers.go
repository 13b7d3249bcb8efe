package g2a

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/url"
	"slices"
)

// OfferType is what kind of thing is sold.
type OfferType string

// The types G2A documents.
const (
	OfferDropshipping OfferType = "dropshipping"
	OfferPromo        OfferType = "promo"
	OfferSteamGift    OfferType = "steamgift"
	OfferGame         OfferType = "game"
	OfferPreorder     OfferType = "preorder"
)

var offerTypes = []OfferType{OfferDropshipping, OfferPromo, OfferSteamGift, OfferGame, OfferPreorder}

// Visibility is whom an offer is shown to. G2A's documentation does not list the
// values; these are the audiences its marketplace has.
type Visibility string

// Whom an offer is shown to.
const (
	VisibleRetail   Visibility = "retail"
	VisibleBusiness Visibility = "business"
	VisibleAll      Visibility = "all"
)

var visibilities = []Visibility{VisibleRetail, VisibleBusiness, VisibleAll}

// OfferStatus is whether an offer is for sale. G2A's documentation names the field and
// not its values; these are assumed.
type OfferStatus string

// The statuses of offers.
const (
	OfferActive   OfferStatus = "active"
	OfferInactive OfferStatus = "inactive"
)

var offerStatuses = []OfferStatus{OfferActive, OfferInactive}

// Offer is one of the seller's own offers.
type Offer struct {
	ID         string
	Type       OfferType
	ProductID  string
	Price      Money
	Visibility Visibility
	Status     OfferStatus
	Active     bool
	Inventory  *int            // pieces, nil where G2A does not say
	Variant    json.RawMessage // a JSON object as G2A sent it, nil where there is none
}

// NewOffer is an offer to create.
type NewOffer struct {
	Type       OfferType
	ProductID  string
	Price      Money // in EUR
	Visibility Visibility
	Inventory  *int            // pieces; nil is left out
	Variant    json.RawMessage // a JSON object; nil is left out
}

// OfferChange is what to change of an offer; what is nil or "" stays as it is.
type OfferChange struct {
	Price      *Money // in EUR
	Visibility Visibility
	Active     *bool
	Inventory  *int            // pieces
	Variant    json.RawMessage // a JSON object
}

// OfferQuery selects offers. The zero value selects all.
type OfferQuery struct {
	Page      int // from 1; 0 is the first
	PerPage   int // 10, 20, 50 or 100; 0 is G2A's choice
	ProductID string
	Status    OfferStatus
	Type      OfferType
	Active    *bool
}

// CreateOffer puts a product up for sale. A job does it, whose id is returned: WaitJob
// returns the offer's. G2A takes no reference of ours, so two calls are two offers; after
// an unknown outcome the list of offers shows whether there is one.
func (c *Client) CreateOffer(ctx context.Context, offer NewOffer) (jobID string, err error) {
	var wire struct {
		JobID json.RawMessage `json:"jobId"`
	}
	r := request{api: importAPI, method: "POST", route: "/offers", url: c.cfg.ImportURL + "/v1/offers", effect: changes}
	if fault := offer.check(); fault != nil {
		return "", invalid(ctx, r, fault)
	}
	if r.body, err = json.Marshal(offer.wire()); err != nil {
		return "", notSent{fmt.Errorf("writing the offer: %w", err)}
	}
	err = c.doBearer(ctx, r, decoded(&wire, func() (fault *FieldError) {
		jobID, fault = readID("jobId", wire.JobID)
		return fault
	}))
	if err != nil {
		return "", err
	}
	return jobID, nil
}

// Offer returns one offer.
func (c *Client) Offer(ctx context.Context, id string) (Offer, error) {
	return c.offer(ctx, request{api: importAPI, method: "GET", route: "/offers/{id}"}, id)
}

// ChangeOffer changes an offer and returns it as it is then.
func (c *Client) ChangeOffer(ctx context.Context, id string, change OfferChange) (Offer, error) {
	r := request{api: importAPI, method: "PATCH", route: "/offers/{id}", effect: changes}
	if fault := change.check(); fault != nil {
		return Offer{}, invalid(ctx, r, fault)
	}
	var err error
	if r.body, err = json.Marshal(change.wire()); err != nil {
		return Offer{}, notSent{fmt.Errorf("writing the change: %w", err)}
	}
	return c.offer(ctx, r, id)
}

// offer makes a call that returns the offer of this id.
func (c *Client) offer(ctx context.Context, r request, id string) (Offer, error) {
	r.url = c.cfg.ImportURL + "/v1/offers/" + url.PathEscape(id)
	if fault := checkID(id); fault != nil {
		return Offer{}, invalid(ctx, r, fault)
	}
	var wire wireOffer
	var offer Offer
	err := c.doBearer(ctx, r, decoded(&wire, func() (fault *FieldError) {
		offer, fault = wire.offer()
		return fault
	}))
	if err != nil {
		return Offer{}, err
	}
	return offer, nil
}

// Offers returns one page of the offers selected.
func (c *Client) Offers(ctx context.Context, query OfferQuery) (Page[Offer], error) {
	r := request{api: importAPI, method: "GET", route: "/offers", url: c.cfg.ImportURL + "/v1/offers" + query.encode()}
	if fault := query.check(); fault != nil {
		return Page[Offer]{}, invalid(ctx, r, fault)
	}
	var wire wirePage
	var page Page[Offer]
	err := c.doBearer(ctx, r, decoded(&wire, func() (fault *FieldError) {
		page, fault = readPage(wire, wireOffer.offer)
		return fault
	}))
	if err != nil {
		return Page[Offer]{}, err
	}
	return page, nil
}

// AllOffers returns the offers selected on all pages, as AllProducts returns products.
func (c *Client) AllOffers(ctx context.Context, query OfferQuery) iter.Seq2[Offer, error] {
	if query.PerPage == 0 {
		query.PerPage = maxPerPage
	}
	return walkPages("/offers", query.Page, query.PerPage, func(o Offer) string { return o.ID },
		func(ctx context.Context, page int) (Page[Offer], error) {
			query.Page = page
			return c.Offers(ctx, query)
		}).all(ctx)
}

// AddInventory adds keys to an offer and returns the id of the collection they are in.
// After an unknown outcome they may have been added: adding them again would sell a key
// twice.
func (c *Client) AddInventory(ctx context.Context, offerID string, keys []Secret) (collectionUUID string, err error) {
	r := request{
		api: importAPI, method: "POST", route: "/offers/{id}/inventory", effect: changes, secrets: keys,
		url: c.cfg.ImportURL + "/v1/offers/" + url.PathEscape(offerID) + "/inventory",
	}
	if fault := checkID(offerID); fault != nil {
		return "", invalid(ctx, r, fault)
	}
	if len(keys) == 0 {
		return "", invalid(ctx, r, &FieldError{Field: "keys", Problem: "is empty"})
	}
	texts := make([]string, len(keys))
	for i, key := range keys {
		if key.IsZero() {
			return "", invalid(ctx, r, &FieldError{Field: fmt.Sprintf("keys[%d]", i), Problem: "is empty"})
		}
		texts[i] = key.Reveal()
	}
	if r.body, err = json.Marshal(map[string]any{"keys": texts}); err != nil {
		return "", notSent{fmt.Errorf("writing the keys: %w", err)}
	}
	var wire struct {
		CollectionUUID json.RawMessage `json:"collectionUuid"`
	}
	err = c.doBearer(ctx, r, decoded(&wire, func() (fault *FieldError) {
		collectionUUID, fault = readID("collectionUuid", wire.CollectionUUID)
		return fault
	}))
	if err != nil {
		return "", err
	}
	return collectionUUID, nil
}

// wireOffer is an offer as G2A sends it. Pointers distinguish absent from zero.
type wireOffer struct {
	ID         json.RawMessage `json:"id"`
	Type       OfferType       `json:"offerType"`
	ProductID  json.RawMessage `json:"productId"`
	Price      json.RawMessage `json:"price"`
	Visibility Visibility      `json:"visibility"`
	Status     OfferStatus     `json:"status"`
	Active     *bool           `json:"active"`
	Inventory  *struct {
		Size *int `json:"size"`
	} `json:"inventory"`
	Variant json.RawMessage `json:"variant"`
}

// offer checks and maps.
func (w wireOffer) offer() (Offer, *FieldError) {
	offer := Offer{Type: w.Type, Visibility: w.Visibility, Status: w.Status}
	var fault *FieldError
	if offer.ID, fault = readID("id", w.ID); fault != nil {
		return Offer{}, fault
	}
	if offer.ProductID, fault = readID("productId", w.ProductID); fault != nil {
		return Offer{}, fault
	}
	if offer.Price, fault = readPrice("price", w.Price, ProductCurrency); fault != nil {
		return Offer{}, fault
	}
	for _, fault := range []*FieldError{
		readChoice("offerType", w.Type, offerTypes),
		readChoice("visibility", w.Visibility, visibilities),
		readChoice("status", w.Status, offerStatuses),
	} {
		if fault != nil {
			return Offer{}, fault
		}
	}
	if w.Active == nil {
		return Offer{}, &FieldError{Field: "active", Problem: "is missing"}
	}
	offer.Active = *w.Active
	if w.Inventory != nil {
		switch offer.Inventory = w.Inventory.Size; {
		case offer.Inventory == nil:
			return Offer{}, &FieldError{Field: "inventory.size", Problem: "is missing"}
		case *offer.Inventory < 0:
			return Offer{}, &FieldError{Field: "inventory.size", Problem: "is negative"}
		}
	}
	if !absent(w.Variant) {
		if fault := checkVariant(w.Variant); fault != nil {
			return Offer{}, fault
		}
		offer.Variant = slices.Clone(w.Variant)
	}
	return offer, nil
}

// checkVariant takes any JSON object: its fields are not documented.
func checkVariant(variant json.RawMessage) *FieldError {
	if !json.Valid(variant) || !bytes.HasPrefix(bytes.TrimLeft(variant, " \t\r\n"), []byte("{")) {
		return &FieldError{Field: "variant", Problem: "is not a JSON object"}
	}
	return nil
}

// check reports what cannot be valid in the offer.
func (o NewOffer) check() *FieldError {
	for _, fault := range []*FieldError{
		readChoice("offerType", o.Type, offerTypes),
		readChoice("visibility", o.Visibility, visibilities),
		checkPrice("price", o.Price),
	} {
		if fault != nil {
			return fault
		}
	}
	if o.ProductID == "" {
		return &FieldError{Field: "productId", Problem: "is missing"}
	}
	return checkStock(o.Inventory, o.Variant)
}

// check reports what cannot be valid in the change.
func (o OfferChange) check() *FieldError {
	if o.Price == nil && o.Visibility == "" && o.Active == nil && o.Inventory == nil && o.Variant == nil {
		return &FieldError{Field: "price, visibility, active, inventory or variant", Problem: "is missing"}
	}
	if o.Price != nil {
		if fault := checkPrice("price", *o.Price); fault != nil {
			return fault
		}
	}
	if o.Visibility != "" {
		if fault := readChoice("visibility", o.Visibility, visibilities); fault != nil {
			return fault
		}
	}
	return checkStock(o.Inventory, o.Variant)
}

// checkStock checks what an offer and its change have in common; nil is absent.
func checkStock(inventory *int, variant json.RawMessage) *FieldError {
	if inventory != nil && *inventory < 0 {
		return &FieldError{Field: "inventory.size", Problem: "is negative"}
	}
	if variant != nil {
		return checkVariant(variant)
	}
	return nil
}

// wireOfferRequest is the body of both requests; what is absent is left out.
type wireOfferRequest struct {
	Type       OfferType       `json:"offerType,omitempty"`
	ProductID  string          `json:"productId,omitempty"`
	Price      json.Number     `json:"price,omitempty"`
	Visibility Visibility      `json:"visibility,omitempty"`
	Active     *bool           `json:"active,omitempty"`
	Inventory  *wireInventory  `json:"inventory,omitempty"`
	Variant    json.RawMessage `json:"variant,omitempty"`
}

type wireInventory struct {
	Size int `json:"size"`
}

func (o NewOffer) wire() wireOfferRequest {
	w := wireOfferRequest{Type: o.Type, ProductID: o.ProductID, Visibility: o.Visibility, Variant: o.Variant}
	w.Price = json.Number(o.Price.Amount.String())
	if o.Inventory != nil {
		w.Inventory = &wireInventory{Size: *o.Inventory}
	}
	return w
}

func (o OfferChange) wire() wireOfferRequest {
	w := wireOfferRequest{Visibility: o.Visibility, Active: o.Active, Variant: o.Variant}
	if o.Price != nil {
		w.Price = json.Number(o.Price.Amount.String())
	}
	if o.Inventory != nil {
		w.Inventory = &wireInventory{Size: *o.Inventory}
	}
	return w
}

// check reports what cannot be valid in the query.
func (q OfferQuery) check() *FieldError {
	if q.Type != "" {
		if fault := readChoice("offerType", q.Type, offerTypes); fault != nil {
			return fault
		}
	}
	if q.Status != "" {
		if fault := readChoice("status", q.Status, offerStatuses); fault != nil {
			return fault
		}
	}
	return checkPaging(q.Page, q.PerPage)
}

func (q OfferQuery) encode() string {
	values := query{}
	values.number("page", q.Page)
	values.number("perPage", q.PerPage)
	values.text("productId", q.ProductID)
	values.text("status", string(q.Status))
	values.text("offerType", string(q.Type))
	values.flag("active", q.Active)
	return values.encode()
}
