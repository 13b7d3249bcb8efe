//go:build proof

package tokens

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/localcloudtest"
	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// The routes that a probe of G2A calls, and their requests, for a product that there is not.
const (
	productsRoute = "GET /v1/products"
	offerRoute    = "GET /export/v1/product-offers/{id}"
	offerRequest  = "GET /export/v1/product-offers/0"
)

const (
	// reportAge is how old a report may be before the next one is made.
	reportAge = 10 * time.Second
)

// down is a G2A that answers 503 to everything.
var down = g2atest.Fault{Route: "*", Mode: "status", Status: 503, Count: 1_000_000}

// hang is a server that takes requests and never answers. The connection is cut when
// the test ends.
func hang(t *testing.T, l *line) {
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	l.set(func(r *http.Request) bool {
		select {
		case <-over:
		case <-r.Context().Done():
		}
		return false
	})
}

// healthReport is what health reports.
type healthReport struct {
	Status       string                                `json:"status"`
	Version      string                                `json:"version"`
	CheckedAt    int64                                 `json:"checked_at"`
	Age          int64                                 `json:"age_seconds"`
	Dependencies map[string]map[string]json.RawMessage `json:"dependencies"`
	TTL          int64                                 `json:"token_ttl_seconds"`
}

// get asks the gateway.
func (s *stack) get(path string) (status int, body []byte, took time.Duration) {
	started := time.Now()
	response, err := http.Get(s.Addresses().HTTP + path) // our own
	if err != nil {
		s.t.Error(err)
		return 0, nil, 0
	}
	defer response.Body.Close()
	if body, err = io.ReadAll(response.Body); err != nil {
		s.t.Error(err)
	}
	return response.StatusCode, body, time.Since(started)
}

// health asks GET /health, and prints how long it took.
func (s *stack) health() (status int, report healthReport) {
	s.t.Helper()
	status, body, took := s.get("/health")
	s.t.Logf("GET /health: %d after %s: %s", status, took.Round(time.Millisecond), body)
	return status, s.report(body)
}

// scheduled calls HealthFunction as its schedule does, and prints how long it took.
func (s *stack) scheduled() healthReport {
	s.t.Helper()
	event, err := os.ReadFile(filepath.Join(proof.Repository, "events", "health-scheduled.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	started := time.Now()
	result, err := s.Invoke(s.t.Context(), "HealthFunction", event)
	if err != nil || result.FunctionError != "" {
		s.t.Fatalf("%s, %v", result.Payload, err)
	}
	s.t.Logf("scheduled after %s: %s", time.Since(started).Round(time.Millisecond), result.Payload)
	return s.report(result.Payload)
}

// report reads a report, and checks that it names the version, each dependency, its latency
// and the token's life, and nothing else.
func (s *stack) report(body []byte) (report healthReport) {
	s.t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&report); err != nil {
		s.t.Errorf("%s: %v", body, err)
		return report
	}
	if got := slices.Sorted(maps.Keys(report.Dependencies)); !slices.Equal(got, []string{"g2a", "store", "token"}) {
		s.t.Errorf("dependencies %v, want g2a, store and token", got)
	}
	for name, check := range report.Dependencies {
		if got := slices.Sorted(maps.Keys(check)); !slices.Equal(got, []string{"latency_ms", "status"}) {
			s.t.Errorf("%s is %s, want its status and latency", name, check)
		}
	}
	if report.Version == "" || report.CheckedAt == 0 || (report.TTL > 0) != (report.status("token") == "ok") {
		s.t.Errorf("the report is %s", body)
	}
	for _, secret := range []string{original.Hash.Reveal(), original.Key.Reveal(), "127.0.0.1", "Table", "503", "as a test wished"} {
		if strings.Contains(string(body), secret) {
			s.t.Errorf("the report tells %q: %s", secret, body)
		}
	}
	return report
}

// failing are the dependencies that are. The token alone may be unused.
func (r healthReport) failing() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(r.Dependencies)) {
		if status := r.status(name); status != "ok" && (status != "unused" || name != "token") {
			names = append(names, name)
		}
	}
	return names
}

// status is a dependency's. Anything but a string is "".
func (r healthReport) status(dependency string) (status string) {
	_ = json.Unmarshal(r.Dependencies[dependency]["status"], &status)
	return status
}

func (s *stack) fault(f g2atest.Fault) {
	s.t.Helper()
	if err := s.Simulator.AddFault(f); err != nil {
		s.t.Fatal(err)
	}
}

// TestHealthWhileAllHangs asks the real function, whose dependencies take connections
// and requests and do not answer. Were it to wait for them, Lambda would kill it.
func TestHealthWhileAllHangs(t *testing.T) {
	market, store, secrets := hanging{market: true}, hanging{dynamoDB: true}, hanging{secrets: true}
	both, everything := hanging{market: true, dynamoDB: true}, hanging{market: true, dynamoDB: true, secrets: true}
	for _, test := range []struct {
		name    string
		api     string
		hangs   hanging
		token   string // its status
		failing []string
		asked   int // G2A
	}{
		{"v1, G2A", "v1", market, "ok", []string{"g2a"}, 1},
		{"v1, the store", "v1", store, "unused", []string{"store"}, 1},
		{"v1, both", "v1", both, "unused", []string{"g2a", "store"}, 1},
		{"v1, secrets", "v1", secrets, "unused", []string{"g2a"}, 0},
		{"v1, everything", "v1", everything, "unused", []string{"g2a", "store"}, 0},
		// Without a token G2A cannot be asked.
		{"v2, G2A", "v2", market, "ok", []string{"g2a"}, 1},
		{"v2, the store", "v2", store, "failing", []string{"g2a", "store", "token"}, 0},
		{"v2, both", "v2", both, "failing", []string{"g2a", "store", "token"}, 0},
		{"v2, secrets", "v2", secrets, "failing", []string{"g2a", "token"}, 0},
		{"v2, everything", "v2", everything, "failing", []string{"g2a", "store", "token"}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newHangingStack(t, test.api, test.hangs)
			status, report := s.health()
			if status != http.StatusServiceUnavailable || !slices.Equal(report.failing(), test.failing) {
				t.Errorf("status %d, failing %v, want 503 and %v", status, report.failing(), test.failing)
			}
			if token := report.status("token"); token != test.token {
				t.Errorf("the token is %s, want %s", token, test.token)
			}
			request := map[string]string{"v1": productsRoute, "v2": offerRequest}[test.api]
			if asked := s.market.taken(); asked[request] != test.asked || len(asked) > test.asked {
				t.Errorf("G2A was asked %v, want %d %s", asked, test.asked, request)
			}
			s.dynamoDB.taken()
			if status, body, _ := s.get("/health/live"); status != http.StatusOK {
				t.Errorf("live is answered %d %s", status, body)
			}
			if asked := len(s.market.taken()) + len(s.dynamoDB.taken()); test.hangs == everything && asked != 0 {
				// A probe that hangs is cut off by then, and makes no further request.
				t.Errorf("live has asked %d things", asked)
			}
		})
	}
}

// hanging is what takes requests and never answers.
type hanging struct{ market, dynamoDB, secrets bool }

// newHangingStack has a token stored before anything hangs.
func newHangingStack(t *testing.T, api string, hangs hanging) *stack {
	t.Helper()
	secrets := newVault(t)
	s := newStack(t, func(o *localcloud.Options) {
		o.SecretsEndpoint, o.Parameters = secrets.endpoint, map[string]string{"G2AExportApi": api}
	})
	s.refresh("")
	for l, silent := range map[*line]bool{s.market: hangs.market, s.dynamoDB: hangs.dynamoDB, secrets.line: hangs.secrets} {
		if silent {
			hang(t, l)
		}
	}
	s.market.taken()
	return s
}

// TestHealthFetchesNoToken: with a token that is to be replaced, and G2A's token endpoint
// slow, each probe reports the token that is stored.
func TestHealthFetchesNoToken(t *testing.T) {
	s := newStack(t, onV2)
	s.refresh("")
	s.age(50 * time.Minute)
	s.fault(g2atest.Fault{Route: tokenRoute, Mode: "delay", DelayMS: 1000, Count: 1_000_000})
	before := s.token(original)
	s.market.taken()
	for range 5 {
		if report := s.scheduled(); report.Status != "ok" || report.TTL > 600 || report.TTL < 500 {
			t.Errorf("report %+v, want ok and 600 s", report)
		}
	}
	if status, report := s.health(); status != http.StatusOK || report.Status != "ok" {
		t.Errorf("status %d, %+v", status, report)
	}
	if asked, want := s.market.taken(), map[string]int{offerRequest: 5}; !maps.Equal(asked, want) {
		t.Errorf("G2A was asked %v, want %v", asked, want)
	}
	s.issued(1)
	if after := s.token(original); !maps.Equal(before, after) {
		t.Error("the token's item has changed")
	}
}

// TestHealthOfAToken: health reports what is stored, and does not look for more.
func TestHealthOfAToken(t *testing.T) {
	s := newStack(t, onV2)
	want := func(failing ...string) {
		t.Helper()
		report := s.scheduled()
		if !slices.Equal(report.failing(), failing) || report.status("token") == "unused" {
			t.Errorf("failing %v, the token is %s, want %v", report.failing(), report.status("token"), failing)
		}
	}
	missing := []string{"g2a", "token"} // G2A is not asked without one
	want(missing...)                    // none yet
	if status, report := s.health(); status != http.StatusServiceUnavailable || !slices.Equal(report.failing(), missing) {
		t.Errorf("status %d, failing %v, want 503 and %v", status, report.failing(), missing)
	}
	s.refresh("")
	want()
	s.age(58 * time.Minute) // no instance sends it any more
	want(missing...)
	s.refresh("")
	want()
	item := tokenKey(original)
	item["access_token"], item["token_expires_at"] = &types.AttributeValueMemberS{Value: "x"}, &types.AttributeValueMemberS{Value: "noon"}
	if _, err := s.DynamoDB().PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("StateTable"), Item: item}); err != nil {
		t.Fatal(err)
	}
	want(missing...) // damaged
	s.issued(2)
}

// TestHealthWithoutToken: on the Export API v1 nothing needs a token; without a usable one
// it is unused, and all is well. One that is there is reported.
func TestHealthWithoutToken(t *testing.T) {
	s := newStack(t, nil)
	want := func(token string) {
		t.Helper()
		report := s.scheduled()
		if got := report.status("token"); got != token || report.Status != "ok" || report.failing() != nil {
			t.Errorf("the token is %s, want %s: %+v", got, token, report)
		}
	}
	want("unused") // none yet
	if status, report := s.health(); status != http.StatusOK || report.status("token") != "unused" || report.TTL != 0 {
		t.Errorf("status %d, want 200 and an unused token: %+v", status, report)
	}
	s.refresh("")
	want("ok")
	s.age(58 * time.Minute)
	want("unused")
	s.issued(1)
}

// TestHealthOfG2A: a G2A that is down is failing on the first probe, though the token that
// is stored is good for an hour.
func TestHealthOfG2A(t *testing.T) {
	for name, test := range map[string]struct {
		fault  g2atest.Fault
		status int
		why    string // in the log
	}{
		"503 to everything": {down, 503, "HTTP 503"},
		"a page":            {g2atest.Fault{Route: "*", Mode: "wrong_content_type", Status: 403, Count: 1_000_000}, 503, "the answer is not G2A's"},
		"rejected":          {g2atest.Fault{Route: "*", Mode: "status", Code: "AUTH02", Count: 1_000_000}, 503, "rejects the credentials"},
		"throttled":         {g2atest.Fault{Route: "*", Mode: "status", Code: "BR03", Count: 1_000_000}, 200, ""},
	} {
		for route, set := range map[string]func(*localcloud.Options){productsRoute: nil, offerRoute: onV2} {
			t.Run(name+", "+route, func(t *testing.T) {
				s := newStack(t, set)
				s.refresh("")
				s.fault(test.fault)
				status, report := s.health()
				if status != test.status || (status == http.StatusServiceUnavailable) != slices.Equal(report.failing(), []string{"g2a"}) {
					t.Errorf("status %d, failing %v, want %d", status, report.failing(), test.status)
				}
				if calls := s.Simulator.Stats().Routes[route].Calls; calls != 1 {
					t.Errorf("G2A was asked %d times, want once", calls)
				}
				logged, err := os.ReadFile(filepath.Join(s.Logs(), "HealthFunction.log"))
				if err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(string(logged), test.why) {
					t.Errorf("the log does not say %q:\n%s", test.why, logged)
				}
			})
		}
	}
}

// TestHealthOnSchedule: a scheduled run alone emits metrics, and its report is what GET
// /health answers.
func TestHealthOnSchedule(t *testing.T) {
	s := newStack(t, onV2)
	s.refresh("")
	s.health()
	if got := s.metrics("HealthFunction", "Healthy"); got != 0 {
		t.Errorf("GET /health has emitted Healthy %d times", got)
	}
	made := s.scheduled()
	for metric, want := range map[string]int{"Healthy": 3, "HealthLatency": 3, "TokenTTL": 1} {
		if got := s.metrics("HealthFunction", metric); got != want {
			t.Errorf("%s is told %d times, want %d", metric, got, want)
		}
	}
	if _, report := s.health(); report.CheckedAt != made.CheckedAt {
		t.Errorf("GET /health answers a report of %d, the schedule's is of %d", report.CheckedAt, made.CheckedAt)
	}
	s.issued(1)
}

// TestHealthFlood asks many instances at once and again.
func TestHealthFlood(t *testing.T) {
	linuxOnly(t)
	const clients, each = 8, 25
	s := newStack(t, func(o *localcloud.Options) { o.Concurrency = clients })
	s.refresh("")
	s.dynamoDB.taken()
	var mu sync.Mutex
	var times []time.Duration
	statuses := map[int]int{}
	started := time.Now()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range each {
				status, body, took := s.get("/health")
				mu.Lock()
				statuses[status]++
				times = append(times, took)
				s.report(body)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(started)
	if want := map[int]int{http.StatusOK: clients * each}; !maps.Equal(statuses, want) {
		t.Errorf("answers %v, want %v", statuses, want)
	}
	probes, instances := s.Simulator.Stats().Routes[productsRoute].Calls, len(s.processes("health"))
	if most := 1 + int(elapsed/reportAge) + 1; probes < 1 || probes > most { // at a boundary one more
		t.Errorf("%d probes in %s, want 1 to %d", probes, elapsed, most)
	}
	if instances < 2 {
		t.Errorf("%d instances, want several", instances)
	}
	if got := s.metrics("HealthFunction", "Healthy"); got != 0 {
		t.Errorf("the flood has emitted Healthy %d times", got)
	}
	slices.Sort(times)
	t.Logf("%d GET /health over %d instances in %s: %d probe(s) of G2A, requests to DynamoDB %v, median %s, slowest (with a cold start) %s",
		len(times), instances, elapsed.Round(time.Millisecond), probes, s.dynamoDB.taken(),
		times[len(times)/2].Round(10*time.Microsecond), times[len(times)-1].Round(time.Millisecond))
}

// processes finds the processes of a function among all: they run the binary by a path
// that only this cloud has.
func (s *stack) processes(function string) (pids []int) {
	s.t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, file := range files {
		command, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(command), filepath.Join(s.Root, "build", function, "bootstrap")+"\x00") {
			continue // it has ended, or is another one's
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (s *stack) signalAll(pids []int, signal syscall.Signal) {
	s.t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, signal); err != nil {
			s.t.Fatalf("signal to process %d: %v", pid, err)
		}
	}
}

// TestHealthThawed freezes the instances between two invocations, as Lambda does, until
// their reports are too old: the next answer is a fresh probe's, and at the latest the one
// after it on every instance.
func TestHealthThawed(t *testing.T) {
	linuxOnly(t)
	const instances = 4
	s := newStack(t, func(o *localcloud.Options) { o.Concurrency = instances })
	s.refresh("")
	for n, report := range s.healths(instances) {
		if report.Status != "ok" {
			t.Errorf("answer %d before: %+v", n, report)
		}
	}
	pids := s.processes("health")
	if len(pids) < 2 {
		t.Fatalf("%d instances, want several", len(pids))
	}
	s.signalAll(pids, syscall.SIGSTOP)
	s.fault(down)
	checkedAt, err := strconv.ParseInt(s.healthItem()["checked_at"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(time.Unix(checkedAt, 0).Add(reportAge))) // nobody can turn back the instances' memory
	s.signalAll(pids, syscall.SIGCONT)

	status, report := s.health()
	if status != http.StatusServiceUnavailable || !slices.Equal(report.failing(), []string{"g2a"}) || report.CheckedAt <= checkedAt || report.Age != 0 {
		t.Errorf("status %d, %+v, want a fresh report", status, report)
	}
	for n, report := range s.healths(instances) {
		if !slices.Equal(report.failing(), []string{"g2a"}) || report.CheckedAt <= checkedAt {
			t.Errorf("answer %d after: %+v, want the fresh report", n, report)
		}
	}
	if now := s.processes("health"); !slices.Equal(now, pids) {
		t.Errorf("the instances are %v, want those from before, %v", now, pids)
	}
	if calls := s.Simulator.Stats().Routes[productsRoute].Calls; calls != 2 {
		t.Errorf("G2A was asked %d times, want once before and once after", calls)
	}
	t.Logf("%d instances were frozen for %s and thawed: 2 probes", len(pids), reportAge)
}

// healths asks GET /health n times at once.
func (s *stack) healths(n int) []healthReport {
	s.t.Helper()
	reports := make([]healthReport, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			_, body, _ := s.get("/health")
			reports[i] = s.report(body)
		})
	}
	wg.Wait()
	return reports
}

// healthItem returns the strings and numbers of the shared report's item.
func (s *stack) healthItem() map[string]string {
	s.t.Helper()
	key := map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "HEALTH"}, "sk": &types.AttributeValueMemberS{Value: "HEALTH"}}
	got, err := s.DynamoDB().GetItem(s.t.Context(), &dynamodb.GetItemInput{TableName: aws.String("StateTable"), Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil {
		s.t.Fatal(err)
	}
	return localcloudtest.Texts(got.Item)
}
