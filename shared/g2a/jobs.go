package g2a

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// JobStatus is how far a job, or one of its elements, has come, in G2A's word. The words
// are known from three clients, which differ: an unknown one is a job that goes on.
type JobStatus string

// The words that clients have seen, or expect.
const (
	JobPending    JobStatus = "pending"
	JobProcessing JobStatus = "processing"
	JobComplete   JobStatus = "complete"
	JobCompleted  JobStatus = "completed"
	JobDone       JobStatus = "done"
	JobFailed     JobStatus = "failed"
	JobErred      JobStatus = "error"
)

// Succeeded reports whether the status is final and good.
func (s JobStatus) Succeeded() bool { return s == JobComplete || s == JobCompleted || s == JobDone }

// Failed reports whether the status is final and bad.
func (s JobStatus) Failed() bool { return s == JobFailed || s == JobErred }

// Job is work that G2A does behind a call.
type Job struct {
	ID       string
	Status   JobStatus
	Elements []JobElement
}

// JobElement is what a job has done to one thing. What G2A does not state is "".
type JobElement struct {
	ResourceID   string // an offer's id
	ResourceType string // what that is: offer
	Status       JobStatus
	Code         string // why it failed; the codes are not public
	Message      string // the same in words, shortened
}

// ResourceID returns the first resource that the job names, such as the offer it has
// created, or "".
func (j Job) ResourceID() string {
	for _, element := range j.Elements {
		if element.ResourceID != "" {
			return element.ResourceID
		}
	}
	return ""
}

// failed reports whether the job, or one of its elements, has ended without success: G2A
// calls a job complete whose element has failed.
func (j Job) failed() bool {
	return j.Status.Failed() || j.Status.Succeeded() && slices.ContainsFunc(j.Elements, JobElement.failed)
}

func (e JobElement) failed() bool { return e.Status.Failed() }

// JobError is a job that has ended without success, at least in part.
type JobError struct {
	Job Job
}

// Error reports what became of the job and why, in one line.
func (e *JobError) Error() string {
	text := fmt.Sprintf("job %s is %s", printable(e.Job.ID, 64, nil), printable(string(e.Job.Status), 40, nil))
	for _, element := range e.Job.Elements {
		if !element.Status.Failed() {
			continue
		}
		text += "; " + strings.TrimSpace("its "+printable(element.ResourceType, 40, nil)) + " failed"
		if element.Code != "" {
			text += ", " + element.Code
		}
		if element.Message != "" {
			text += ": " + strconv.Quote(element.Message)
		}
	}
	return text
}

const (
	jobPollBase = 500 * time.Millisecond // between the first two looks at a job
	jobPollCap  = 10 * time.Second
	// maxJobWait ends a wait whose context has no deadline, or a later one.
	maxJobWait = 10 * time.Minute
)

// Job returns a job as it is now.
func (c *Client) Job(ctx context.Context, id string) (Job, error) {
	r, fault := c.newRequest(importAPI, "GET", "/v3/jobs/{jobId}", id)
	if fault != nil {
		return Job{}, invalid(ctx, r, fault)
	}
	return oneImport(ctx, c, r, wireJob.job)
}

// WaitJob polls a job until it is complete, and returns it. A job that ends otherwise, or
// that is complete while one of its elements failed, is a *JobError. It waits until the
// context's deadline, and ten minutes at most; then the error is context.DeadlineExceeded,
// and the job is returned as it was last seen. A temporary error (Error.Temporary) does not
// end the wait.
func (c *Client) WaitJob(ctx context.Context, id string) (Job, error) {
	ctx, _ = correlated(ctx)
	ctx, cancel := context.WithTimeout(ctx, maxJobWait)
	defer cancel()
	last := Job{ID: id, Status: JobPending}
	for looks := 0; ; looks++ {
		job, err := c.Job(ctx, id)
		var failed *Error
		switch {
		case err == nil && job.failed():
			return job, &JobError{Job: job}
		case err == nil && job.Status.Succeeded():
			return job, nil
		case err == nil:
			last = job
		case !errors.As(err, &failed) || !failed.Temporary():
			return last, err
		}
		wait := max(jitteredPoll(looks), askedToWait(err))
		if wait+minAttempt > timeLeft(ctx) {
			return last, stillRunning(last, context.DeadlineExceeded, err)
		}
		if stopped := pause(ctx, wait); stopped != nil {
			return last, stillRunning(last, stopped, err)
		}
	}
}

// stillRunning is the error of a wait that ends before its job. failed is what became
// of the last look at it.
func stillRunning(job Job, stopped, failed error) error {
	if failed != nil {
		return fmt.Errorf("job %s is not seen to end: %w: %w", printable(job.ID, 64, nil), stopped, failed)
	}
	status := printable(string(job.Status), 40, nil)
	return fmt.Errorf("job %s is still %s: %w", printable(job.ID, 64, nil), status, stopped)
}

// jitteredPoll picks the wait after look number n+1: from half of an exponential
// backoff to all of it, since the job needs its time in any case.
func jitteredPoll(n int) time.Duration {
	ceiling := min(jobPollCap, jobPollBase<<min(n, 10))
	return ceiling/2 + time.Duration(mathrand.Int64N(int64(ceiling/2)))
}

// wireJob is a job as G2A sends it.
type wireJob struct {
	ID       json.RawMessage   `json:"jobId"`
	Status   JobStatus         `json:"status"`
	Elements []json.RawMessage `json:"elements"`
}

// job checks and maps.
func (w wireJob) job() (job Job, fault *FieldError) {
	if job.ID, fault = readID("jobId", w.ID); fault != nil {
		return Job{}, fault
	}
	if job.Status = w.Status; job.Status == "" {
		return Job{}, &FieldError{Field: "status", Problem: "is missing"}
	}
	job.Elements, fault = readList("elements", w.Elements, wireJobElement.element)
	return job, fault
}

// wireJobElement is an element of a job as G2A sends it.
type wireJobElement struct {
	ResourceID   json.RawMessage `json:"resourceId"`
	ResourceType string          `json:"resourceType"`
	Status       JobStatus       `json:"status"`
	Code         json.RawMessage `json:"code"`
	Message      string          `json:"message"`
}

// element checks and maps. The code may be a string or a number.
func (w wireJobElement) element() (element JobElement, fault *FieldError) {
	if w.Status == "" {
		return JobElement{}, &FieldError{Field: "status", Problem: "is missing"}
	}
	if element.ResourceID, fault = readOptionalID("resourceId", w.ResourceID); fault != nil {
		return JobElement{}, fault
	}
	if element.Code, fault = readOptionalID("code", w.Code); fault != nil {
		return JobElement{}, fault
	}
	element.ResourceType, element.Status = w.ResourceType, w.Status
	element.Code, element.Message = printable(element.Code, 40, nil), printable(w.Message, 200, nil)
	return element, nil
}

// readOptionalID reads an id that may be absent or empty, and is then "".
func readOptionalID(field string, raw json.RawMessage) (string, *FieldError) {
	if blank(raw) {
		return "", nil
	}
	return readID(field, raw)
}
