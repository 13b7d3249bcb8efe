// Package contracttest checks HTTP calls and JSON documents against the files of package
// contracts: G2A's two APIs as this project calls them, what it serves, and the shapes of
// its events, items and payloads.
//
// A client is checked, each request and its answer, by one line in its test:
//
//	client := g2a.New(srv.Config(), g2a.Options{
//		Credentials: srv.Credentials,
//		Transport:   contracttest.G2A().Transport(srv.Client().Transport, func(err error) { t.Error(err) }),
//	})
//
// A test of a server sends what is to be refused, too. There the answers alone are
// checked, and nothing that is not in the contract may be answered with success:
//
//	http := &http.Client{Transport: contracttest.Service().Answers(http.DefaultTransport, func(err error) { t.Error(err) })}
//
// A payload or an item is checked by its schema, the name of its file:
//
//	err := contracttest.Schema("order-output").Validate(payload)
//
// The package is for tests: its errors quote what they complain about, which may be
// a key or a token.
//
// # Which validator does what
//
// The documents are OpenAPI 3.1, whose schemas are JSON Schema 2020-12, so that a
// shape has one file for both. kin-openapi loads and validates the documents, finds
// the operation of a request by its path alone (a test's host is its own), and checks
// parameters and headers. Bodies are checked with jsonschema directly: kin-openapi
// falls back, without a word, to a validator that knows no const, if or
// propertyNames when a schema refers to another file. jsonschema takes numbers digit
// for digit, so that multipleOf 0.01 holds for 4.99 and not for 4.999.
//
// It imports package contracts alone, and the validators; only tests import it.
package contracttest
