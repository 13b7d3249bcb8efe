package purchase_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

const rawKey = `{"key":["AAAAA-BBBBB"]}`

func raw() *g2a.Key { return &g2a.Key{Raw: g2a.NewSecret(rawKey)} }

// An answer that cannot be understood is kept as it is, and a person must look.
func TestKeyUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.given = raw()
		r, _, err := w.advance(background, place, "a")
		must(t, err)
		wantResult(t, r, purchase.StatusNeedsAttention, purchase.ReasonKeyUnreadable)
		o := w.records["r1"]
		if o.Raw.Reveal() != rawKey || !o.KeyStored || o.LeaseOwner != "" {
			t.Errorf("the record has not the answer, or keeps its lease: %+v", o)
		}

		// A person retries. G2A gives nothing again: what is kept stays.
		r, err = w.purchaser().Retry(background, "r1", "b")
		must(t, err)
		wantResult(t, r, purchase.StatusNeedsAttention, purchase.ReasonKeyUnreadable)
		if got := w.records["r1"].Raw.Reveal(); got != rawKey {
			t.Errorf("kept is %d bytes", len(got))
		}

		// G2A has given it free again, and says it better.
		w.given, w.sold["g1"].keys = nil, 0
		r, err = w.purchaser().Retry(background, "r1", "c")
		must(t, err)
		wantResult(t, r, purchase.StatusFulfilled, "")
		if o := w.records["r1"]; firstKey(o) != productKey || o.Raw.Reveal() != rawKey {
			t.Error("the record has not both the key and the first answer")
		}
		if w.sold["g1"].paid != 1 {
			t.Errorf("charged %d times", w.sold["g1"].paid)
		}
	})
}

// Two answers that cannot be understood are both kept.
func TestKeysUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.given = raw()
		_, _, err := w.advance(background, place, "a")
		must(t, err)
		w.given, w.sold["g1"].keys = &g2a.Key{Raw: g2a.NewSecret("other")}, 0
		_, err = w.purchaser().Retry(background, "r1", "b")
		must(t, err)
		if got := w.records["r1"].Raw.Reveal(); got != rawKey+"\nother" {
			t.Errorf("kept is %q", got)
		}
	})
}

// A key in hand is stored whatever the order has become in the meantime, as long as the
// process lives: another caller may have found it lost, and a person may have had the
// order tried again.
func TestKeyInHand(t *testing.T) {
	for name, key := range map[string]*g2a.Key{"readable": nil, "not readable": raw()} {
		for _, step := range []purchase.Step{
			purchase.Started, purchase.Quoted, purchase.Created, purchase.Paying, purchase.Paid, purchase.KeyRequested, purchase.NeedsAttention, purchase.Failed,
		} {
			t.Run(name+" "+string(step), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld()
					w.given = key
					others := disturbance{before: func() error {
						o := w.records["r1"]
						o.Step, o.LeaseOwner = step, "b"
						o.Version++
						w.records["r1"] = o
						return nil
					}}
					script("save fulfilled", others)(w)
					if key != nil {
						script("save needs_attention", others)(w)
					}
					r, _, err := w.advance(background, place, "a")
					must(t, err)
					if key == nil {
						wantResult(t, r, purchase.StatusFulfilled, "")
					} else {
						wantResult(t, r, purchase.StatusNeedsAttention, purchase.ReasonKeyUnreadable)
					}
					if o := w.records["r1"]; key == nil && firstKey(o) != productKey || key != nil && o.Raw.Reveal() != rawKey {
						t.Error("the key is lost")
					}
				})
			})
		}
	}
}

// A key that the store can never take is not tried until the deadline, and is reported.
func TestKeyUnstorable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		script("save fulfilled", slices.Repeat([]disturbance{{before: func() error { return errors.Join(errStore, purchase.ErrUnwritable) }}}, 1000)...)(w)
		begun := time.Now()
		ctx, cancel := context.WithTimeout(background, 2*time.Minute)
		defer cancel()
		r, _, err := w.advance(ctx, place, "a")
		must(t, err)
		wantResult(t, r, purchase.StatusNeedsAttention, purchase.ReasonKeyUnstorable)
		if tries := count(w.calls, "save fulfilled"); tries != 1 || time.Since(begun) > time.Second {
			t.Errorf("%d tries in %s", tries, time.Since(begun))
		}
		if o := w.records["r1"]; o.KeyStored {
			t.Error("the record says that it has a key")
		}
	})
}
