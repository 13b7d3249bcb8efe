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
// Without further settings that is G2A's sandbox; G2A_ENV=live spends real money.
// Money is an exact decimal with its currency. Credentials, tokens and product keys are
// of type [Secret], which prints as "[redacted]" everywhere. Package g2atest is a G2A to
// test against.
//
// # Calls
//
//	route                        Go                              effect                     again after
//	GET   /products              Products, AllProducts, Product  -                          429, 5xx, no answer
//	POST  /order                 CreateOrder                     reserves stock for 30 min  429
//	PUT   /order/pay/{id}        PayOrder                        charges the account        429
//	GET   /order/details/{id}    OrderDetails                    -                          429, 5xx, no answer
//	GET   /order/key/{id}        OrderKey                        reveals the key, once      429
//	GET   /token                 FetchToken, FetchTokenFor       issues a token             429, 5xx, no answer
//	POST  /oauth/token           the same (client_credentials)   issues a token             429, 5xx, no answer
//	GET   /offers                Offers, AllOffers               -                          429, 5xx, no answer
//	POST  /offers                CreateOffer                     puts a product up for sale 429
//	GET   /offers/{id}           Offer                           -                          429, 5xx, no answer
//	PATCH /offers/{id}           ChangeOffer                     changes the offer          429
//	POST  /offers/{id}/inventory AddInventory                    puts keys up for sale      429
//	GET   /jobs/{id}             Job, WaitJob                    -                          429, 5xx, no answer
//	GET   /prices/simulations    SimulatePrice                   -                          429, 5xx, no answer
//	GET   /bestsellers           Bestsellers, AllBestsellers     -                          429, 5xx, no answer
//
// The last column is after what the client makes the call again by itself. What it
// leaves out is what counts: a call that charges, reveals or makes something is never
// made again when its outcome is not known. That is for the caller to decide, who can
// ask for the order's details or the list of offers.
//
// Any call is made once more, too, after a 401: with the credentials that have been
// rotated meanwhile (a [RefreshingSource] tells), or with another access token (see
// below). A call that was rejected was not done.
//
// # Attempts
//
// A call makes at most [Config].RetryMax further attempts, each of [Config].Timeout,
// with exponential backoff and full jitter between them, and with G2A's Retry-After
// where it is longer; where it is longer than a time-out, the wait is the caller's. No
// attempt, and no wait for one, is begun that cannot end before the context's deadline:
// on AWS Lambda, pass the handler's context. After five failures in a row an API is
// left alone for ten seconds; both APIs have a circuit breaker, and a rate limit
// ([Options].RateLimit), of their own.
//
// No redirect is followed, no answer of more than 8 MiB is read. Every request has an
// X-Correlation-ID: the context's ([WithCorrelationID]) or a new one. Connections are
// kept; one Client serves a whole process. [Options].Transport takes any
// http.RoundTripper, [Options].Observer is told of every call for logs, metrics and
// traces.
//
// # Answers
//
// An answer is checked before it is passed on. A field that is missing, of the wrong
// type or of a value that cannot be (a negative price, an unknown status) makes an
// [ErrMalformedAnswer] whose [FieldError] names it by its path, such as data[3].price;
// it never becomes a zero value. A request is checked in the same way before it is sent,
// and then the error is [ErrInvalidRequest]. Amounts are read from the digits of the
// JSON.
//
// # Errors
//
// A call that fails is an [*Error]: one of the kinds below, which errors.Is compares,
// with the HTTP status, G2A's code and words, the correlation id, and whether and when
// trying again can help ([Error].Temporary, [Error].RetryAfter). Around it may be the
// error of getting a token; the credentials' and the token's source have errors of
// their own.
//
//	code                 HTTP       errors.Is                what to do
//	AUTH01               403, 400   ErrCredentialsRejected   no Authorization header: a defect
//	AUTH02               401        ErrCredentialsRejected   stop: unknown account, or a token that is not known any more
//	AUTH03               401        ErrCredentialsRejected   stop: G2A does not allow this address
//	AUTH04               401        ErrCredentialsRejected   stop: the account lacks the privilege
//	invalid_client       400, 401   ErrCredentialsRejected   stop: unknown account, of POST /oauth/token
//	unauthorized_client  400        ErrCredentialsRejected   stop: try G2A_TOKEN_FLOW=hash
//	BR01, BR02           400        ErrInvalidRequest        correct the request
//	BR03                 429        ErrThrottled             wait for RetryAfter, then again; it was not done
//	ORD02                404        ErrNotFound              stop
//	ORD004               400        ErrKeyAlreadyDownloaded  use the key that was stored; none stored is an incident
//	ORD03                403        ErrPaymentNotReady       wait, then again
//	ORD05                402        ErrPaymentRequired       ask for the details: it is unpaid, or being paid
//	ORD112               403        ErrInsufficientFunds     put money in, then again
//	ORD114               403        ErrTooLateToPay          make a new order
//	ORD121               403        ErrPaymentLimit          wait for the limit of G2A PAY, then again
//	ORD122               502        ErrUnavailable           as 5xx
//	-                    5xx, none  ErrUnavailable           a read: later; else find out first whether it was done
//	-                    2xx        ErrMalformedAnswer       the same, and look at what changed at G2A
//	-                    3xx        ErrMalformedAnswer       look at G2A_API_URL
//	-                    401        ErrCredentialsRejected   stop
//	-                    402        ErrPaymentRequired       ask for the details
//	-                    404        ErrNotFound              stop: no such offer, job or product
//	-                    429        ErrThrottled             wait for RetryAfter, then again; it was not done
//	-                    other 4xx  ErrInvalidRequest        stop
//
// A job that fails behind a call is a [*JobError] with the job's code and message.
//
// # Access tokens
//
// The Import API wants an access token, which [Options].Tokens gives. Without it the
// client fetches one ([Config].TokenFlow) and remembers it. Many processes share one
// token, and its renewal, through [SharedTokens] and a [TokenStore]. A token is replaced
// when less than a fifth of its life is left. When G2A answers 401 before that, exactly
// the token that was sent is dropped, at every level, and the next one is fetched once;
// a token that another caller has got meanwhile stays. Clocks of instances may be a
// minute off either way. Credentials that the token endpoint rejects are not tried on
// for 30 seconds, and by a [SharedTokens] for twice as long each further time, up to 15
// minutes.
//
// # Sources
//
// The rules named in the comments are from G2A's public "Developers API" documentation,
// its official PHP client with what the maintainers of that say in its discussions, and
// answers observed on G2A's sandbox. What none of these tells is marked as assumed: the
// values of [Visibility] and [OfferStatus], and the fields of a [Bestseller].
//
// It imports nothing of the project, so that a program may use it alone.
package g2a
