package g2a_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// TestCollectionOfKeys: its id is within data, or not.
func TestCollectionOfKeys(t *testing.T) {
	tests := []struct{ name, body, want, fault string }{
		{"within data", goodCollection, "c1", ""},
		{"without data", `{"collectionUuid":"c2"}`, "c2", ""},
		{"nothing", `{}`, "", "field collectionUuid is missing"},
		{"null", `{"data":{"collectionUuid":null}}`, "", "field collectionUuid is missing"},
		{"an object", `{"data":{"collectionUuid":{"hunter2":1}}}`, "", "field collectionUuid is neither"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := newClient(&script{replies: []reply{answer(200, test.body)}}).AddInventory(t.Context(), []g2a.Secret{g2a.NewSecret("AAAA")})
			if got != test.want || test.fault == "" && err != nil {
				t.Errorf("collection %q, error %v; want %q", got, err, test.want)
			}
			if test.fault != "" {
				assertMalformed(t, err, test.fault)
			}
		})
	}
}

// TestKeysAreNotRepeated: an error does not tell a key that G2A quotes.
func TestKeysAreNotRepeated(t *testing.T) {
	refusal := answer(400, `{"errors":[{"code":"INV1","message":"the key AAAA-BBBB is there already"}]}`)
	_, err := newClient(&script{replies: []reply{refusal}}).AddInventory(t.Context(), []g2a.Secret{g2a.NewSecret("AAAA-BBBB")})
	if err == nil || strings.Contains(err.Error(), "AAAA") || !strings.Contains(err.Error(), "the key [redacted] is there already") {
		t.Errorf("error is %v, want it without the key", err)
	}
}

// TestInventory: the document is kept as it came, and not printed.
func TestInventory(t *testing.T) {
	const document = `{"data":[{"key":"AAAA-BBBB","n":1.10}],"meta":null}`
	g2aServer := &script{replies: []reply{answer(200, document)}}
	got, err := newClient(g2aServer).Inventory(t.Context(), "o/1", 2, 50)
	if err != nil || got.Reveal() != document || strings.Contains(fmt.Sprint(got), "AAAA") {
		t.Errorf("inventory is %s, error %v", got.Reveal(), err)
	}
	if u := g2aServer.requests()[0].URL; u.EscapedPath() != "/v3/sales/offers/o%2F1/inventory" || u.RawQuery != "itemsPerPage=50&page=2" {
		t.Errorf("asked for %s", u)
	}
	_, err = newClient(&script{replies: []reply{answer(200, "<html>hunter2")}}).Inventory(t.Context(), "o1", 0, 0)
	assertMalformed(t, err, "not the JSON expected")
}

// TestDeletedInventory: 204 alone says that it is gone, and no call is repeated.
func TestDeletedInventory(t *testing.T) {
	for path, remove := range map[string]func(context.Context, *g2a.Client) error{
		"/v3/sales/offers/o1/inventory":    func(ctx context.Context, c *g2a.Client) error { return c.DeleteInventory(ctx, "o1") },
		"/v3/sales/offers/o1/inventory/i2": func(ctx context.Context, c *g2a.Client) error { return c.DeleteInventoryItem(ctx, "o1", "i2") },
	} {
		for _, test := range []struct {
			reply reply
			kind  error
		}{
			{answer(204, ""), nil},
			{answer(200, "<html>"), g2a.ErrMalformedAnswer},
			{answer(404, `{"errors":[{"code":"X","message":"no"}]}`), g2a.ErrNotFound},
			{answer(503, ""), g2a.ErrUnavailable},
		} {
			g2aServer := &script{replies: []reply{test.reply}}
			err := remove(t.Context(), newClient(g2aServer))
			if !errors.Is(err, test.kind) || len(g2aServer.requests()) != 1 {
				t.Errorf("error is %v after %d requests, want %v after one", err, len(g2aServer.requests()), test.kind)
			}
			if r := g2aServer.requests()[0]; r.Method != "DELETE" || r.URL.Path != path || r.ContentLength != 0 {
				t.Errorf("sent %s %s", r.Method, r.URL)
			}
		}
	}
}
