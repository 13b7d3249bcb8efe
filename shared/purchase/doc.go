// Package purchase takes an order from its request to its key. It knows G2A's
// calls and a store for recovery points, and nothing of AWS.
//
// An order moves through these steps. Each one is stored by a conditional write
// before the next outside effect, so that after a crash at any instruction the
// same call again goes on from there:
//
//	started ── quoted ── created ── paying ── paid ── key_requested ── fulfilled
//
//	quoted         the intent to create an order at G2A. A lost one is unpaid.
//	created        the order at G2A is known, and known to be unpaid.
//	paying         the intent to pay. Whether it is paid, only G2A knows.
//	paid           paid for certain, and G2A is at work.
//	key_requested  the intent to fetch the key, which works once.
//
// Any step may end in failed (nothing was paid) or needs_attention (a person must
// look: money or a key may be lost). A payment that is complete at once goes from
// paying to key_requested; a payment G2A refuses goes back to created.
//
// It imports package g2a, and nothing of AWS.
package purchase
