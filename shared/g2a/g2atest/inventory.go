package g2atest

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
)

type keyCollection struct {
	CollectionUUID string `json:"collectionUuid"`
}

// createInventory is POST /v3/sales/offers/inventory. Its body is not public: {"keys":[...]}
// is one source's. The keys are not kept: how an offer refers to them is not public either.
func (s *Simulator) createInventory(c *call) answer {
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
	return ok(oneOf[keyCollection]{keyCollection{CollectionUUID: s.randomUUID()}})
}

// inventoryItem is a piece of an offer's inventory. Its shape is not public.
type inventoryItem struct {
	ID string `json:"id"`
}

// listInventory is GET /v3/sales/offers/{offerId}/inventory.
func (s *Simulator) listInventory(c *call) answer {
	part, failure := parsePaging(c.query)
	if failure != nil {
		return *failure
	}
	o := s.offer(c.value("offerId"))
	if o == nil {
		return notFound("Offer")
	}
	items := []inventoryItem{}
	for _, id := range o.items {
		items = append(items, inventoryItem{ID: id})
	}
	return ok(pageOf(items, part))
}

// deleteInventory is DELETE /v3/sales/offers/{offerId}/inventory.
func (s *Simulator) deleteInventory(c *call) answer {
	o := s.offer(c.value("offerId"))
	if o == nil {
		return notFound("Offer")
	}
	o.items = nil
	return answer{status: http.StatusNoContent}
}

// deleteInventoryItem is DELETE /v3/sales/offers/{offerId}/inventory/{itemId}.
func (s *Simulator) deleteInventoryItem(c *call) answer {
	o := s.offer(c.value("offerId"))
	if o == nil {
		return notFound("Offer")
	}
	place := slices.Index(o.items, c.value("itemId"))
	if place < 0 {
		return notFound("Item")
	}
	o.items = slices.Delete(o.items, place, place+1)
	return answer{status: http.StatusNoContent}
}
