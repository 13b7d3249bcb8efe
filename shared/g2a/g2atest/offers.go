package g2atest

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"

	"github.com/shopspring/decimal"
)

var (
	offerTypes = []string{"dropshipping", "promo", "steamgift", "game", "preorder"}
	// visibilities are whom an offer is shown to. G2A's documentation is not public
	// here; these are the audiences its marketplace has.
	visibilities = []string{"retail", "business", "all"}
)

// offer is one of the seller's. The fields are those of the request that made it,
// with an id and a status; offers are not in the catalogue and are never sold.
type offer struct {
	ID         string          `json:"id"`
	OfferType  string          `json:"offerType"`
	ProductID  string          `json:"productId"`
	Price      json.Number     `json:"price"` // EUR
	Visibility string          `json:"visibility"`
	Status     string          `json:"status"` // active or inactive
	Active     bool            `json:"active"`
	Inventory  inventory       `json:"inventory"`
	Variant    json.RawMessage `json:"variant,omitempty"` // an object, kept as it came
}

type inventory struct {
	Size int `json:"size"` // pieces
}

// readers are those of the fields that POST and PATCH have in common.
func (o *offer) readers() map[string]func(json.RawMessage) error {
	return map[string]func(json.RawMessage) error{
		"price":      o.readPrice,
		"visibility": choiceInto(&o.Visibility, visibilities...),
		"active":     boolInto(&o.Active),
		"inventory":  o.readInventory,
		"variant":    o.readVariant,
	}
}

func (o *offer) readPrice(value json.RawMessage) error {
	var price *decimal.Decimal
	if err := readPrice(string(value), &price); err != nil || price.IsZero() {
		return errors.New("must be a price such as 12.50, and not zero")
	}
	o.Price = number(*price)
	return nil
}

// readInventory takes {"size": n}.
func (o *offer) readInventory(value json.RawMessage) error {
	var wire struct {
		Size json.RawMessage `json:"size"`
	}
	if json.Unmarshal(value, &wire) != nil || readWhole(string(wire.Size), 0, &o.Inventory.Size) != nil {
		return errors.New(`must be an object such as {"size": 10}`)
	}
	return nil
}

func (o *offer) readVariant(value json.RawMessage) error {
	if value[0] != '{' {
		return errors.New("must be an object")
	}
	o.Variant = value
	return nil
}

// settle sets what follows from the other fields.
func (o *offer) settle() {
	o.Status = "inactive"
	if o.Active {
		o.Status = "active"
	}
}

// job is work that G2A does behind a call.
type job struct {
	JobID        string `json:"jobId"`
	ResourceID   string `json:"resourceId"`
	ResourceType string `json:"resourceType"`
	Status       string `json:"status"`
}

type startedJob struct {
	JobID string `json:"jobId"`
}

// createOffer is POST /offers. The offer is there at once, and its job is
// completed when it is first asked for; a request that is not good is refused, so
// no job ever fails.
func (s *Simulator) createOffer(c *call) answer {
	o := &offer{Active: true}
	readers := o.readers()
	readers["offerType"] = choiceInto(&o.OfferType, offerTypes...)
	readers["productId"] = textInto(&o.ProductID)
	if failure := readBody(c.body, readers); failure != nil {
		return *failure
	}
	for _, required := range []struct{ name, value string }{
		{"offerType", o.OfferType}, {"productId", o.ProductID}, {"price", o.Price.String()}, {"visibility", o.Visibility},
	} {
		if required.value == "" {
			return *invalid(required.name, errMissing)
		}
	}
	if _, found := s.stock.place[o.ProductID]; !found {
		return *invalid("productId", errNoProduct)
	}
	o.ID = s.randomUUID()
	o.settle()
	s.offers = append(s.offers, o)
	j := job{JobID: s.randomUUID(), ResourceID: o.ID, ResourceType: "offer", Status: "completed"}
	s.jobs[j.JobID] = j
	return ok(startedJob{JobID: j.JobID})
}

// getJob is GET /jobs/{id}.
func (s *Simulator) getJob(c *call) answer {
	j, found := s.jobs[c.id]
	if !found {
		return notFound("Job")
	}
	return ok(j)
}

// listOffers is GET /offers, the oldest offer first.
func (s *Simulator) listOffers(c *call) answer {
	part, failure := parsePaging(c.query)
	if failure != nil {
		return *failure
	}
	matches, failure := parseOfferFilter(c.query)
	if failure != nil {
		return *failure
	}
	found := []offer{}
	for _, o := range s.offers {
		if matches(*o) {
			found = append(found, *o)
		}
	}
	return ok(pageOf(found, part))
}

// parseOfferFilter reads the query of GET /offers. What is absent does not filter.
func parseOfferFilter(query url.Values) (func(offer) bool, *answer) {
	productID, status, offerType := query.Get("productId"), query.Get("status"), query.Get("offerType")
	var active bool
	given := query.Get("active") != ""
	if given {
		if err := readBool(query.Get("active"), &active); err != nil {
			return nil, invalid("active", err)
		}
	}
	if offerType != "" && !slices.Contains(offerTypes, offerType) {
		return nil, invalid("offerType", errors.New("there is no such type"))
	}
	return func(o offer) bool {
		return (productID == "" || o.ProductID == productID) &&
			(status == "" || o.Status == status) &&
			(offerType == "" || o.OfferType == offerType) &&
			(!given || o.Active == active)
	}, nil
}

// getOffer is GET /offers/{id}.
func (s *Simulator) getOffer(c *call) answer {
	o := s.offer(c.id)
	if o == nil {
		return notFound("Offer")
	}
	return ok(*o)
}

// changeOffer is PATCH /offers/{id}: all of the change or, where a part of it is
// not good, none.
func (s *Simulator) changeOffer(c *call) answer {
	o := s.offer(c.id)
	if o == nil {
		return notFound("Offer")
	}
	changed := *o
	if failure := readBody(c.body, changed.readers()); failure != nil {
		return *failure
	}
	changed.settle()
	*o = changed
	return ok(changed)
}

type keyCollection struct {
	CollectionUUID string `json:"collectionUuid"`
}

// addInventory is POST /offers/{id}/inventory. The keys are counted, not kept.
func (s *Simulator) addInventory(c *call) answer {
	o := s.offer(c.id)
	if o == nil {
		return notFound("Offer")
	}
	var keys []string
	if failure := readBody(c.body, map[string]func(json.RawMessage) error{
		"keys": func(v json.RawMessage) error {
			if json.Unmarshal(v, &keys) != nil || slices.Contains(keys, "") {
				return errors.New("must be a list of texts that are not empty")
			}
			return nil
		},
	}); failure != nil {
		return *failure
	}
	if len(keys) == 0 {
		return *invalid("keys", errMissing)
	}
	o.Inventory.Size += len(keys)
	return ok(keyCollection{CollectionUUID: s.randomUUID()})
}

// offer finds an offer, or gives nil.
func (s *Simulator) offer(id string) *offer {
	for _, o := range s.offers {
		if o.ID == id {
			return o
		}
	}
	return nil
}
