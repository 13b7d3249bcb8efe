package g2atest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// keysFor is how long G2A keeps the keys of an order: 48 hours. From when is not public.
const keysFor = 48 * time.Hour

// The forms of V2Options.Pending.
const (
	pendingEmpty    = "empty"
	pendingNotFound = "404"
	pendingConflict = "409"
	pendingAccepted = "202"
)

// The forms of V2Options.Replay.
const (
	replaySame     = "same"
	replayConflict = "conflict"
)

// V2Options are how the Export API v2 behaves where G2A's public documents are silent. The
// zero value is the most plausible reading.
type V2Options struct {
	// OrderStatus is the HTTP status of an order that was created or repeated: 200, 201 or
	// 202; zero is 201.
	OrderStatus int
	// Pending is how keys that are not there yet are answered: "empty" (or ""), an empty
	// list; "404", "409" or "202", the last with a body that is none of keys.
	Pending string
	// KeysOnce has each key given out once; a further call finds none.
	KeysOnce bool
	// Replay is the answer to an idempotency key that comes again with the same order:
	// "same" (or ""), the order; "conflict", 409 without it.
	Replay string
	// IdempotencyLife is how long an idempotency key names its order. After that the same
	// call is another order. Zero is for ever.
	IdempotencyLife time.Duration
	// MaxPriceIsTotal has maxPrice limit the price of all pieces, not of each.
	MaxPriceIsTotal bool
	// PartialKeys is how many calls for an order's keys find fewer keys than there are: the
	// last of them lacks one, the one before it two, and so on.
	PartialKeys int
	// MoneyAsNumber has amounts be JSON numbers, not strings.
	MoneyAsNumber bool
	// KeysFor is how long after its creation an order's keys are kept; then they are 410.
	// Zero is 48 hours.
	KeysFor time.Duration
	// Surcharge is charged, and stated, on top of each order's price, whatever its maxPrice
	// is.
	Surcharge decimal.Decimal
}

func (o V2Options) check() error {
	switch {
	case !slices.Contains([]int{0, http.StatusOK, http.StatusCreated, http.StatusAccepted}, o.OrderStatus):
		return errors.New("the status of an order is 200, 201 or 202")
	case !slices.Contains([]string{"", pendingEmpty, pendingNotFound, pendingConflict, pendingAccepted}, o.Pending):
		return fmt.Errorf("keys that are pending are not %q", o.Pending)
	case !slices.Contains([]string{"", replaySame, replayConflict}, o.Replay):
		return fmt.Errorf("the answer to a repeated order is not %q", o.Replay)
	case min(o.IdempotencyLife, o.KeysFor) < 0, o.PartialKeys < 0, o.Surcharge.IsNegative():
		return errors.New("no option may be negative")
	}
	return nil
}

func (o *V2Options) fillDefaults() {
	if o.OrderStatus == 0 {
		o.OrderStatus = http.StatusCreated
	}
	if o.KeysFor == 0 {
		o.KeysFor = keysFor
	}
}
