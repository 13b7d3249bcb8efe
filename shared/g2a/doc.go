// Package g2a is a client for G2A's integration APIs: the Export APIs v1 and v2, which buy
// (catalogue, orders, keys), and the Import API, which sells (offers, jobs, prices,
// bestsellers, orders); and for the webhooks of the integration plan.
//
//	cfg, err := g2a.ParseConfig(os.LookupEnv)
//	if err != nil {
//		return err
//	}
//	credentials, _, err := g2a.ParseCredentials(os.LookupEnv)
//	if err != nil {
//		return err
//	}
//	client := g2a.New(cfg, g2a.Options{Credentials: credentials})
//	product, err := client.Product(ctx, "10000000000001")
//
// By default that is G2A's sandbox; G2A_ENV=live spends real money. Money is an exact
// decimal with its currency. Credentials, tokens and product keys are of type [Secret],
// which prints as "[redacted]" everywhere. Package g2atest is a G2A to test against.
//
// # Calls
//
// Repeated is when the client repeats a call by itself: freely is after 429, 5xx or no
// answer.
//
// The Export API v1, at /v1, with the API hash and key:
//
//	route                    Go                             effect                    repeated source       confidence
//	GET  /products           Products, AllProducts, Product -                         freely   php, sandbox high
//	POST /order              CreateOrder                    reserves stock for 30 min 429      page, php    high
//	PUT  /order/pay/{id}     PayOrder                       charges the account       429      php          high
//	GET  /order/details/{id} OrderDetails                   -                         freely   php          high
//	GET  /order/key/{id}     OrderKey                       reveals the key, once     429      php          high
//
// The Export API v2, at /export/v1, with an access token:
//
//	route                     Go                              effect              repeated source         confidence
//	GET  /product-offers      ProductOffers, AllProductOffers -                   freely   clients        high
//	GET  /product-offers/{id} ProductOffer                    -                   freely   client         medium
//	GET  /products            ProductDetails                  -                   freely   clients        high
//	POST /orders              PlaceOrder                      charges the account 429      digest, client medium
//	GET  /orders/{id}/keys    OrderKeys                       reveals the keys    429      digest, client medium
//
// The Import API, with an access token:
//
//	route                                         Go                            effect           repeated source           confidence
//	POST   /v3/sales/offers                       CreateOffer                   offers a product 429      outline, clients high
//	GET    /v3/sales/offers                       Offers, AllOffers             -                freely   outline, clients high
//	GET    /v3/sales/offers/{id}                  Offer                         -                freely   outline, clients high
//	PATCH  /v3/sales/offers/{id}                  ChangeOffer                   changes it       429      outline, clients medium
//	DELETE /v3/sales/offers/{id}                  DeleteOffer                   deletes it       429      outline, clients medium
//	POST   /v3/sales/offers/inventory             AddInventory                  stores keys      429      outline          low
//	GET    /v3/sales/offers/{id}/inventory        Inventory                     -                freely   outline          low
//	DELETE /v3/sales/offers/{id}/inventory        DeleteInventory               removes all keys 429      outline          medium
//	DELETE /v3/sales/offers/{id}/inventory/{item} DeleteInventoryItem           removes one key  429      outline          medium
//	GET    /v3/jobs/{id}                          Job, WaitJob                  -                freely   clients          high
//	GET    /v3/pricing/simulations                SimulatePrice                 -                freely   clients          high
//	GET    /v3/sales/bestsellers                  Bestsellers, AllBestsellers   -                freely   clients          medium
//	GET    /v3/products/{id}/offers               CompetitorOffers              -                freely   clients          medium
//	GET    /v3/sales/orders                       SellerOrders, AllSellerOrders -                freely   outline, clients low
//	GET    /v3/sales/orders/{id}                  SellerOrder                   -                freely   outline, clients low
//
// The token endpoint:
//
//	route             Go                           effect         repeated source           confidence
//	POST /oauth/token FetchToken, FetchTokenFor    issues a token freely   sandbox, clients high
//	GET  /token       FetchToken, with TokenByHash issues a token freely   plan             low
//
// The source is the best one for the call and the shape of its answer:
//
//	page      G2A's public "Developers API" page
//	php       G2A's official PHP client, its tests, and the maintainers' words in its issues
//	sandbox   answers observed on G2A's sandbox
//	outline   an outline of G2A's OpenAPI document for the Import API, without its bodies
//	digest    digests that others have made of G2A's pages
//	client(s) public clients of others: what they send and expect, not what G2A answers
//	plan      the integration plan alone
//
// Confidence is high with G2A's own text or code, an observed answer, or three clients
// that agree; medium with a detailed digest or two clients; low otherwise.
//
// A call that charges, creates or reveals something is repeated only when G2A itself states
// that it was not carried out; any other repetition is the caller's decision, by [OutcomeOf]
// and by asking for the order's details, its keys or the list of offers. PlaceOrder may be
// called again with the same idempotency key: G2A documents that the header is required,
// and what it means is inferred from its name. An answer that is not G2A's is no answer: a
// gateway's 429 repeats no such call.
//
// After a 401, every call is made once more if the credentials have been rotated since (a
// [RefreshingSource] can tell) or another access token is available (see below); again,
// one that charges, creates or reveals something only if G2A itself has refused it.
//
// [Call].Attempts is how often a call was on the wire. net/http repeats requests by itself,
// on connections that were used before and over HTTP/2; so calls that charge, create or
// reveal something go over HTTP/1.1, each on a fresh connection ([Options].Transport).
//
// # Attempts
//
// A call makes at most [Config].RetryMax further attempts, each of [Config].Timeout, with
// exponential backoff and full jitter between them, or with the answer's Retry-After if
// that is longer; if it is longer than a timeout, the wait is left to the caller. No
// attempt, and no wait for one, begins that cannot end before the context's deadline: on
// AWS Lambda, pass the handler's context. A call that charges, creates or reveals something
// begins only if a whole timeout is left, so that its answer is not missed. After five
// failures in a row an API is left alone for ten seconds; each of the APIs, and the token
// endpoint, has its own circuit breaker and its own rate limit ([Options].RateLimit).
//
// Redirects are not followed, and no more than 8 MiB of an answer are read. Every request
// has an X-Correlation-ID: the context's ([WithCorrelationID]) or a new one. Reads keep
// their connections; one Client serves a whole process. [Options].Observer sees every call,
// for logs, metrics and traces.
//
// # Answers
//
// Of an answer, only what the step needs must be readable.
//
//   - A product of the catalogue is read field by field. One that is not as G2A documents
//     it keeps its zero value and is listed in [Product].Odd; [Client.Product] fails only
//     for what a purchase needs.
//   - CreateOrder needs the order's id, PayOrder that the status is true, OrderDetails a
//     status. A price or a transaction id that cannot be read stays zero.
//   - PlaceOrder needs the order's id alone: a status or a total that cannot be read stays
//     zero.
//   - OrderKey and OrderKeys keep the answer as it came ([Key].Raw) if they are not certain
//     to understand all of it.
//   - In the Import API's answers, a required field that is missing, or any that has the wrong
//     type or an impossible value (a negative price), is an error, never a zero value. Words
//     such as a status are kept as they came, and each of the forms that are known of a
//     price, a job and a list is read.
//
// What is needed and cannot be read is an [ErrMalformedAnswer] whose [FieldError] names the
// field by its path, such as data[3].price. A request is checked in the same way before it
// is sent, and then the error is [ErrInvalidRequest]. Amounts are read from the digits of
// the JSON.
//
// # Errors
//
// A call that fails is an [*Error]: one of the kinds below, which errors.Is compares, with
// the HTTP status, G2A's code and words, the correlation id, and whether and when trying
// again can help ([Error].Temporary, [Error].RetryAfter). It may be wrapped in the error of
// acquiring a token; the sources of credentials and tokens have errors of their own.
// [OutcomeOf] reports for any of them whether the call was carried out.
//
//	code                 HTTP       errors.Is                outcome   what to do
//	AUTH01               403, 400   ErrCredentialsRejected   not done  a bug: there was no Authorization header
//	AUTH02               401        ErrCredentialsRejected   not done  stop: unknown account, or a token that is no longer valid
//	AUTH03               401        ErrCredentialsRejected   not done  stop: G2A does not allow this address
//	AUTH04               401        ErrCredentialsRejected   not done  stop: the account lacks the privilege
//	invalid_client       400, 401   ErrCredentialsRejected   not done  stop: unknown account, at POST /oauth/token
//	unauthorized_client  400        ErrCredentialsRejected   not done  stop: try G2A_TOKEN_FLOW=hash
//	BR01, BR02, ORD01    400        ErrInvalidRequest        not done  correct the request
//	BR03                 429        ErrThrottled             not done  wait for RetryAfter, then again
//	ORD02                404        ErrNotFound              not done  stop
//	ORD004, ORD04        400, 404   ErrKeyAlreadyDownloaded  done      use the stored key; if there is none, it is an incident
//	ORD03                403        ErrPaymentNotReady       not done* wait, then again
//	ORD05                402        ErrPaymentRequired       not done* ask for the details: it is unpaid, or being paid
//	ORD112               403        ErrInsufficientFunds     not done  add funds, then again
//	ORD114               403        ErrTooLateToPay          not done  create a new order
//	ORD121               403        ErrPaymentLimit          not done  wait for the limit of G2A PAY, then again
//	ORD122               502        ErrUnavailable           unknown   as 5xx
//	another              4xx        ErrInvalidRequest        unknown   stop; first find out whether it was done
//	-                    401        ErrCredentialsRejected   not done  stop
//	-                    402        ErrPaymentRequired       not done* ask for the details
//	-                    404, 410   ErrNotFound              not done  stop: no such offer, job or product
//	-                    409        ErrExists                unknown   find out what is there: [Error].ExistingID may name it
//	-                    425        ErrPaymentNotReady       not done* wait, then again
//	-                    429        ErrThrottled             not done  wait for RetryAfter, then again
//	-                    400        ErrInvalidRequest        unknown   as another code, and so is any other 4xx
//	-                    5xx        ErrUnavailable           unknown   a read: later; else first find out whether it was done
//	not G2A's            3xx, 4xx   ErrUnavailable           unknown   as 5xx, and look at G2A_API_URL
//	no answer            -          ErrUnavailable           unknown   as 5xx; not done if nothing was sent
//	not understood       2xx        ErrMalformedAnswer       unknown   as 5xx, and look at what changed at G2A
//
// An outcome with a star is unknown for PayOrder and PlaceOrder: the payment may be in
// progress. ErrExists is not done where the Import API names what exists. ORD004 is done
// for PayOrder and OrderKey, the order was paid and its key given out; elsewhere it is
// unknown. A call that was certainly not sent is not done, whatever its kind: the circuit
// is open, there is no turn or no time, the credentials or a token are not available, the
// request is not valid, or there was no connection.
//
// G2A's verdict has one of these forms; a row without a code is any of them without it. The
// codes of the third, the Export API v2's, are not public: its status decides, 400, 403 and
// 422 refuse a request that was not done, and every member may be absent. The last is the
// Import API's 409 alone. The token endpoint's was not observed; all but the last are read.
//
//	{"status":"ERROR","message":"...","code":"..."}
//	{"errors":[{"code":"...","message":"..."}]}
//	{"error":{"code":"...","message":"...","status":400,"errors":[{"field":"...","message":"..."}]},"traceId":"..."}
//	{"error":"...","error_description":"..."}
//	{"data":{"offerId":"..."}}
//
// A firewall, a gateway or a proxy may answer in G2A's place with the same status and a
// page, other JSON or nothing. That decides nothing.
//
// A job that fails behind a call is a [*JobError] with the job's code and message.
//
// # Access tokens
//
// The Export API v2 and the Import API require an access token, which [Options].Tokens
// returns. Without it the client fetches one ([Config].TokenFlow) and remembers it. Many
// processes share one token, and its renewal, through [SharedTokens] and a [TokenStore].
// A token is replaced when less than a fifth of its life is left, and is not sent in its
// last moments. Its life is what G2A states, as a number or in a string, and a day at
// most; 5 minutes if G2A states none. When a call is answered with 401 before that,
// exactly the token that was sent is dropped, at every level, and the next one is fetched
// once; a token that another caller has acquired since stays. Instances that share a
// token go by the store's clock, so their own may be wrong. Credentials that the token
// endpoint rejects are not tried again for 30 seconds, and by a [SharedTokens] for twice
// as long each further time, up to 15 minutes.
//
// A program that keeps the token fresh for the others sets [SharedTokens].KeepFor.
//
// # Webhooks
//
// No public document of G2A describes signed webhooks to buyers: the integration plan does,
// and [VerifyWebhook] is its contract. The maintainers of G2A's client tell buyers to ask
// for an order's details instead. So a webhook is a hint that something has changed: an
// order reaches its end without any.
//
// # Sources
//
// Where a rule in the comments is not certain, they say so: what no source states is
// inferred, or assumed, and what nobody states is not public. The Import API v3 also takes
// packages of physical goods, whose bodies are not public: they are left out.
//
// The package imports nothing of the project, so that any program may use it alone.
package g2a
