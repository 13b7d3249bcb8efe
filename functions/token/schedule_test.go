package main

import (
	"slices"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
)

// TestKeepForFitsTheSchedule: the token that a run leaves behind lasts until the run after
// the next, which may come a minute late, as EventBridge starts a run somewhere in its
// minute.
func TestKeepForFitsTheSchedule(t *testing.T) {
	stack, err := template.Load("../../template.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(stack.Functions, func(f template.Function) bool { return f.LogicalID == "TokenRefreshFunction" })
	if i < 0 || len(stack.Functions[i].Schedules) != 1 {
		t.Fatal("TokenRefreshFunction has not one schedule")
	}
	if every := stack.Functions[i].Schedules[0].Every; keepFor <= 2*every+time.Minute || keepFor > 3*every+10*time.Second {
		t.Errorf("a token is kept fresh for %s, the run after the next comes after up to %s", keepFor, 2*every+time.Minute)
	}
}
