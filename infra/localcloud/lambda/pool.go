package lambda

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// initTimeout is how long a new process may take to ask for its first invocation.
const initTimeout = 10 * time.Second

// pool is the instances of one function.
type pool struct {
	service  *Service
	function Function
	output   *os.File      // what the instances print
	slots    chan struct{} // one for each invocation under way

	mu   sync.Mutex
	idle []*instance // the last one is taken first
}

func (p *pool) tryAcquire() bool {
	select {
	case p.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

func (p *pool) acquire() { p.slots <- struct{}{} }

func (p *pool) release() { <-p.slots }

// run carries one invocation out and releases the slot that the caller acquired.
// At its end the invocation has a result or an error.
func (p *pool) run(inv *invocation) {
	inv.result, inv.err = p.perform(inv)
	inv.result.RequestID, inv.result.TraceID = inv.id, inv.traceID
	p.release() // before the caller knows: its next call finds the slot free
	close(inv.done)
}

// perform finds an instance that takes the invocation. One that ended while it was
// idle, or after its last answer, is nobody's error: another one serves.
func (p *pool) perform(inv *invocation) (Result, error) {
	for {
		i := p.takeIdle()
		if i == nil {
			return p.performCold(inv)
		}
		select {
		case i.work <- inv:
			return p.await(i, inv), nil
		case <-i.exited:
		case <-time.After(p.function.Timeout):
			i.end("was killed: it did not ask for work after its last answer")
		}
	}
}

// performCold starts an instance for the invocation.
func (p *pool) performCold(inv *invocation) (Result, error) {
	i, err := p.service.start(p)
	if err != nil {
		return Result{}, err
	}
	select {
	case i.work <- inv:
		return p.await(i, inv), nil
	case payload := <-i.initError:
		i.end("reported an error at its start")
		return unhandled(payload), nil
	case <-i.exited:
		// It may have reported why just before.
		select {
		case payload := <-i.initError:
			return unhandled(payload), nil
		default:
			return exited(inv.id, i.exitError), nil
		}
	case <-time.After(p.service.initTimeout):
		i.end("did not ask for work in time")
		return timedOut(inv.id, p.service.initTimeout), nil
	}
}

// await waits for what the instance makes of the invocation it took.
func (p *pool) await(i *instance, inv *invocation) Result {
	timeout := time.NewTimer(p.function.Timeout)
	defer timeout.Stop()
	select {
	case result := <-inv.outcome:
		p.putIdle(i)
		return result
	case <-i.exited:
		select {
		case result := <-inv.outcome: // answered, then ended
			return result
		default:
			return exited(inv.id, i.exitError)
		}
	case <-timeout.C:
		i.end(fmt.Sprintf("was killed at its time-out of %s", p.function.Timeout))
		return timedOut(inv.id, p.function.Timeout)
	}
}

func (p *pool) takeIdle() *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	i := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return i
}

func (p *pool) putIdle(i *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, i)
}
