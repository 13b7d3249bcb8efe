//go:build proof

package webhooks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/localcloudtest"
	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

const (
	senders        = 32
	instances      = 28 // fewer than the senders: the gateway throttles now and then
	eventsAnOrder  = 20
	maxCopies      = 8
	outages        = 3
	cutInAnOutage  = 100 // requests to the store
	resendPause    = 50 * time.Millisecond
	maxSendings    = 2000             // of one letter until it is accepted
	rereadsWithin  = 10 * time.Second // a function sees a rotation, at the latest when a signature does not match
	maxProblems    = 20
	sameBytesAgain = 0.5 // of what is sent again; the rest is signed anew
)

// storm is one run.
type storm struct {
	t       testing.TB
	cloud   *proof.Stack
	weather *weather
	books   *books

	events    []*event
	plain     []*event // those that are as documented
	old, new  g2a.Secret
	secretKey string

	mu        sync.Mutex
	rotatedAt time.Time // zero: not yet
	applied   []letter  // of plain events, accepted with another result than duplicate
	delivered int
	copies    int // in all
}

// TestStorm delivers many events at once. STORMTEST_EVENTS is how many, and how many
// mutated letters; STORMTEST_SEED repeats what was drawn, but not how the deliveries
// come between each other.
func TestStorm(t *testing.T) {
	events, seed := localcloudtest.Number(t, "STORMTEST_EVENTS", 600), localcloudtest.Number(t, "STORMTEST_SEED", rand.Uint64N(1e9)+1)
	t.Logf("STORMTEST_SEED=%d", seed)
	t.Run("DynamoDB Local", func(t *testing.T) { runStorm(t, storetest.DynamoDBLocal(t), seed, int(events)) })
	// The engine in memory is no place for many items.
	t.Run("minidyn", func(t *testing.T) { runStorm(t, storetest.Minidyn(t), seed, int(min(events, 100))) })
}

func runStorm(t *testing.T, engine string, seed uint64, events int) {
	begun := time.Now()
	s := newStorm(t, engine, seed)
	r := rand.New(rand.NewPCG(seed, 0))
	orders := max(2, events/eventsAnOrder)
	s.events = drawEvents(r, events, orders)
	for _, e := range s.events {
		if e.form == plain {
			s.plain = append(s.plain, e)
		}
	}
	jobs := s.plan(r, events)
	queue := make(chan func(*rand.Rand), len(jobs))
	for _, job := range jobs {
		queue <- job
	}
	close(queue)
	var all sync.WaitGroup
	for range senders {
		own := rand.New(rand.NewPCG(r.Uint64(), 2))
		all.Go(func() {
			for job := range queue {
				job(own)
			}
		})
	}
	all.Wait()
	s.check()
	if events >= 500 {
		s.checkWeather()
	}
	s.books.print(t, s, orders, time.Since(begun))
}

func newStorm(t *testing.T, engine string, seed uint64) *storm {
	t.Helper()
	s := &storm{
		t: t, books: newBooks(),
		old: g2a.NewSecret("hash-before-the-rotation"), new: g2a.NewSecret("hash-after-the-rotation"), secretKey: "key-of-the-storm",
	}
	s.cloud = proof.Start(t, proof.Options{
		Engine: engine, Credentials: g2a.Credentials{Hash: s.old, Key: g2a.NewSecret(s.secretKey)},
		Cloud: func(o *localcloud.Options) { o.Concurrency = instances },
	})
	s.emptyTables()
	s.weather = newWeather(t, seed, s.cloud.Functions())
	s.cloud.ToStore.Strike(s.weather.strikes)
	return s
}

// plan is all deliveries of all events, each several times, and as many mutated
// letters as events, in any order.
func (s *storm) plan(r *rand.Rand, events int) []func(*rand.Rand) {
	var jobs []func(*rand.Rand)
	for _, e := range s.events {
		for range 1 + r.IntN(maxCopies) {
			jobs = append(jobs, func(r *rand.Rand) { s.deliver(r, e) })
			s.copies++
		}
	}
	for n := range events {
		m := mutations[n%len(mutations)] // each as often
		jobs = append(jobs, func(r *rand.Rand) { s.forge(r, m) })
	}
	r.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	return jobs
}

// hash is one that G2A may sign with now: after the rotation the new one more and
// more.
func (s *storm) hash(r *rand.Rand) g2a.Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	chance := 0.5
	switch {
	case s.rotatedAt.IsZero():
		chance = 0
	case time.Since(s.rotatedAt) < rereadsWithin:
		chance = 0.02
	}
	if r.Float64() < chance {
		return s.new
	}
	return s.old
}

// deliver sends a good letter until it is accepted, as G2A does.
func (s *storm) deliver(r *rand.Rand, e *event) {
	hash := s.hash(r)
	l := write(r, hash, e.body(r))
	for range maxSendings {
		begun := time.Now()
		got := s.send(l)
		s.books.answered(got)
		switch {
		case got.status == http.StatusOK:
			s.accepted(e, l, got)
			return
		case got.status == http.StatusUnauthorized && hash.Equal(s.new) && s.mayNotKnow(begun):
			s.books.count("refused: the function has not seen the rotation yet")
		case got.status != http.StatusServiceUnavailable && !got.killed:
			s.books.problem("event %s: %s", e.key(), got)
			return
		}
		time.Sleep(resendPause)
		if r.Float64() >= sameBytesAgain {
			l = write(r, hash, e.body(r))
		}
	}
	s.books.problem("event %s is not accepted after %d sendings", e.key(), maxSendings)
}

// mayNotKnow reports whether a letter sent then may have met a function that has not
// read the new hash: it reads again when a signature does not match, but not more
// often than this.
func (s *storm) mayNotKnow(sent time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sent.Sub(s.rotatedAt) < rereadsWithin
}

// accepted notes an answer, and has happen what is due at this part of the way.
func (s *storm) accepted(e *event, l letter, got answer) {
	s.books.accepted(e, got)
	if e.acknowledged() && s.weather.hasReached(got.trace) {
		s.books.problem("event %s is of no order, and has reached the store", e.key())
	}
	s.mu.Lock()
	if e.form == plain && got.result != "duplicate" && len(s.applied) < 1000 {
		s.applied = append(s.applied, l)
	}
	s.delivered++
	away, rotates := false, s.delivered == s.copies/3
	for n := 1; n <= outages; n++ {
		away = away || s.delivered == n*s.copies/(outages+1)
	}
	s.mu.Unlock()
	if away {
		s.weather.goAway(cutInAnOutage)
	}
	if rotates {
		s.rotate()
	}
}

// rotate gives the secret its new version.
func (s *storm) rotate() {
	client := secretsmanager.New(secretsmanager.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(s.cloud.Addresses().Secrets), Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	})
	value, _ := json.Marshal(map[string]string{"api_key": s.secretKey, "api_hash": s.new.Reveal()}) // two texts: cannot fail
	_, err := client.PutSecretValue(context.WithoutCancel(s.t.Context()), &secretsmanager.PutSecretValueInput{
		SecretId: aws.String("G2ASecret"), SecretString: aws.String(string(value)),
	})
	if err != nil {
		s.books.problem("rotating the credentials: %v", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rotatedAt = time.Now()
}

// forge sends a letter that must not be taken, until the function itself has answered.
func (s *storm) forge(r *rand.Rand, m mutation) {
	e := s.plain[r.IntN(len(s.plain))]
	good := write(r, s.old, e.canonical()) // known before and after the rotation: it is not refused for that
	if m.signed {
		s.mu.Lock()
		known := len(s.applied) > 0
		if known {
			good = s.applied[r.IntN(len(s.applied))]
		}
		s.mu.Unlock()
		if !known { // nothing to steal yet
			m = mutations[0]
		}
	}
	forged := m.make(r, good, s.old)
	for range maxSendings {
		got := s.send(forged)
		switch {
		case !got.function || got.status == http.StatusServiceUnavailable && m.signed:
			time.Sleep(resendPause)
			continue
		case got.status < 400 || got.status > 499:
			s.books.problem("a forged letter (%s): %s", m.name, got)
		case !m.signed && s.weather.hasReached(got.trace):
			s.books.problem("a forged letter (%s) has reached the store", m.name)
		case got.status == http.StatusUnauthorized && got.body != `{"error":"unauthorized"}`:
			s.books.problem("a forged letter (%s) is told more than it should be: %s", m.name, got)
		}
		s.books.forged(m.name, got)
		return
	}
	s.books.problem("a forged letter (%s) has no answer after %d sendings", m.name, maxSendings)
}

// answer is what a sender gets.
type answer struct {
	trace      string
	status     int
	result     string // of a 200
	retryAfter string
	body       string
	function   bool // it is the function's own; else the gateway's
	killed     bool // the function's process was killed meanwhile
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}

// send delivers a letter once, under a trace of its own.
func (s *storm) send(l letter) answer {
	a := answer{trace: fmt.Sprintf("1-%08x-%016x%08x", time.Now().Unix(), rand.Uint64(), rand.Uint32())}
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.cloud.Addresses().HTTP+"/webhooks/g2a", bytes.NewReader(l.body))
	if err != nil {
		s.t.Error(err)
		return a
	}
	request.Header = l.header.Clone()
	request.Header.Set("X-Amzn-Trace-Id", "Root="+a.trace)
	response, err := client.Do(request)
	if err != nil {
		s.books.problem("the gateway: %v", err)
		return a
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.books.problem("the gateway's answer: %v", err)
	}
	var told struct{ Result string }
	_ = json.Unmarshal(body, &told) // what is not JSON has no result
	a.status, a.body, a.result = response.StatusCode, string(bytes.TrimSpace(body)), told.Result
	a.retryAfter, a.function = response.Header.Get("Retry-After"), response.Header.Get("Cache-Control") == "no-store"
	a.killed = s.weather.wasKilled(a.trace)
	s.judge(a)
	return a
}

// judge holds an answer against the promises that every one has to keep. A process
// that is gone cannot answer: the gateway does, with 500, and it throttles with 503;
// neither tells when to come again, and G2A tries again all the same.
func (s *storm) judge(a answer) {
	switch {
	case a.function && a.killed:
		s.books.problem("a function that was killed has answered: %s", a)
	case a.function && a.status >= 500 && (a.status != http.StatusServiceUnavailable || a.retryAfter == ""):
		s.books.problem("the function answers %s, Retry-After %q", a, a.retryAfter)
	case !a.function && a.status == http.StatusInternalServerError && !a.killed:
		s.books.problem("the gateway answers %s, and nobody was killed", a)
	case !a.function && a.status != http.StatusInternalServerError && a.status != http.StatusServiceUnavailable:
		s.books.problem("the gateway answers %s", a)
	}
}
