// Package g2a is a client for both of G2A's integration APIs: the Export API, which
// buys (catalogue, orders, keys), and the Import API, which sells (offers, jobs,
// prices, bestsellers); and for the webhooks G2A sends.
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
//	route                        Go                              effect                     repeated after
//	GET   /products              Products, AllProducts, Product  -                          429, 5xx, no answer
//	POST  /order                 CreateOrder                     reserves stock for 30 min  429
//	PUT   /order/pay/{id}        PayOrder                        charges the account        429
//	GET   /order/details/{id}    OrderDetails                    -                          429, 5xx, no answer
//	GET   /order/key/{id}        OrderKey                        reveals the key, once      429
//	GET   /token                 FetchToken, FetchTokenFor       issues a token             429, 5xx, no answer
//	POST  /oauth/token           the same (client_credentials)   issues a token             429, 5xx, no answer
//	POST   /v3/sales/offers                              CreateOffer                   puts a product up for sale  429
//	GET    /v3/sales/offers                              Offers, AllOffers             -                           429, 5xx, no answer
//	GET    /v3/sales/offers/{offerId}                    Offer                         -                           429, 5xx, no answer
//	PATCH  /v3/sales/offers/{offerId}                    ChangeOffer                   changes the offer           429
//	DELETE /v3/sales/offers/{offerId}                    DeleteOffer                   deletes the offer           429
//	POST   /v3/sales/offers/inventory                    AddInventory                  gives G2A keys to sell      429
//	GET    /v3/sales/offers/{offerId}/inventory          Inventory                     -                           429, 5xx, no answer
//	DELETE /v3/sales/offers/{offerId}/inventory          DeleteInventory               takes it off the market     429
//	DELETE /v3/sales/offers/{offerId}/inventory/{itemId} DeleteInventoryItem           takes it off the market     429
//	GET    /v3/jobs/{jobId}                              Job, WaitJob                  -                           429, 5xx, no answer
//	GET    /v3/pricing/simulations                       SimulatePrice                 -                           429, 5xx, no answer
//	GET    /v3/sales/bestsellers                         Bestsellers, AllBestsellers   -                           429, 5xx, no answer
//	GET    /v3/products/{productId}/offers               CompetitorOffers              -                           429, 5xx, no answer
//	GET    /v3/sales/orders                              SellerOrders, AllSellerOrders -                           429, 5xx, no answer
//	GET    /v3/sales/orders/{orderId}                    SellerOrder                   -                           429, 5xx, no answer
//
// The last column is when the client repeats a call by itself. A call that charges,
// creates or reveals something is repeated only when G2A itself states that it was not
// carried out; any other repetition is the caller's decision, by [OutcomeOf] and by asking
// for the order's details or the list of offers. An answer that is not G2A's is no answer:
// a gateway's 429 repeats no such call.
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
// failures in a row an API is left alone for ten seconds; each of the two APIs has its own
// circuit breaker and its own rate limit ([Options].RateLimit).
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
//   - OrderKey keeps the answer as it came ([Key].Raw) if it is not certain to understand it.
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
//	BR01, BR02           400        ErrInvalidRequest        not done  correct the request
//	BR03                 429        ErrThrottled             not done  wait for RetryAfter, then again
//	ORD02                404        ErrNotFound              not done  stop
//	ORD004               400        ErrKeyAlreadyDownloaded  done      use the stored key; if there is none, it is an incident
//	ORD03                403        ErrPaymentNotReady       not done* wait, then again
//	ORD05                402        ErrPaymentRequired       not done* ask for the details: it is unpaid, or being paid
//	ORD112               403        ErrInsufficientFunds     not done  add funds, then again
//	ORD114               403        ErrTooLateToPay          not done  create a new order
//	ORD121               403        ErrPaymentLimit          not done  wait for the limit of G2A PAY, then again
//	ORD122               502        ErrUnavailable           unknown   as 5xx
//	another              4xx        ErrInvalidRequest        unknown   stop; first find out whether it was done
//	-                    401        ErrCredentialsRejected   not done  stop
//	-                    402        ErrPaymentRequired       not done* ask for the details
//	-                    404        ErrNotFound              not done  stop: no such offer, job or product
//	-                    429        ErrThrottled             not done  wait for RetryAfter, then again
//	-                    400        ErrInvalidRequest        unknown   as another code, and so is any other 4xx
//	-                    5xx        ErrUnavailable           unknown   a read: later; else first find out whether it was done
//	not G2A's            3xx, 4xx   ErrUnavailable           unknown   as 5xx, and look at G2A_API_URL
//	no answer            -          ErrUnavailable           unknown   as 5xx; not done if nothing was sent
//	not understood       2xx        ErrMalformedAnswer       unknown   as 5xx, and look at what changed at G2A
//
// An outcome with a star is unknown for PayOrder: the payment may be in progress. ORD004 is
// done for PayOrder and OrderKey, the order was paid and its key given out; elsewhere it is
// unknown. A call that was certainly not sent is not done, whatever its kind: the circuit
// is open, there is no turn or no time, the credentials or a token are not available, the
// request is not valid, or there was no connection.
//
// G2A's verdict has one of three forms; a row without a code is the first form without it.
//
//	{"status":"ERROR","message":"...","code":"..."}
//	{"errors":[{"code":"...","message":"..."}]}
//	{"error":"...","error_description":"..."}
//
// A firewall, a gateway or a proxy may answer in G2A's place with the same status and a
// page, other JSON or nothing. That decides nothing.
//
// A job that fails behind a call is a [*JobError] with the job's code and message.
//
// # Access tokens
//
// The Import API requires an access token, which [Options].Tokens returns. Without it the
// client fetches one ([Config].TokenFlow) and remembers it. Many processes share one token,
// and its renewal, through [SharedTokens] and a [TokenStore]. A token is replaced when less
// than a fifth of its life is left, and is not sent in its last moments. Its life is what
// G2A states, as a number or in a string, and a day at most; 5 minutes if G2A states none.
// When a call is answered with 401 before that, exactly the token that was sent is dropped,
// at every level, and the next one is fetched once; a token that another caller has
// acquired since stays. Instances that share a token go by the store's clock, so their own
// may be wrong. Credentials that the token endpoint rejects are not tried again for 30
// seconds, and by a [SharedTokens] for twice as long each further time, up to 15 minutes.
//
// A program that keeps the token fresh for the others sets [SharedTokens].KeepFor.
//
// # Sources
//
// The rules named in the comments are from G2A's public "Developers API" documentation, its
// official PHP client and what the maintainers say in its discussions, and answers observed
// on G2A's sandbox. The Import API's documentation is not public: its calls are from G2A's
// OpenAPI outline of 3.256.2, which has no bodies, and the bodies from public clients. Where
// fewer than three clients agree, the comment says so. The Import API v3 also takes packages
// of physical goods, whose bodies are not public: they are left out.
//
// The package imports nothing of the project, so that any program may use it alone.
package g2a
