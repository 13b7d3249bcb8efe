package secrets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

const (
	// maxAge is how old a value may be: the longest a rotation goes unseen.
	maxAge = 5 * time.Minute
	// pause is the least time from the end of a read to the next one out of turn, so
	// that forged webhooks cannot keep us reading, and to the next try when it failed.
	pause = 10 * time.Second
	// firstPause takes the place of pause while there is no value in hand. Everyone
	// fails until there is one, so it is short; a flood must not hammer Secrets Manager.
	firstPause = time.Second

	// limit is how long a read may take. Secrets Manager answers in milliseconds, on a
	// new connection in some hundred; with a value in hand, waiting longer is pointless.
	limit = time.Second
	// firstLimit takes the place of limit while there is no current value in hand:
	// nothing works without one. It is half of the ten seconds that the webhook's
	// function has, so that there is time left for the store and for an answer.
	firstLimit = 5 * time.Second
)

// version is what is known of the version with a stage.
type version struct {
	known       bool            // read, or taken over when another one became current
	credentials g2a.Credentials // zero: there is no such version
	id          string
	putAt       time.Time // zero: not known

	// The ends of reads, so that a slow one does not shorten the pause after it.
	readAt      time.Time // the last one that succeeded
	refreshedAt time.Time // the last one out of turn that succeeded
	failedAt    time.Time // the last one, where it failed
	err         error     // how
}

// equal reports whether both are one and the same version. Where Secrets Manager does
// not say, it goes by the value.
func (v version) equal(other version) bool {
	return v.id == other.id && v.credentials.Fingerprint() == other.credentials.Fingerprint()
}

// due reports whether the version should be read: in turn, or out of turn.
func (v version) due(now time.Time, outOfTurn bool) bool {
	switch {
	case !v.known:
		return passed(v.failedAt, now, firstPause)
	case !passed(v.failedAt, now, pause):
		return false
	}
	return passed(v.readAt, now, maxAge) || outOfTurn && passed(v.refreshedAt, now, pause)
}

// passed reports whether d has passed since a time. A clock that was set back must not
// prolong anything: a time in the future is long ago.
func passed(since, now time.Time, d time.Duration) bool {
	age := now.Sub(since)
	return age < 0 || age >= d
}

// inHand returns a version, or why there is none. c.mu is held.
func (c *Credentials) inHand(ctx context.Context, s stage) (version, error) {
	v := c.versions[s]
	switch {
	case v.known:
		return v, nil
	case v.err != nil:
		return version{}, v.err
	}
	return version{}, c.unavailable(s, context.Cause(ctx)) // the caller's time is over
}

func (c *Credentials) unavailable(s stage, err error) error {
	return fmt.Errorf("reading secret %s (%s): %w: %w", c.id, s, ErrUnavailable, err)
}

// reading is one read. Everyone who needs it waits for it.
type reading struct {
	stages    []stage
	outOfTurn bool
	limit     time.Duration // of the current version
	begun     time.Time
	done      chan struct{} // closed at its end
}

// frozen reports whether the read should long be over: Lambda has frozen the process
// during it, and its connection is not worth waiting for.
func (r *reading) frozen(now time.Time) bool { return passed(r.begun, now, firstLimit+limit) }

// wait waits for the end of the read, and reports whether it has come. A caller with the
// values in hand gives it half of its own time: it needs the rest to make use of them.
func (r *reading) wait(ctx context.Context, inHand bool) bool {
	if deadline, limited := ctx.Deadline(); limited && inHand {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	select {
	case <-r.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// await returns when there is nothing more to wait for. That is three reads at most:
// one in progress, which may not be of all that is wanted, one that is, and one of the
// version that a rotation found in it has made the previous one.
func (c *Credentials) await(ctx context.Context, outOfTurn bool, wanted ...stage) {
	for range 3 {
		r, inHand := c.join(ctx, outOfTurn, wanted)
		if r == nil || !r.wait(ctx, inHand) {
			return
		}
	}
}

// join returns the read to wait for, a new one where one is due; nil: none. With all
// values in hand nobody waits for another one's read, except out of turn: who asks
// for that has no use for the values in hand.
func (c *Credentials) join(ctx context.Context, outOfTurn bool, wanted []stage) (r *reading, inHand bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	var due []stage
	inHand = true
	for _, s := range wanted {
		inHand = inHand && c.versions[s].known
		if c.versions[s].due(now, outOfTurn) {
			due = append(due, s)
		}
	}
	switch {
	case len(due) == 0:
		return nil, inHand
	case c.reading != nil && !c.reading.frozen(now):
		if inHand && !outOfTurn {
			return nil, inHand
		}
		return c.reading, inHand
	}
	r = &reading{stages: due, outOfTurn: outOfTurn, limit: limit, begun: now, done: make(chan struct{})}
	if !c.versions[current].known {
		r.limit = firstLimit
	}
	c.reading = r
	// It has its own time: it serves others too, and may outlive its first caller.
	go c.run(context.WithoutCancel(ctx), r)
	return r, inHand
}

// run reads the versions one after the other, and ends with the first failure:
// Secrets Manager would fail the next one, too.
func (c *Credentials) run(ctx context.Context, r *reading) {
	defer close(r.done)
	defer c.end(r)
	for _, s := range r.stages {
		ofStage := limit
		if s == current {
			ofStage = r.limit
		}
		found, trimmed, err := c.read(ctx, s, ofStage)
		before, recorded := c.record(r, s, found, err)
		switch {
		case !recorded:
			return
		case err != nil:
			c.warnOfFailure(ctx, s, before, err)
			return
		case trimmed && !found.equal(before):
			c.Log.WarnContext(ctx, "the secret's value has a byte order mark or white space around a field; it was trimmed",
				"secret", c.id, "stage", string(s), "version_id", found.id)
		}
	}
}

func (c *Credentials) end(r *reading) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reading == r {
		c.reading = nil
	}
}

// warnOfFailure is for the failures that no caller sees.
func (c *Credentials) warnOfFailure(ctx context.Context, s stage, before version, err error) {
	switch {
	case before.known:
		c.Log.WarnContext(ctx, "could not refresh the credentials; keeping the last ones", "error", err.Error())
	case s == previous:
		c.Log.WarnContext(ctx, "could not read the previous credentials; accepting the current ones only", "error", err.Error())
	}
}

// record keeps the outcome of a read, and returns what was known before. A read that
// another one has replaced leaves nothing behind.
func (c *Credentials) record(r *reading, s stage, found version, err error) (before version, recorded bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reading != r {
		return version{}, false
	}
	now := c.now()
	before = c.versions[s]
	if err != nil {
		c.fail(s, now, err)
		if s == current { // one that fails is enough to wait for
			c.fail(previous, now, err)
		}
		return before, true
	}
	rotated := s == current && before.known && !found.equal(before)
	if rotated {
		// Until it is read, which is due now.
		c.versions[previous] = version{known: true, credentials: before.credentials, id: before.id, putAt: before.putAt}
	}
	if s == current && found.putAt.IsZero() {
		found.putAt = now
		if before.known && !rotated {
			found.putAt = before.putAt
		}
	}
	found.known, found.readAt, found.refreshedAt = true, now, before.refreshedAt
	if r.outOfTurn {
		found.refreshedAt = now
	}
	c.versions[s] = found
	return before, true
}

func (c *Credentials) fail(s stage, now time.Time, err error) {
	v := c.versions[s]
	v.failedAt, v.err = now, err
	c.versions[s] = v
}

// read asks Secrets Manager. A previous version that is not there, or is not of the
// right form, has signed nothing, and must not cost the current one.
func (c *Credentials) read(ctx context.Context, s stage, atMost time.Duration) (found version, trimmed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	out, err := c.secretsManager.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &c.id, VersionStage: aws.String(string(s))})
	var missing *types.ResourceNotFoundException
	switch {
	case s == previous && errors.As(err, &missing):
		return version{}, false, nil // never rotated, or revoked
	case err != nil:
		return version{}, false, c.unavailable(s, err)
	}
	found = version{id: aws.ToString(out.VersionId), putAt: aws.ToTime(out.CreatedDate)}
	found.credentials, trimmed, err = parse(out.SecretString)
	switch {
	case err != nil && s == previous:
		return found, false, nil
	case err != nil:
		return version{}, false, fmt.Errorf("secret %s (%s): %w: %w", c.id, s, ErrUnavailable, err)
	}
	return found, trimmed, nil
}
