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
//	key_requested  the intent to fetch the key, which works once.
//
// Any step may end in failed (nothing was paid) or needs_attention (a person must look:
// money or a key may be lost). A payment that is complete at once goes from paying to
// key_requested; one that was certainly not carried out returns to created.
//
// A call of G2A that fails says whether it was not done, done, or that this is unknown
// (g2a.Outcome), and that decides. After a payment of unknown outcome the order's details
// decide, and the very same order is paid again only after a pause. At most three orders
// are made at G2A for one ref without a person. Every order ends within ExpireAfter or
// StuckAfter.
//
// It imports package g2a, and nothing of AWS.
package purchase
