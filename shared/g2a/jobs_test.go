package g2a_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

func TestJob(t *testing.T) {
	tests := []struct {
		name string
		body string
		want g2a.Job
	}{
		{"completed", goodJob, g2a.Job{ID: "j1", Status: g2a.JobCompleted, ResourceID: "o1", ResourceType: "offer"}},
		{"pending", `{"jobId":"j1","status":"pending"}`, g2a.Job{ID: "j1", Status: g2a.JobPending}},
		{"processing, with nulls", `{"jobId":"j1","status":"processing","resourceId":null,"resourceType":null,"code":null,"message":null}`, g2a.Job{ID: "j1", Status: g2a.JobProcessing}},
		{"failed", `{"jobId":"j1","status":"failed","code":"OF01","message":"no\nsuch\u001b product"}`, g2a.Job{ID: "j1", Status: g2a.JobFailed, Code: "OF01", Message: "no such  product"}},
		{"cancelled, ids that are numbers", `{"jobId":17,"status":"cancelled","resourceId":18}`, g2a.Job{ID: "17", Status: g2a.JobCancelled, ResourceID: "18"}},
		{"an empty resource", `{"jobId":"j1","status":"pending","resourceId":""}`, g2a.Job{ID: "j1", Status: g2a.JobPending}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, test.body)}}
			got, err := newClient(g2aServer).Job(t.Context(), "j/1")
			if err != nil || got != test.want {
				t.Errorf("job is %+v, error %v; want %+v", got, err, test.want)
			}
			if r := g2aServer.requests()[0]; r.Method != "GET" || r.URL.EscapedPath() != "/v1/jobs/j%2F1" {
				t.Errorf("asked for %s %s", r.Method, r.URL)
			}
		})
	}
}

func TestJobMalformed(t *testing.T) {
	tests := []struct{ name, body, fault string }{
		{"no id", `{"status":"pending"}`, "field jobId is missing"},
		{"no status", `{"jobId":"j1"}`, "field status is missing"},
		{"status unknown", `{"jobId":"j1","status":"hunter2"}`, "field status is none of pending, processing, completed, failed, cancelled"},
		{"status a number", `{"jobId":"j1","status":1}`, "field status has the wrong type"},
		{"resource an object", `{"jobId":"j1","status":"pending","resourceId":{}}`, "field resourceId is neither"},
		{"code a number", `{"jobId":"j1","status":"failed","code":17}`, "field code has the wrong type"},
		{"a list", `[]`, "not the JSON expected"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := newClient(&script{replies: []reply{answer(200, test.body)}}).Job(t.Context(), "j1")
			assertMalformed(t, err, test.fault)
			if got != (g2a.Job{}) {
				t.Errorf("a job beside the error: %+v", got)
			}
		})
	}
}

// TestWaitJob goes by the bubble's own clock.
func TestWaitJob(t *testing.T) {
	pending := answer(200, `{"jobId":"j1","status":"pending"}`)
	processing := answer(200, `{"jobId":"j1","status":"processing"}`)
	done := answer(200, goodJob)
	failed := answer(200, `{"jobId":"j1","status":"failed","code":"OF01","message":"no such product"}`)
	tests := []struct {
		name     string
		replies  []reply // the last of them ever again
		deadline time.Duration
		looks    int
		atLeast  time.Duration
		atMost   time.Duration
		status   g2a.JobStatus
		kind     error // context.Canceled and so on
	}{
		{"completed at once", []reply{done}, 0, 1, 0, 0, g2a.JobCompleted, nil},
		{"after a while", []reply{pending, processing, done}, 0, 3, 750 * time.Millisecond, 1500 * time.Millisecond, g2a.JobCompleted, nil},
		{"the waits grow to ten seconds", []reply{pending, pending, pending, pending, pending, pending, pending, done}, 0, 8,
			(500 + 1000 + 2000 + 4000 + 8000 + 10000 + 10000) / 2 * time.Millisecond, (500 + 1000 + 2000 + 4000 + 8000 + 10000 + 10000) * time.Millisecond, g2a.JobCompleted, nil},
		{"G2A is away for a while", []reply{pending, answer(503, ""), answer(503, ""), answer(503, ""), done}, 0, 5, 0, 10 * time.Second, g2a.JobCompleted, nil},
		{"G2A asks to wait", []reply{answer(429, "", "Retry-After: 30"), done}, 0, 2, 30 * time.Second, 30 * time.Second, g2a.JobCompleted, nil},
		{"the deadline", []reply{processing}, 20 * time.Second, 0, 9 * time.Second, 20 * time.Second, g2a.JobProcessing, context.DeadlineExceeded},
		{"no wait that leaves no time to look", []reply{processing}, 700 * time.Millisecond, 1, 0, 0, g2a.JobProcessing, context.DeadlineExceeded},
		{"never", []reply{pending}, 0, 0, 9*time.Minute + 49*time.Second, 10 * time.Minute, g2a.JobPending, context.DeadlineExceeded},
		{"G2A is away for good", []reply{answer(503, "")}, time.Minute, 0, 49 * time.Second, time.Minute, g2a.JobPending, context.DeadlineExceeded},
		{"not found", []reply{answer(404, `{"status":"ERROR","message":"no such job"}`)}, 0, 1, 0, 0, g2a.JobPending, g2a.ErrNotFound},
		{"malformed", []reply{answer(200, "{}")}, 0, 1, 0, 0, g2a.JobPending, g2a.ErrMalformedAnswer},
		{"failed", []reply{pending, failed}, 0, 2, 250 * time.Millisecond, 500 * time.Millisecond, g2a.JobFailed, nil},
		{"cancelled", []reply{answer(200, `{"jobId":"j1","status":"cancelled"}`)}, 0, 1, 0, 0, g2a.JobCancelled, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := t.Context(), func() {}
				if test.deadline > 0 {
					ctx, cancel = context.WithTimeout(ctx, test.deadline)
				}
				defer cancel()
				g2aServer := &script{replies: test.replies}
				started := time.Now()
				job, err := newClient(g2aServer).WaitJob(ctx, "j1")
				if took := time.Since(started); took < test.atLeast || took > test.atMost {
					t.Errorf("took %v, want from %v to %v", took, test.atLeast, test.atMost)
				}
				if got := len(g2aServer.requests()); test.looks > 0 && got != test.looks || got > 200 {
					t.Errorf("%d looks, want %d", got, test.looks)
				}
				if job.ID != "j1" || job.Status != test.status || correlations(g2aServer) != 1 {
					t.Errorf("job is %+v, want it %s; %d correlation ids", job, test.status, correlations(g2aServer))
				}
				var ended *g2a.JobError
				switch {
				case test.kind != nil && !errors.Is(err, test.kind):
					t.Errorf("error is %v, want %v", err, test.kind)
				case test.kind != nil:
				case test.status == g2a.JobCompleted && err != nil:
					t.Errorf("error is %v", err)
				case test.status != g2a.JobCompleted && (!errors.As(err, &ended) || ended.Job != job):
					t.Errorf("error is %v, want a *JobError of %+v", err, job)
				}
			})
		})
	}
}

// TestWaitJobIsSpread: the callers of many jobs do not look all at once.
func TestWaitJobIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took := map[time.Duration]bool{}
		for range 20 {
			started := time.Now()
			_, err := newClient(&script{replies: []reply{answer(200, `{"jobId":"j1","status":"pending"}`), answer(200, goodJob)}}).WaitJob(t.Context(), "j1")
			if err != nil {
				t.Fatal(err)
			}
			took[time.Since(started)] = true
		}
		if len(took) < 10 {
			t.Errorf("20 waits were of %d lengths", len(took))
		}
	})
}

func TestWaitJobCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		started := time.Now()
		job, err := newClient(&script{replies: []reply{answer(200, `{"jobId":"j1","status":"processing"}`)}}).WaitJob(ctx, "j1")
		if !errors.Is(err, context.Canceled) || job.Status != g2a.JobProcessing || time.Since(started) != 3*time.Second {
			t.Errorf("job is %+v, error %v after %v; want the job and the context's error at once", job, err, time.Since(started))
		}
	})
}

func TestJobErrorText(t *testing.T) {
	tests := []struct {
		name string
		job  g2a.Job
		want string
	}{
		{"code and message", g2a.Job{ID: "j1", Status: g2a.JobFailed, Code: "OF01", Message: `no "7"`}, `job j1 is failed, OF01: "no \"7\""`},
		{"nothing more", g2a.Job{ID: "j1", Status: g2a.JobCancelled}, "job j1 is cancelled"},
		{"an odd id", g2a.Job{ID: "j\n1", Status: g2a.JobFailed, Message: "no"}, `job j 1 is failed: "no"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := (&g2a.JobError{Job: test.job}).Error(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func FuzzJob(f *testing.F) {
	f.Add(goodJob)
	f.Add(`{"jobId":17,"status":"failed","code":"` + testAccess + `","message":"a\r\nb"}`)
	f.Add(`{"jobId":"` + testKey + `","status":"` + testAccess + `"}`)
	f.Add(`{"jobId":{},"status":[]}`)
	f.Fuzz(func(t *testing.T, text string) {
		job, err := newClient(&script{replies: []reply{answer(200, text)}}).Job(t.Context(), "j1")
		if err != nil {
			if !errors.Is(err, g2a.ErrMalformedAnswer) || job != (g2a.Job{}) {
				t.Errorf("error is %v, job %+v", err, job)
			}
			assertDiscreet(t, err)
			return
		}
		if job.ID == "" || job.Status == "" || strings.ContainsAny((&g2a.JobError{Job: job}).Error(), "\r\n") {
			t.Errorf("job is %+v", job)
		}
	})
}
