// Package purchase takes an order from its request to its key. It knows G2A's calls and a
// store for recovery points.
//
// An order moves through these steps. Each one is stored by a conditional write
// before the next outside effect, so that after a crash at any instruction the
// same call again continues from there:
//
//	started ── quoted ── created ── paying ── paid ── key_requested ── fulfilled
//
//	quoted         the intent to create an order at G2A. A lost one is unpaid.
//	created        the order at G2A is known, and known to be unpaid.
//	paying         the intent to pay. Whether it is paid, only G2A knows.
//	paid           paid for certain, and G2A is at work.
//	key_requested  the intent to fetch the keys.
//
// Any step may end in failed (nothing was paid) or needs_attention (a person must look:
// money or a key may be lost). A payment that is complete at once goes from paying to
// key_requested; one that was certainly not carried out returns to created.
//
// What G2A's two purchasing APIs do differently is behind Market. The Export API v1 sells
// one key an order, so an order of several keys goes from key_requested back to started
// for the next one, and ends in partly_fulfilled where the rest cannot be bought. On the
// Export API v2 creating an order charges the account and has all keys: there is nothing
// to do between started and paying, whose intent has the idempotency key, and nothing
// between paying and key_requested. A post of unknown outcome is repeated a few times,
// under the same key, which is the same order at G2A if it keeps to the header's meaning;
// that is used, and not relied on.
//
// A call of G2A that fails says whether it was not done, done, or that this is unknown
// (g2a.Outcome), and that decides. After a payment of unknown outcome the order's details
// decide, and the very same order is paid again only after a pause. At most three orders
// are made at G2A for one ref without a person. Every order ends within ExpireAfter or
// StuckAfter.
//
// It imports package g2a, and nothing of AWS.
package purchase
