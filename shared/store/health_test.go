package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

func health(e *storetest.Engine) store.Health { return store.Health{DB: e.DB, Table: e.StateTable} }

// turn is owner's, taken so many seconds after now.
func turn(owner string, at time.Duration) store.HealthTurn {
	return store.HealthTurn{Owner: owner, At: now.Add(at * time.Second)}
}

// checked is a report of so many seconds after now, with the turn that it was made in.
func checked(at time.Duration, turn store.HealthTurn) store.HealthRecord {
	return store.HealthRecord{Report: fmt.Sprintf(`{"at":%d}`, at), CheckedAt: now.Add(at * time.Second), Turn: turn}
}

func TestHealth(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		nothing, a0, b1, a12 := store.HealthRecord{}, turn("a", 0), turn("b", 1), turn("a", 12)
		first := checked(2, a0)
		for _, step := range []struct {
			name string
			save store.HealthRecord // or else a turn is taken
			seen store.HealthRecord
			turn store.HealthTurn
			took bool
			item attributes // in the end
		}{
			{name: "first", seen: nothing, turn: a0, took: true, item: attributes{"turn_owner": "S a", "turn_at": at(0)}},
			{name: "another one, who has seen nothing", seen: nothing, turn: b1, item: attributes{"turn_owner": "S a", "turn_at": at(0)}},
			{name: "the same turn once more", seen: nothing, turn: a0, took: true, item: attributes{"turn_owner": "S a", "turn_at": at(0)}},
			{name: "the same owner, later", seen: nothing, turn: a12, item: attributes{"turn_owner": "S a", "turn_at": at(0)}},
			{name: "one who has seen the turn", seen: store.HealthRecord{Turn: a0}, turn: b1, took: true, item: attributes{"turn_owner": "S b", "turn_at": at(1)}},
			{name: "the first report", save: first, item: attributes{"report": `S {"at":2}`, "checked_at": at(2), "turn_owner": "S a", "turn_at": at(0)}},
			{name: "one who has seen no report", seen: store.HealthRecord{Turn: a0}, turn: a12, item: attributes{"report": `S {"at":2}`, "checked_at": at(2), "turn_owner": "S a", "turn_at": at(0)}},
			{name: "one who has seen another report", seen: checked(1, a0), turn: a12, item: attributes{"report": `S {"at":2}`, "checked_at": at(2), "turn_owner": "S a", "turn_at": at(0)}},
			{name: "one who has seen it", seen: first, turn: a12, took: true, item: attributes{"report": `S {"at":2}`, "checked_at": at(2), "turn_owner": "S a", "turn_at": at(12)}},
			{name: "another one who has seen it", seen: first, turn: turn("b", 12), item: attributes{"report": `S {"at":2}`, "checked_at": at(2), "turn_owner": "S a", "turn_at": at(12)}},
			{name: "the next report", save: checked(13, a12), item: attributes{"report": `S {"at":13}`, "checked_at": at(13), "turn_owner": "S a", "turn_at": at(12)}},
		} {
			if step.save.Report != "" {
				must(t, health(e).Save(ctx, step.save))
			} else if took, err := health(e).TakeTurn(ctx, step.seen, step.turn); err != nil || took != step.took {
				t.Errorf("%s: got the turn: %t, %v; want %t", step.name, took, err, step.took)
			}
			wantRequests(t, e, 1)
			wantItem(t, e, e.StateTable, "HEALTH", "HEALTH", step.item)
		}
		wantHealth(t, e, checked(13, a12))
	})
}

func wantHealth(t *testing.T, e *storetest.Engine, want store.HealthRecord) {
	t.Helper()
	got, err := health(e).Load(ctx)
	must(t, err)
	if got.Report != want.Report || !got.CheckedAt.Equal(want.CheckedAt) || got.Turn.Owner != want.Turn.Owner || !got.Turn.At.Equal(want.Turn.At) {
		t.Errorf("loaded %+v, want %+v", got, want)
	}
}

func TestHealthLoad(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		wantHealth(t, e, store.HealthRecord{})
		took, err := health(e).TakeTurn(ctx, store.HealthRecord{}, turn("a", 0))
		must(t, err)
		if !took {
			t.Error("could not take the first turn")
		}
		wantHealth(t, e, store.HealthRecord{Turn: turn("a", 0)})
		must(t, health(e).Save(ctx, checked(1, turn("a", 0))))
		wantHealth(t, e, checked(1, turn("a", 0)))
	})
}

// TestHealthTurnAtOnce: of many that have seen the same, one gets the turn.
func TestHealthTurnAtOnce(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for round, seen := range []store.HealthRecord{{}, checked(1, turn("z", 0))} {
			if seen.Report != "" {
				must(t, health(e).Save(ctx, seen))
			}
			var took atomic.Int64
			var wg sync.WaitGroup
			for i := range 16 {
				wg.Go(func() {
					mine, err := health(e).TakeTurn(ctx, seen, turn(fmt.Sprint("instance-", i), 20))
					if err != nil {
						t.Error(err)
					}
					if mine {
						took.Add(1)
					}
				})
			}
			wg.Wait()
			if took.Load() != 1 {
				t.Errorf("round %d: %d of 16 got the turn, want 1", round, took.Load())
			}
		}
	})
}

// TestHealthAnswerLost: the SDK sends a request again whose answer was lost.
func TestHealthAnswerLost(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		e.Wire.Fail(storetest.AnswerLost)
		if took, err := health(e).TakeTurn(ctx, store.HealthRecord{}, turn("a", 0)); err != nil || !took {
			t.Errorf("got the turn: %t, %v; want it", took, err)
		}
		wantRequests(t, e, 2)
	})
}

// TestHealthDamaged: the next report is stored in the place of the damage.
func TestHealthDamaged(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		damaged := text("pk", "HEALTH", "sk", "HEALTH", "checked_at", "noon", "turn_at", "noon")
		damaged["report"] = &types.AttributeValueMemberN{Value: "1"}
		e.Put(t, e.StateTable, damaged)
		_, err := health(e).Load(ctx)
		wantDamaged(t, err, "reading the health report")
		must(t, health(e).Save(ctx, checked(1, turn("a", 0))))
		wantHealth(t, e, checked(1, turn("a", 0)))
	})
}

func TestHealthUnavailable(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		e.Wire.Cut()
		for doing, call := range map[string]func() error{
			"reading the health report":       func() error { _, err := health(e).Load(ctx); return err },
			"taking the turn to check health": func() error { _, err := health(e).TakeTurn(ctx, store.HealthRecord{}, turn("a", 0)); return err },
			"storing the health report":       func() error { return health(e).Save(ctx, checked(1, turn("a", 0))) },
		} {
			if err := call(); !errors.Is(err, store.ErrUnavailable) || !strings.HasPrefix(err.Error(), doing) {
				t.Errorf("got %v, want ErrUnavailable while %s", err, doing)
			}
		}
	})
}
