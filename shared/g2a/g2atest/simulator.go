package g2atest

import (
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

const (
	defaultTokenLife    = 5 * time.Minute // as its sandbox was seen to state
	defaultWallet       = 10_000          // EUR
	webhookTimeout      = 30 * time.Second
	reservationDuration = 30 * time.Minute // G2A's, said by the maintainers of its official client
	currency            = "EUR"
)

//go:embed catalogue.json
var embeddedCatalogue []byte

// Options set up a Simulator. Only Credentials are required.
type Options struct {
	// Credentials are the account the simulator knows at the start: see
	// Simulator.SetCredentials. The hash also signs the webhooks.
	Credentials g2a.Credentials
	// Catalogue is a page of products in G2A's format; nil is the embedded one.
	Catalogue []byte
	// Wallet is the account's money at the start, in EUR; zero is 10000.
	Wallet decimal.Decimal
	// TokenLife is how long an access token is good, in whole seconds; zero is 300
	// seconds, as in G2A's sandbox.
	TokenLife time.Duration
	// CompleteAfter is how long after its payment an order is complete; zero is
	// at once.
	CompleteAfter time.Duration
	// PendingDetails is how many details calls after its payment still find an
	// order pending.
	PendingDetails int
	// ChargesAgain has a second pay of an order succeed and charge the wallet again.
	ChargesAgain bool
	// PaymentDelay is how long after it was accepted a payment settles: until then the
	// order is unpaid and the books show no charge, but its money cannot be spent on
	// anything else. CompleteAfter and PendingDetails count from there. Zero is at once.
	PaymentDelay time.Duration
	// DetailsLag is how many details calls do not see the order's creation yet, and then
	// how many do not see its payment: they answer what was true before, ORD02 and
	// pending. Only the details lag: the order can be paid, and its key fetched. Calls
	// that lag use up nothing of PendingDetails, so an order is found pending by as many
	// as both together.
	DetailsLag int
	// FileKeySize is how many bytes a key that is a file has before base64, at least 79;
	// zero is a short text.
	FileKeySize int
	// V2 is how the Export API v2 behaves where G2A's public documents are silent.
	V2 V2Options
	// RateLimit is how many calls each of the APIs takes in a second of the
	// clock; zero is any number. Beyond it the answer is 429 with BR03 and a
	// Retry-After of a second, and the work is not done.
	RateLimit int
	// Import is what of the Import API is not known.
	Import ImportOptions
	// WebhookURL is where POST /_sim/webhook delivers to; without it that route
	// answers 409.
	WebhookURL string
	// Webhooks delivers the webhooks; nil is a client with a time-out of 30 seconds.
	Webhooks *http.Client
	// Clock tells the time; nil is time.Now.
	Clock func() time.Time
	// Rand is what ids, tokens and keys are made from; nil is a source with a
	// secret seed.
	Rand mathrand.Source
	// Log gets one line a request, without credentials, tokens or keys; nil is no log.
	Log *slog.Logger
}

// Simulator is a G2A sandbox in memory: an http.Handler that serves its APIs, the
// OAuth2 token endpoint and the control routes under /_sim. It is safe for
// concurrent use.
type Simulator struct {
	options   Options // with the defaults filled in
	catalogue []product
	mux       *http.ServeMux
	routes    map[string]api // by pattern; the patterns are what a fault may name

	mu sync.Mutex // guards the state and Options.Rand
	state
}

// state is what POST /_sim/reset brings back to the start.
type state struct {
	accepted  []g2a.Credentials   // the first one's hash signs
	faults    map[string][]*Fault // by route, the next one first; Count is what is left
	windows   [apis]window
	tally     tally
	tokens    map[string]time.Time // access token to its end
	funds     decimal.Decimal      // EUR that no payment was accepted for
	stock     stock
	orders    map[string]*order     // by id
	orderIDs  []string              // the oldest first
	names     map[string]namedOrder // of the Export API v2, by idempotency key
	unsettled []acceptedPayment     // the oldest first
	offers    []*offer
	jobs      map[string]*job // by id
	sales     []sellerOrder   // the oldest first

	repricings map[string]*repricing // by product
}

// New makes a simulator at the start of its life. The error says which option is
// wrong, or what in the catalogue is not in G2A's page format.
func New(options Options) (*Simulator, error) {
	if err := options.check(); err != nil {
		return nil, fmt.Errorf("g2a simulator: %w", err)
	}
	options.fillDefaults()
	if err := options.Import.check(); err != nil {
		return nil, fmt.Errorf("g2a simulator: %w", err)
	}
	catalogue, err := parseCatalogue(options.Catalogue)
	if err != nil {
		return nil, fmt.Errorf("g2a simulator: the catalogue is not a page of G2A's products: %w", err)
	}
	s := &Simulator{options: options, catalogue: catalogue}
	s.route()
	s.Reset()
	return s, nil
}

func (o *Options) check() error {
	switch {
	case o.Credentials.Hash.IsZero() || o.Credentials.Key.IsZero():
		return errors.New("the credentials need a hash and a key")
	case o.Wallet.IsNegative(), min(o.TokenLife, o.CompleteAfter, o.PaymentDelay) < 0, min(o.PendingDetails, o.DetailsLag, o.FileKeySize, o.RateLimit) < 0:
		return errors.New("no option may be negative")
	case o.TokenLife%time.Second != 0:
		return errors.New("the life of a token must be whole seconds")
	case o.FileKeySize != 0 && o.FileKeySize < minFileKeySize:
		return fmt.Errorf("a key that is a file has at least %d bytes", minFileKeySize)
	}
	if err := o.V2.check(); err != nil {
		return fmt.Errorf("the Export API v2: %w", err)
	}
	return nil
}

func (o *Options) fillDefaults() {
	o.V2.fillDefaults()
	if o.Catalogue == nil {
		o.Catalogue = embeddedCatalogue
	}
	if o.Wallet.IsZero() {
		o.Wallet = decimal.NewFromInt(defaultWallet)
	}
	if o.TokenLife == 0 {
		o.TokenLife = defaultTokenLife
	}
	if o.Webhooks == nil {
		o.Webhooks = &http.Client{
			Timeout: webhookTimeout,
			// A redirect is the receiver's answer, to be seen.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	o.Import.fillDefaults()
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Rand == nil {
		var seed [32]byte
		_, _ = rand.Read(seed[:]) // never fails: see its documentation
		o.Rand = mathrand.NewChaCha8(seed)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Reset brings everything back to the start: stock, money, orders, tokens, offers,
// faults and counts.
func (s *Simulator) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state{
		accepted: []g2a.Credentials{s.options.Credentials},

		faults: map[string][]*Fault{},
		tally:  tally{answered: map[string]map[int]int{}, dropped: map[string]int{}},
		tokens: map[string]time.Time{},
		funds:  s.options.Wallet,
		stock:  newStock(s.catalogue),
		orders: map[string]*order{},
		names:  map[string]namedOrder{},
		jobs:   map[string]*job{},

		repricings: map[string]*repricing{},
	}
}

// SetCredentials has the account's credentials be others from now on, as when a person
// makes new ones. Webhooks are signed with the hash of current; those in accepted are
// good for calls too. Tokens that were issued before stay good until their own end.
func (s *Simulator) SetCredentials(current g2a.Credentials, accepted ...g2a.Credentials) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted = append([]g2a.Credentials{current}, accepted...)
}

// ServeHTTP serves G2A's calls and the control routes.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mux.ServeHTTP(w, r)
}
