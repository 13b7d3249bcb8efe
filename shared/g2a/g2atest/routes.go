package g2atest

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"
)

// maxBody is the longest request body that is read, in bytes.
const maxBody = 1 << 20

// unknownRoute is what calls of no route are counted as.
const unknownRoute = "unknown"

// call is one request of G2A's API, as its handler sees it.
type call struct {
	now    time.Time
	id     string                   // of the path, where it has one
	value  func(name string) string // of the path, by the name in its pattern
	query  url.Values
	header http.Header
	body   []byte
	order  *order // set by the operation, where there is one
}

// operation does a call. It is called with the simulator locked.
type operation func(*Simulator, *call) answer

// route registers every call of the APIs and the control routes. The patterns
// are also the names that faults and stats go by.
func (s *Simulator) route() {
	s.mux, s.routes = http.NewServeMux(), map[string]api{}
	for pattern, do := range map[string]operation{
		"GET /v1/products":           withCredentials((*Simulator).listProducts),
		"POST /v1/order":             withCredentials((*Simulator).createOrder),
		"PUT /v1/order/pay/{id}":     withCredentials((*Simulator).payOrder),
		"GET /v1/order/details/{id}": withCredentials((*Simulator).orderDetails),
		"GET /v1/order/key/{id}":     withCredentials((*Simulator).orderKey),
	} {
		s.serve(exportAPI, pattern, do)
	}
	for pattern, do := range map[string]operation{
		"GET /export/v1/product-offers":      withBearer((*Simulator).listProductOffers),
		"GET /export/v1/product-offers/{id}": withBearer((*Simulator).getProductOffer),
		"GET /export/v1/products":            withBearer((*Simulator).listProductDetails),
		"POST /export/v1/orders":             withBearer((*Simulator).placeOrder),
		"GET /export/v1/orders/{id}/keys":    withBearer((*Simulator).orderKeys),
	} {
		s.serve(exportV2API, pattern, do)
	}
	s.serve(importAPI, "POST /oauth/token", (*Simulator).grantToken)
	for _, base := range []string{"/v1", "/integration-api/v1"} { // the sandbox's, and live's
		s.serve(importAPI, "GET "+base+"/token", withCredentials((*Simulator).issueToken))
	}
	s.routeImport()
	s.mux.HandleFunc("/", s.handler(unknownRoute, noSuchCall))
	s.routeControl()
}

// routeImport registers the calls of the Import API v3.
func (s *Simulator) routeImport() {
	for pattern, do := range map[string]operation{
		"POST /v3/sales/offers":                                (*Simulator).createOffer,
		"GET /v3/sales/offers":                                 (*Simulator).listOffers,
		"GET /v3/sales/offers/{offerId}":                       (*Simulator).getOffer,
		"PATCH /v3/sales/offers/{offerId}":                     (*Simulator).changeOffer,
		"DELETE /v3/sales/offers/{offerId}":                    (*Simulator).deleteOffer,
		"POST /v3/sales/offers/inventory":                      (*Simulator).createInventory,
		"GET /v3/sales/offers/{offerId}/inventory":             (*Simulator).listInventory,
		"DELETE /v3/sales/offers/{offerId}/inventory":          (*Simulator).deleteInventory,
		"DELETE /v3/sales/offers/{offerId}/inventory/{itemId}": (*Simulator).deleteInventoryItem,
		"GET /v3/jobs/{jobId}":                                 (*Simulator).getJob,
		"GET /v3/pricing/simulations":                          (*Simulator).simulatePrice,
		"GET /v3/sales/bestsellers":                            (*Simulator).bestsellers,
		"GET /v3/products/{productId}/offers":                  (*Simulator).productOffers,
		"GET /v3/sales/orders":                                 (*Simulator).listSellerOrders,
		"GET /v3/sales/orders/{orderId}":                       (*Simulator).getSellerOrder,
	} {
		s.serve(importAPI, pattern, withToken(do))
	}
}

// serve registers a call that faults may name.
func (s *Simulator) serve(of api, pattern string, do operation) {
	s.routes[pattern] = of
	s.mux.HandleFunc(pattern, s.handler(pattern, do))
}

// handler serves one route: its fault if one is due, else its operation.
func (s *Simulator) handler(route string, do operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		due := s.arrive(route)
		// The body is read before any wait: only then does the server notice that
		// the client has gone.
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		due.hold(r.Context())
		if due.Mode == modeDropBefore {
			s.drop(r, route)
		}
		var reply answer
		switch {
		case err != nil:
			reply = inFormOf(route, unreadable(err))
		case due.Mode == modeStatus, due.Mode == modeHTML:
			reply = inFormOf(route, due.answer())
		case due.Mode == modeAnswer:
			reply = due.inPlaceOf(inFormOf(route, s.do(do, r, body)))
		default:
			reply = inFormOf(route, s.do(do, r, body))
		}
		if s.routes[route] == exportV2API { // what the operation itself says is enveloped already
			reply = reply.enveloped(s.newNonce())
		}
		switch due.Mode {
		case modeTruncated:
			reply.writeHalf(w)
			s.drop(r, route)
		case modeDropAfter:
			s.drop(r, route)
		}
		s.countAnswer(route, reply.status)
		s.options.Log.InfoContext(r.Context(), "g2a simulator answered", "method", r.Method, "route", route, "status", reply.status)
		if due.Mode == modeSlow {
			reply.writeSlowly(r.Context(), w, due.delay())
			return
		}
		reply.write(w)
	}
}

// do carries out an operation with the simulator locked.
func (s *Simulator) do(do operation, r *http.Request, body []byte) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{
		now: s.options.Clock(), id: r.PathValue("id"), value: r.PathValue, query: r.URL.Query(), header: r.Header, body: body,
	}
	s.catchUp(c.now)
	reply := do(s, c)
	reply.order = c.order
	return reply
}

// catchUp does what has fallen due since the last call.
func (s *Simulator) catchUp(now time.Time) {
	s.settlePayments(now)
	s.stock.releaseLapsed(now)
}

// drop cuts the connection (with HTTP/2: the stream) without an answer, or in the
// middle of one. It does not return.
func (s *Simulator) drop(r *http.Request, route string) {
	s.countDropped(route)
	s.options.Log.InfoContext(r.Context(), "g2a simulator dropped the connection", "method", r.Method, "route", route)
	panic(http.ErrAbortHandler)
}

func noSuchCall(*Simulator, *call) answer {
	return answer{status: http.StatusNotFound, body: errorBody{Status: "ERROR", Message: "There is no such call"}}
}

func unreadable(err error) answer {
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return answer{status: http.StatusRequestEntityTooLarge, body: errorBody{Status: "ERROR", Message: "Request is too large", Code: codeInvalidData}}
	}
	return fail(codeInvalidJSON, "Request was cut short")
}
