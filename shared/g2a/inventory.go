package g2a

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// AddInventory gives G2A keys to sell and returns the id of the collection they are in. The
// collection is created before the offer. The body is not public: {"keys":[...]}, and the
// answer's collectionUuid, are the reading of one source. After an unknown outcome the keys
// may have been added: adding them again would sell a key twice.
func (c *Client) AddInventory(ctx context.Context, keys []Secret) (collectionID string, err error) {
	r, _ := c.newRequest(importAPI, "POST", "/v3/sales/offers/inventory")
	r.effect, r.secrets = changes, keys
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
		Data *wireCollection `json:"data"`
		wireCollection
	}
	err = c.doBearer(ctx, r, decoded(&wire, func() (fault *FieldError) {
		if wire.Data != nil {
			wire.wireCollection = *wire.Data
		}
		collectionID, fault = readID("collectionUuid", wire.ID)
		return fault
	}))
	if err != nil {
		return "", err
	}
	return collectionID, nil
}

// wireCollection is a collection of keys as G2A sends it, within data or without.
type wireCollection struct {
	ID json.RawMessage `json:"collectionUuid"`
}

// Inventory returns one page of an offer's inventory as G2A sends it: a JSON document whose
// shape is not public, and a Secret because it may hold keys. page is from 1 and perPage to
// 100; 0 is G2A's choice.
func (c *Client) Inventory(ctx context.Context, offerID string, page, perPage int) (Secret, error) {
	r, fault := c.newRequest(importAPI, "GET", "/v3/sales/offers/{offerId}/inventory", offerID)
	asked := paging{page, perPage}
	if fault = cmp.Or(fault, asked.check()); fault != nil {
		return Secret{}, invalid(ctx, r, fault)
	}
	values := query{}
	asked.addTo(values)
	r.url += values.encode()
	var document json.RawMessage
	if err := c.doBearer(ctx, r, decoded(&document, func() *FieldError { return nil })); err != nil {
		return Secret{}, err
	}
	return NewSecret(string(document)), nil
}

// DeleteInventory takes an offer's whole inventory off the market.
func (c *Client) DeleteInventory(ctx context.Context, offerID string) error {
	return c.remove(ctx, "/v3/sales/offers/{offerId}/inventory", offerID)
}

// DeleteInventoryItem takes one item of an offer's inventory off the market.
func (c *Client) DeleteInventoryItem(ctx context.Context, offerID, itemID string) error {
	return c.remove(ctx, "/v3/sales/offers/{offerId}/inventory/{itemId}", offerID, itemID)
}

// remove makes a DELETE call that answers 204.
func (c *Client) remove(ctx context.Context, route string, ids ...string) error {
	r, fault := c.newRequest(importAPI, "DELETE", route, ids...)
	if fault != nil {
		return invalid(ctx, r, fault)
	}
	r.effect = changes
	return c.doBearer(ctx, r, func(a *answer) error {
		if a.status != http.StatusNoContent {
			return &FieldError{Problem: "is not 204 No Content"}
		}
		return nil
	})
}
