package purchase

import "time"

// Every order has an end. Both limits are inside the 24 hours of the workflow, so that
// its last round stores the end, and beyond a G2A outage of 20 hours.
const (
	// ExpireAfter is the age at which an order that is certainly unpaid fails as expired.
	// Nothing buys it later.
	ExpireAfter = 22 * time.Hour
	// StuckAfter is the age from which an order that may be paid no longer waits: when a
	// round has not brought it to its end, a person must look.
	StuckAfter = 23 * time.Hour
)

// MaxQuantity is how many keys one order may ask for.
const MaxQuantity = 50

const (
	// maxCreations bounds the orders that are made at G2A for one ref without a person.
	maxCreations = 3
	// payAgainAfter is how long an order at G2A that reads as unpaid after a payment of
	// unknown outcome is not paid again. After that one assumption about G2A remains: it
	// either shows by then that the order is charged, or does not charge it a second time.
	// It leaves a quarter of an hour of the reservation to pay in.
	payAgainAfter = 15 * time.Minute
	// repeatFor is how long after the first post of an idempotency key it is posted again.
	// How long G2A remembers a key is not known; the usual life is a day.
	repeatFor = 2 * time.Hour
	// settleTime is how long an order that G2A has just made may be unknown to its other
	// calls.
	settleTime = 10 * time.Minute
	// delayedAfter is how long after the payment a person hears of an order that is not
	// at its end.
	delayedAfter = 30 * time.Minute
)

// creationPause returns how long after a creation of unknown outcome the next one is
// made, given how many there may have been. A passing fault of that one call must not use
// up all of them, and by the third G2A has given the stock of the first back, which it
// does after 30 minutes.
func creationPause(creations int) time.Duration {
	switch creations {
	case 0:
		return 0
	case 1:
		return time.Minute
	}
	return 30 * time.Minute
}

// LeaseTime is how long an invocation may work on an order without a recovery point, each
// of which renews the lease. It is short, so that an order goes on within half a minute
// after its process has died; the record's version, not the lease, is what keeps two
// callers from doing harm.
const LeaseTime = 18 * time.Second

const (
	// effectTime bounds a call of G2A, with the retries it makes by itself: the longest
	// timeout of one attempt, and a little. The lease holds until what it brought is stored.
	effectTime = 12 * time.Second
	// storeTime is kept for storing what an effect brings: two tries of the longest
	// timeout of one.
	storeTime = 10 * time.Second
	// defaultTime bounds a caller without a deadline.
	defaultTime = 2 * time.Minute
	// releaseTime bounds the release of the lease, which is done even when the caller's
	// time is up.
	releaseTime = 5 * time.Second
)
