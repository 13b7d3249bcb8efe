package g2a

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/url"
	"strconv"
	"time"
)

// JobStatus is how far a job has come.
type JobStatus string

// The statuses G2A documents. The last three are final.
const (
	JobPending    JobStatus = "pending"
	JobProcessing JobStatus = "processing"
	JobCompleted  JobStatus = "completed"
	JobFailed     JobStatus = "failed"
	JobCancelled  JobStatus = "cancelled"
)

var jobStatuses = []JobStatus{JobPending, JobProcessing, JobCompleted, JobFailed, JobCancelled}

// Job is work that G2A does behind a call. What G2A does not say is "".
type Job struct {
	ID           string
	Status       JobStatus
	ResourceID   string // what was made: an offer's id
	ResourceType string // what that is: offer
	Code         string // why it failed
	Message      string // the same in words, shortened
}

// JobError is a job that has ended without success.
type JobError struct {
	Job Job // Status is failed or cancelled
}

// Error reports what became of the job and why, in one line.
func (e *JobError) Error() string {
	text := fmt.Sprintf("job %s is %s", printable(e.Job.ID, 64, nil), e.Job.Status)
	if e.Job.Code != "" {
		text += ", " + e.Job.Code
	}
	if e.Job.Message != "" {
		text += ": " + strconv.Quote(e.Job.Message)
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
	r := request{api: importAPI, method: "GET", route: "/jobs/{id}", url: c.cfg.ImportURL + "/v1/jobs/" + url.PathEscape(id)}
	if fault := checkID(id); fault != nil {
		return Job{}, invalid(ctx, r, fault)
	}
	var wire wireJob
	var job Job
	err := c.doBearer(ctx, r, decoded(&wire, func() (fault *FieldError) {
		job, fault = wire.job()
		return fault
	}))
	if err != nil {
		return Job{}, err
	}
	return job, nil
}

// WaitJob polls a job until it is completed, and returns it. A job that ends otherwise is
// a *JobError. It waits until the context's deadline, and ten minutes at most; then the
// error is context.DeadlineExceeded, and the job is returned as it was last seen. A
// temporary error (Error.Temporary) does not end the wait.
func (c *Client) WaitJob(ctx context.Context, id string) (Job, error) {
	ctx, _ = correlated(ctx)
	ctx, cancel := context.WithTimeout(ctx, maxJobWait)
	defer cancel()
	last := Job{ID: id, Status: JobPending}
	for looks := 0; ; looks++ {
		job, err := c.Job(ctx, id)
		var failed *Error
		switch {
		case err == nil && job.Status == JobCompleted:
			return job, nil
		case err == nil && (job.Status == JobFailed || job.Status == JobCancelled):
			return job, &JobError{Job: job}
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
	return fmt.Errorf("job %s is still %s: %w", printable(job.ID, 64, nil), job.Status, stopped)
}

// jitteredPoll picks the wait after look number n+1: from half of an exponential
// backoff to all of it, since the job needs its time in any case.
func jitteredPoll(n int) time.Duration {
	ceiling := min(jobPollCap, jobPollBase<<min(n, 10))
	return ceiling/2 + time.Duration(mathrand.Int64N(int64(ceiling/2)))
}

// wireJob is a job as G2A sends it.
type wireJob struct {
	ID           json.RawMessage `json:"jobId"`
	Status       JobStatus       `json:"status"`
	ResourceID   json.RawMessage `json:"resourceId"`
	ResourceType string          `json:"resourceType"`
	Code         string          `json:"code"`
	Message      string          `json:"message"`
}

// job checks and maps.
func (w wireJob) job() (job Job, fault *FieldError) {
	if job.ID, fault = readID("jobId", w.ID); fault != nil {
		return Job{}, fault
	}
	if fault = readChoice("status", w.Status, jobStatuses); fault != nil {
		return Job{}, fault
	}
	if !absent(w.ResourceID) && string(w.ResourceID) != `""` {
		if job.ResourceID, fault = readID("resourceId", w.ResourceID); fault != nil {
			return Job{}, fault
		}
	}
	job.Status, job.ResourceType = w.Status, w.ResourceType
	job.Code, job.Message = printable(w.Code, 40, nil), printable(w.Message, 200, nil)
	return job, nil
}
