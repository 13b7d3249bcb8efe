package g2atest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// ImportOptions are what of the Import API is not known, or differs between the sources.
// Zero is what most of them say.
type ImportOptions struct {
	// ChangeStatus is what a change or a deletion of an offer is answered with: 202 and a
	// job, or 204 and nothing. Zero is 202.
	ChangeStatus int
	// JobLooks is how many looks at a job find it pending.
	JobLooks int
	// JobStatus is the word for a job that has ended: complete, completed or done or, if
	// it fails and does nothing, failed or error. "" is complete.
	JobStatus string
	// ElementStatus is the word for what a job has done: completed or complete or, if that
	// fails though the job is complete, failed. "" is completed.
	ElementStatus string
	// Price is the form of an offer's price: text, number or nested. "" is text.
	Price string
	// SimulatedNumbers has the amounts of a price simulation be numbers, not strings.
	SimulatedNumbers bool
	// NullMeta has the lists of competitors' offers and of bestsellers come without paging.
	NullMeta bool
	// HasNext has the list of the seller's orders state whether a page follows, and not
	// how many orders there are, as version 4 of the call.
	HasNext bool
	// OneItem has an order's items be its only item, not a list of it.
	OneItem bool
}

func (o *ImportOptions) fillDefaults() {
	if o.ChangeStatus == 0 {
		o.ChangeStatus = http.StatusAccepted
	}
	for _, option := range []struct {
		value *string
		or    string
	}{{&o.JobStatus, "complete"}, {&o.ElementStatus, "completed"}, {&o.Price, "text"}} {
		if *option.value == "" {
			*option.value = option.or
		}
	}
}

// check checks the options with their defaults filled in.
func (o ImportOptions) check() error {
	if o.ChangeStatus != http.StatusAccepted && o.ChangeStatus != http.StatusNoContent {
		return fmt.Errorf("option Import.ChangeStatus is %d, and must be 202 or 204", o.ChangeStatus)
	}
	if o.JobLooks < 0 {
		return errors.New("option Import.JobLooks is negative")
	}
	for _, option := range []struct {
		name, value string
		choices     []string
	}{
		{"JobStatus", o.JobStatus, []string{"complete", "completed", "done", "failed", "error"}},
		{"ElementStatus", o.ElementStatus, []string{"completed", "complete", "failed"}},
		{"Price", o.Price, []string{"text", "number", "nested"}},
	} {
		if !slices.Contains(option.choices, option.value) {
			return fmt.Errorf("option Import.%s is %q, and must be one of %q", option.name, option.value, option.choices)
		}
	}
	return nil
}

// jobsFail reports whether jobs do nothing.
func (o ImportOptions) jobsFail() bool {
	return o.JobStatus == "failed" || o.JobStatus == "error" || o.ElementStatus == "failed"
}
