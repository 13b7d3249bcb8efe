//go:build proof

package orders

import (
	"encoding/json"
	"regexp"
	"strings"

	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
)

// call is a call that an invocation makes to DynamoDB or to G2A.
type call struct {
	trace  string               // the root of the invocation's trace
	name   string               // "load", "save quoted", "GET /v1/products"
	record map[string]attribute // the order's record that it writes, or nil
	write  bool                 // of the store
}

// ofG2A reports whether it is one to G2A, whose names are the routes that the
// simulator knows.
func (c call) ofG2A() bool { return strings.Contains(c.name, " /") }

// attribute is a text or a number of an item.
type attribute struct{ S, N string }

// storeRequest is what a request to DynamoDB is told by.
type storeRequest struct {
	Key, Item     map[string]attribute
	TransactItems []struct {
		Put *struct{ Item map[string]attribute }
	}
}

// storeCall reads a request to DynamoDB. A record that is put is named by its step;
// claims and releases are told from it by stack.name.
func storeCall(r *proof.Request) call {
	c := call{trace: r.TraceRoot()}
	var request storeRequest
	_ = json.Unmarshal(r.Body, &request) // another form is another call, which keeps its name
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	c.name = operation
	if strings.HasPrefix(request.Key["pk"].S+request.Item["pk"].S, "TOKEN#") {
		return call{name: operation} // no order's: proofs of their own are about the token
	}
	switch {
	case operation == "GetItem" && strings.HasPrefix(request.Key["pk"].S, "ORDER#"):
		c.name = "load"
	case operation == "GetItem" && strings.HasPrefix(request.Key["pk"].S, "G2A#"):
		c.name = "status"
	case operation == "PutItem":
		c.record, c.write = request.Item, true
		c.name = "save " + c.record["step"].S
	case operation == "TransactWriteItems":
		c.name, c.write = "webhook", true
		for _, item := range request.TransactItems {
			if item.Put != nil && strings.HasPrefix(item.Put.Item["pk"].S, "ORDER#") {
				c.record = item.Put.Item
				c.name = "link " + c.record["step"].S
			}
		}
	}
	return c
}

// The routes of G2A that the purchase calls.
const (
	productsRoute = "GET /v1/products"
	orderRoute    = "POST /v1/order"
	payRoute      = "PUT /v1/order/pay/{id}"
	detailsRoute  = "GET /v1/order/details/{id}"
	keyRoute      = "GET /v1/order/key/{id}"
)

// idPath is a path with an id, which may be followed by more.
var idPath = regexp.MustCompile(`^(/v1/order/(?:pay|details|key)/|/export/v1/(?:orders|product-offers)/)[^/]+`)

// g2aCall reads a request to G2A. One for a token is no order's.
func g2aCall(r *proof.Request) call {
	c := call{trace: r.Header.Get("X-Correlation-ID"), name: r.Method + " " + idPath.ReplaceAllString(r.URL.Path, "$1{id}")}
	if strings.HasSuffix(r.URL.Path, "/token") {
		c.trace = ""
	}
	return c
}
