//go:build proof

package webhooks

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/lambda"
	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
)

// killChance is that of a request to the store to be the last of its process, at each
// of the two moments.
const killChance = 0.01

// weather is what happens to the functions' requests to the store.
type weather struct {
	t         testing.TB
	functions *lambda.Service

	mu       sync.Mutex
	random   *rand.Rand
	toCut    int // so many requests find nobody: the store is away
	cut      int
	requests int
	reached  map[string]bool // the traces whose requests came this far
	killed   map[string]proof.Moment
}

func newWeather(t testing.TB, seed uint64, functions *lambda.Service) *weather {
	return &weather{
		t: t, functions: functions, random: rand.New(rand.NewPCG(seed, 1)), reached: map[string]bool{}, killed: map[string]proof.Moment{},
	}
}

// strikes decides on a request to the store.
func (p *weather) strikes(r *proof.Request, m proof.Moment) bool {
	root := r.TraceRoot()
	if root == "" { // the test's own, or the cloud's
		return true
	}
	if m == proof.Before && !p.arrives(root) {
		return false
	}
	return !p.kills(root, m)
}

// arrives counts a request, unless the store is away.
func (p *weather) arrives(root string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reached[root] = true
	if p.toCut > 0 {
		p.toCut--
		p.cut++
		return false
	}
	p.requests++
	return true
}

// goAway has the store away for so many requests.
func (p *weather) goAway(requests int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.toCut += requests
}

// kills ends the process of a trace, now and then.
func (p *weather) kills(root string, m proof.Moment) bool {
	p.mu.Lock()
	kill := p.random.Float64() < killChance
	if kill {
		p.killed[root] = m
	}
	p.mu.Unlock()
	if kill && !p.functions.Kill(root) {
		p.t.Errorf("%s: there is no process to kill", m)
	}
	return kill
}

func (p *weather) wasKilled(root string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killed[root] != ""
}

func (p *weather) hasReached(root string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reached[root]
}
