package main

import (
	"encoding/json"
	"errors"
	"math"
	"time"
)

// report is what the probes found. It is also the answer's JSON, and what the store keeps.
type report struct {
	Status       string           `json:"status"`  // ok or failing
	Version      string           `json:"version"` // of the function that made it
	CheckedAt    int64            `json:"checked_at"`
	AgeSeconds   int64            `json:"age_seconds"` // when it is answered
	Dependencies map[string]check `json:"dependencies"`
	TokenTTL     int64            `json:"token_ttl_seconds"` // when it was checked; 0 without a usable token
}

// check is one dependency's.
type check struct {
	Status    string `json:"status"` // ok, failing or unused
	LatencyMS int64  `json:"latency_ms"`
	err       error  // why it fails: for the log, not for the answer
}

const (
	ok      = "ok"
	failing = "failing"
	// unused is a dependency that is not there, and that no function needs.
	unused = "unused"
)

// The dependencies of a report.
const (
	dependencyStore = "store" // both tables answer
	dependencyToken = "token" // a usable token is stored
	dependencyG2A   = "g2a"   // the API that orders need answers
)

var dependencies = []string{dependencyG2A, dependencyStore, dependencyToken}

// set records one dependency's check.
func (r *report) set(dependency string, found check, needed bool) {
	switch {
	case found.err == nil:
		found.Status = ok
	case !needed:
		found.Status, found.err = unused, nil
	default:
		found.Status, r.Status = failing, failing
	}
	r.Dependencies[dependency] = found
}

// age returns how old a report is, without end where there is none. It goes by the wall
// clock, which is the same on all instances, and does not stop while Lambda freezes one.
func (r report) age(now time.Time) time.Duration {
	if r.Status == "" {
		return math.MaxInt64
	}
	return now.Sub(time.Unix(r.CheckedAt, 0)).Abs() // an instance's clock may be ahead
}

// at returns the report as it is answered now.
func (r report) at(now time.Time) report {
	r.AgeSeconds = int64(r.age(now) / time.Second)
	return r
}

var errNotAReport = errors.New("is not a report of this version")

// readReport reads what the store kept, perhaps of another version of the function.
func readReport(text string) (report, error) {
	var r report
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return report{}, errNotAReport
	}
	status := ok
	for _, name := range dependencies {
		switch r.Dependencies[name].Status {
		case ok, unused:
		case failing:
			status = failing
		default:
			return report{}, errNotAReport
		}
	}
	if r.Status != status || r.Version == "" || len(r.Dependencies) != len(dependencies) {
		return report{}, errNotAReport
	}
	return r, nil
}
