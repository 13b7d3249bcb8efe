package purchase_test

import (
	"flag"
	"os"
	"testing"
)

// checks is how many plans a property is held against, unless -rapid.checks says so:
// rapid's own 100 miss what needs two faults at one call.
const checks = "5000"

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		if err := flag.Set("rapid.checks", checks); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
