// Package g2atest is a G2A to test against, as net/http/httptest is a server to
// test against: a simulator of G2A's sandbox that runs in this process and needs
// no network and no account.
//
//	srv := g2atest.NewServer(t)
//	client := g2a.New(srv.Config(), g2a.Options{
//		Credentials: srv.Credentials,
//		Transport:   srv.Client().Transport,
//	})
//
// A program that is no test makes a Simulator with New and serves it as the
// http.Handler it is.
//
// It serves the Export API v1 (products, orders), the Export API v2 (product offers,
// products, orders, keys), the Import API v3 (offers and their inventory, jobs, prices,
// bestsellers, competitors' offers, the seller's orders), and the token endpoints. Where
// G2A's documentation is silent, the handlers say what was chosen.
//
// # Orders and money
//
// Creating an order reserves one piece for 30 minutes; an order that is not paid by
// then gives it back, and paying it answers ORD114. Paying takes the money from the
// account's wallet, or answers ORD112 when there is not enough. A second pay of the
// same order answers ORD05 and charges nothing, but is counted. A key is revealed
// once, then the answer is ORD004; before the payment it is ORD05, and between the
// payment and the order's completion ORD03. All amounts are exact decimals, in EUR.
//
// The order book holds the SHA-256 of each order's key from the start, so that a test
// can prove that the key a client stored is the one given out, byte for byte.
//
// # Orders of the Export API v2
//
// Creating an order charges the wallet: at once, or as soon as Options.PaymentDelay has
// passed. Its Idempotency-Key names it: the same key with the same body is the same order,
// with another body it is 409. A maxPrice below the price of one piece, and too little
// stock, are 400; an unknown product is 404; too little money is 402. The keys, one a piece,
// can be read again for 48 hours from the order, and are 410 then. Until the order is
// complete there are none, which an empty list says; Options.CompleteAfter counts from the
// payment, and with Options.PendingDetails that many calls for the keys find none, too.
// Options.ChargesAgain and DetailsLag are for the Export API v1 alone.
// An error has the envelope {"error":{"code","message","status","errors"},"traceId"}.
//
// G2A's public documents leave much of that open. Options.V2 has a switch for each other
// reading that a client must survive: see [V2Options]. The order book has quantity,
// idempotency_key and keys_sha256 for these orders; an order of the Export API v1 has one
// key.
//
// # A hostile G2A
//
// G2A can be worse than its documentation. Each of these is off by default:
//
//	Options.ChargesAgain  a second pay of an order succeeds and charges the wallet
//	                      again, as long as the money lasts. The order counts as paid
//	                      and sold once; its record and the stats count every charge.
//	Options.PaymentDelay  a payment is accepted at once and settles later, on the
//	                      simulator's clock. Until then the order is unpaid: details
//	                      say pending, the key is ORD03, the books show no charge. A
//	                      second pay is ORD05 or, with ChargesAgain, one more payment
//	                      that will settle. An accepted payment keeps the order's piece
//	                      and holds its money: a pay that needs it is ORD112.
//	Options.DetailsLag    that many details calls after an order's creation are ORD02,
//	                      and that many after its payment settled say pending. The
//	                      order itself does not lag: it can be paid, and its key
//	                      fetched. With PendingDetails, which does hold back the key,
//	                      the calls that lag come first and the counts add up.
//	Options.FileKeySize   keys that are files are this large, so that they exceed what
//	                      a store takes as one item.
//
// What G2A, or something in front of it, can send in place of a good answer is a fault
// of mode answer, below.
//
// # The Import API
//
// What is not known of it, or differs between the sources, is an option: ImportOptions.
// A seller has one offer of a type for a product; another creation is 409. After five price
// changes of a product within an hour the next one is 429, and the product's price is
// locked for an hour. Simulator.Sell has a buyer take a piece of an offer. Errors have the
// Import API's form, with the code ERROR where none is known.
//
// # Contract
//
// All answers are as the project's contract of G2A has them, those of a fault too,
// but for the modes truncated_body, wrong_content_type and answer, which break it. With
// Options.RateLimit each API takes that many calls a second; the others are answered
// 429 with BR03 and Retry-After, do no work and use up no fault.
//
// # Control routes
//
// They need no authentication and refuse unknown fields; Simulator has a method for
// each.
//
//	POST /_sim/webhook  {"order_id","type","status","event_id"?,"copies"?} signs one
//	                    event and delivers it that many times, one after the other,
//	                    each delivery with a nonce and a timestamp of its own;
//	                    {"event_id","deliveries":[{"status","body","error"?}]}
//	POST /_sim/faults   {"route","mode","status"?,"code"?,"delay_ms"?,"retry_after"?,
//	                    "count"?,"body"?,"body_base64"?,"content_type"?,
//	                    "content_encoding"?}
//	                    puts a fault into the queue of a route
//	GET  /_sim/stats    what was asked and answered, and what became of it
//	GET  /_sim/orders   {"orders":[...]}, the order book, without keys
//	POST /_sim/reset    everything as at the start
//
// A fault's route is a pattern such as "PUT /v1/order/pay/{id}", or "*" for every
// route of G2A's. Its modes are
//
//	status              the answer is this status, with this code and this Retry-After
//	                    in seconds where they are given; the work is not done
//	delay               the work is done after delay_ms, or as soon as the client
//	                    gives up
//	drop_before         the connection is cut; the work is not done
//	drop_after          the work is done; the connection is cut instead of an answer
//	slow_body           the work is done; the answer's headers come at once, and its
//	                    body in pieces, the last one after delay_ms
//	truncated_body      the work is done; the answer has the length of the whole, and
//	                    the connection is cut after the half of it
//	wrong_content_type  the answer is an HTML page, with this status or with 200; the
//	                    work is not done
//	answer              the work is done; the answer is this body, byte for byte, with
//	                    this status or with 200, this content_type or application/json,
//	                    and this content_encoding, if any. Bytes that are not UTF-8 go
//	                    into body_base64 instead; without either the body is empty
//
// In the body of mode answer these placeholders are replaced:
//
//	{{answer}}          the JSON that G2A would have sent, be it an error
//	{{answer_gzip}}     the same, compressed by gzip
//	{{answer_deflate}}  the same, compressed by zlib, as HTTP's deflate is
//	{{key}}             the first key of the call's order, a file's in base64
//	{{keys}}            all its keys, as a JSON list
//	{{order_id}}        its id
//	{{price}}           its price
//
// The last four stay as they are in a call without an order: of another route, of an
// order that is not there, or refused before its order was looked up. {{key}} and {{keys}}
// give keys out in any call, before the payment too; the books count only keys that G2A's
// own answer has.
//
// With HTTP/2 a connection that is cut is the call's stream. In the modes that do not
// need it delay_ms holds the call up before anything else happens. Any code of G2A's
// can be had on any route: a code alone comes with its own status.
//
// Each call uses up one of the count (of one, where it is not given) of the first
// fault in its route's queue; with none there, of the first in the queue of "*".
//
// It imports package g2a alone.
package g2atest
