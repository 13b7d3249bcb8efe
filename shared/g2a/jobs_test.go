package g2a_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// jobIs is a job with one element, as G2A sends it; "" is no element.
func jobIs(status, element string) string {
	if element != "" {
		element = `{"resourceId":"o1","resourceType":"offer","status":"` + element + `","code":"OF01","message":"no\nsuch\u001b product"}`
	}
	return `{"data":{"jobId":"j1","status":"` + status + `","elements":[` + element + `]}}`
}

func TestJob(t *testing.T) {
	element := func(e g2a.JobElement) []g2a.JobElement { return []g2a.JobElement{e} }
	tests := []struct {
		name string
		body string
		want g2a.Job
	}{
		{"complete", goodJob, g2a.Job{ID: "j1", Status: g2a.JobComplete, Elements: element(g2a.JobElement{ResourceID: "o1", ResourceType: "offer", Status: g2a.JobCompleted})}},
		{"pending", jobIs("pending", ""), g2a.Job{ID: "j1", Status: g2a.JobPending, Elements: []g2a.JobElement{}}},
		{"no elements", `{"data":{"jobId":"j1","status":"processing"}}`, g2a.Job{ID: "j1", Status: g2a.JobProcessing, Elements: []g2a.JobElement{}}},
		{"elements null", `{"data":{"jobId":"j1","status":"pending","elements":null}}`, g2a.Job{ID: "j1", Status: g2a.JobPending, Elements: []g2a.JobElement{}}},
		{"an unknown word", jobIs("on hold", ""), g2a.Job{ID: "j1", Status: "on hold", Elements: []g2a.JobElement{}}},
		{"failed", jobIs("failed", "failed"), g2a.Job{ID: "j1", Status: g2a.JobFailed, Elements: element(g2a.JobElement{
			ResourceID: "o1", ResourceType: "offer", Status: g2a.JobFailed, Code: "OF01", Message: "no such  product"})}},
		{"numbers and nulls", `{"data":{"jobId":17,"status":"error","elements":[{"resourceId":18,"status":"failed","code":19,"message":null}]}}`,
			g2a.Job{ID: "17", Status: g2a.JobErred, Elements: element(g2a.JobElement{ResourceID: "18", Status: g2a.JobFailed, Code: "19"})}},
		{"no resource", `{"data":{"jobId":"j1","status":"complete","elements":[{"resourceId":null,"status":"failed"},{"resourceId":"","status":"failed"}]}}`,
			g2a.Job{ID: "j1", Status: g2a.JobComplete, Elements: []g2a.JobElement{{Status: g2a.JobFailed}, {Status: g2a.JobFailed}}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, test.body)}}
			got, err := newClient(g2aServer).Job(t.Context(), "j/1")
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("job is %+v, error %v; want %+v", got, err, test.want)
			}
			if r := g2aServer.requests()[0]; r.Method != "GET" || r.URL.EscapedPath() != "/v3/jobs/j%2F1" {
				t.Errorf("asked for %s %s", r.Method, r.URL)
			}
		})
	}
}

func TestJobMalformed(t *testing.T) {
	tests := []struct{ name, body, fault string }{
		{"no data", `{"jobId":"j1","status":"pending"}`, "field data is missing"},
		{"data a number", `{"data":17}`, "field data has the wrong type"},
		{"no id", `{"data":{"status":"pending"}}`, "field data.jobId is missing"},
		{"no status", `{"data":{"jobId":"j1"}}`, "field data.status is missing"},
		{"status a number", `{"data":{"jobId":"j1","status":1}}`, "field data.status has the wrong type"},
		{"elements an object", `{"data":{"jobId":"j1","status":"pending","elements":{}}}`, "field data.elements has the wrong type"},
		{"an element without a status", `{"data":{"jobId":"j1","status":"complete","elements":[{"resourceId":"o1"}]}}`, "field data.elements[0].status is missing"},
		{"resource an object", `{"data":{"jobId":"j1","status":"complete","elements":[{"status":"x","resourceId":{}}]}}`, "field data.elements[0].resourceId is neither"},
		{"code a list", `{"data":{"jobId":"j1","status":"failed","elements":[{"status":"x","code":["hunter2"]}]}}`, "field data.elements[0].code is neither"},
		{"a list", `[]`, "not the JSON expected"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := newClient(&script{replies: []reply{answer(200, test.body)}}).Job(t.Context(), "j1")
			assertMalformed(t, err, test.fault)
			if !reflect.DeepEqual(got, g2a.Job{}) {
				t.Errorf("a job beside the error: %+v", got)
			}
		})
	}
}

func TestResourceOfAJob(t *testing.T) {
	for want, elements := range map[string][]g2a.JobElement{
		"": {{Status: g2a.JobFailed}}, "o1": {{ResourceID: "o1"}, {ResourceID: "o2"}}, "o2": {{}, {ResourceID: "o2"}},
	} {
		if got := (g2a.Job{Elements: elements}).ResourceID(); got != want {
			t.Errorf("resource of %+v is %q, want %q", elements, got, want)
		}
	}
}

// TestWaitJob goes by the bubble's own clock.
func TestWaitJob(t *testing.T) {
	pending, processing := answer(200, jobIs("pending", "")), answer(200, jobIs("processing", "pending"))
	done, failed := answer(200, goodJob), answer(200, jobIs("failed", "failed"))
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
		{"completed at once", []reply{done}, 0, 1, 0, 0, g2a.JobComplete, nil},
		{"after a while", []reply{pending, processing, done}, 0, 3, 750 * time.Millisecond, 1500 * time.Millisecond, g2a.JobComplete, nil},
		{"the waits grow to ten seconds", []reply{pending, pending, pending, pending, pending, pending, pending, done}, 0, 8,
			(500 + 1000 + 2000 + 4000 + 8000 + 10000 + 10000) / 2 * time.Millisecond, (500 + 1000 + 2000 + 4000 + 8000 + 10000 + 10000) * time.Millisecond, g2a.JobComplete, nil},
		{"G2A is away for a while", []reply{pending, answer(503, ""), answer(503, ""), answer(503, ""), done}, 0, 5, 0, 10 * time.Second, g2a.JobComplete, nil},
		{"G2A asks to wait", []reply{answer(429, "", "Retry-After: 30"), done}, 0, 2, 30 * time.Second, 30 * time.Second, g2a.JobComplete, nil},
		{"the deadline", []reply{processing}, 20 * time.Second, 0, 9 * time.Second, 20 * time.Second, g2a.JobProcessing, context.DeadlineExceeded},
		{"no wait that leaves no time to look", []reply{processing}, 700 * time.Millisecond, 1, 0, 0, g2a.JobProcessing, context.DeadlineExceeded},
		{"never", []reply{pending}, 0, 0, 9*time.Minute + 49*time.Second, 10 * time.Minute, g2a.JobPending, context.DeadlineExceeded},
		{"G2A is away for good", []reply{answer(503, "")}, time.Minute, 0, 49 * time.Second, time.Minute, g2a.JobPending, context.DeadlineExceeded},
		{"not found", []reply{answer(404, `{"errors":[{"code":"JB01","message":"no such job"}]}`)}, 0, 1, 0, 0, g2a.JobPending, g2a.ErrNotFound},
		{"malformed", []reply{answer(200, "{}")}, 0, 1, 0, 0, g2a.JobPending, g2a.ErrMalformedAnswer},
		{"failed", []reply{pending, failed}, 0, 2, 250 * time.Millisecond, 500 * time.Millisecond, g2a.JobFailed, nil},
		{"in error", []reply{answer(200, jobIs("error", ""))}, 0, 1, 0, 0, g2a.JobErred, nil},
		{"completed", []reply{answer(200, jobIs("completed", "complete"))}, 0, 1, 0, 0, g2a.JobCompleted, nil},
		{"done", []reply{answer(200, jobIs("done", ""))}, 0, 1, 0, 0, g2a.JobDone, nil},
		{"an unknown word is not the end", []reply{answer(200, jobIs("on hold", "failed")), done}, 0, 2, 250 * time.Millisecond, 500 * time.Millisecond, g2a.JobComplete, nil},
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
				case test.status.Succeeded() && err != nil:
					t.Errorf("error is %v", err)
				case !test.status.Succeeded() && (!errors.As(err, &ended) || !reflect.DeepEqual(ended.Job, job)):
					t.Errorf("error is %v, want a *JobError of %+v", err, job)
				}
			})
		})
	}
}

// TestWaitJobWhoseElementFailed: G2A calls such a job complete.
func TestWaitJobWhoseElementFailed(t *testing.T) {
	for _, word := range []string{"failed", "error"} {
		job, err := newClient(&script{replies: []reply{answer(200, jobIs("complete", word))}}).WaitJob(t.Context(), "j1")
		var ended *g2a.JobError
		if !errors.As(err, &ended) || job.Status != g2a.JobComplete || !strings.Contains(err.Error(), "OF01") {
			t.Errorf("job is %+v, error %v; want a *JobError", job, err)
		}
	}
}

// TestWaitJobIsSpread: the callers of many jobs do not look all at once.
func TestWaitJobIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took := map[time.Duration]bool{}
		for range 20 {
			started := time.Now()
			_, err := newClient(&script{replies: []reply{answer(200, jobIs("pending", "")), answer(200, goodJob)}}).WaitJob(t.Context(), "j1")
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
		job, err := newClient(&script{replies: []reply{answer(200, jobIs("processing", ""))}}).WaitJob(ctx, "j1")
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
		{"code and message", g2a.Job{ID: "j1", Status: g2a.JobComplete, Elements: []g2a.JobElement{
			{Status: g2a.JobCompleted, Message: "fine"}, {Status: g2a.JobFailed, ResourceType: "offer", Code: "OF01", Message: `no "7"`},
		}}, `job j1 is complete; its offer failed, OF01: "no \"7\""`},
		{"nothing more", g2a.Job{ID: "j1", Status: g2a.JobErred}, "job j1 is error"},
		{"odd words", g2a.Job{ID: "j\n1", Status: g2a.JobFailed, Elements: []g2a.JobElement{{Status: g2a.JobErred, ResourceType: "a\nb"}}}, `job j 1 is failed; its a b failed`},
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
	f.Add(`{"data":{"jobId":17,"status":"failed","elements":[{"status":"failed","code":"` + testAccess + `","message":"a\r\nb"}]}}`)
	f.Add(`{"data":{"jobId":"` + testKey + `","status":"` + testAccess + `"}}`)
	f.Add(`{"data":{"jobId":{},"status":[]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		job, err := newClient(&script{replies: []reply{answer(200, text)}}).Job(t.Context(), "j1")
		if err != nil {
			if !errors.Is(err, g2a.ErrMalformedAnswer) || !reflect.DeepEqual(job, g2a.Job{}) {
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
