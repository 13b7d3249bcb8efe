package purchase

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// The diagram in the documentation is the table that the code goes by.
func TestDiagram(t *testing.T) {
	text, err := os.ReadFile("../../docs/data-model.md")
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[Step][]Step{}
	for _, arrow := range regexp.MustCompile(`(?m)^ +(\S+) --> ([^\s:]+)`).FindAllStringSubmatch(string(text), -1) {
		from, to := Step(arrow[1]), Step(arrow[2])
		switch {
		case to == "[*]":
			if !from.Final() {
				t.Errorf("the diagram ends at %s, which is no final step", from)
			}
		case from == "[*]":
			drawn[""] = append(drawn[""], to)
		default:
			drawn[from] = append(drawn[from], to)
		}
	}
	for from, steps := range transitions {
		for _, to := range steps {
			if !slices.Contains(drawn[from], to) {
				t.Errorf("the diagram lacks %q --> %s", from, to)
			}
		}
	}
	for from, steps := range drawn {
		for _, to := range steps {
			if !slices.Contains(transitions[from], to) {
				t.Errorf("the diagram has %q --> %s, the code has not", from, to)
			}
		}
	}
}

// Every arrow of the table, and none besides, can be gone.
func TestMayBecome(t *testing.T) {
	steps := []Step{Started, Quoted, Created, Paying, Paid, KeyRequested, Fulfilled, PartlyFulfilled, Failed, NeedsAttention}
	for _, from := range steps {
		for _, to := range steps {
			want := from == to || slices.Contains(transitions[from], to)
			if got := (Order{Step: from}).mayBecome(to); got != want {
				t.Errorf("from %s to %s: %v, want %v", from, to, got, want)
			}
		}
	}
}
