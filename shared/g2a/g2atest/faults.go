package g2atest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The modes of a Fault.
const (
	modeStatus     = "status"
	modeDelay      = "delay"
	modeDropBefore = "drop_before"
	modeDropAfter  = "drop_after"
	modeSlow       = "slow_body"
	modeTruncated  = "truncated_body"
	modeHTML       = "wrong_content_type"
	modeAnswer     = "answer"
)

// everyRoute is the route of the faults that meet any call of G2A's.
const everyRoute = "*"

const (
	maxDelay      = 10 * time.Minute
	maxFaultCount = 1_000_000
)

// Fault is something that goes wrong with the next calls of a route. The package
// documentation tells the modes.
type Fault struct {
	Route string `json:"route"` // a pattern such as "PUT /v1/order/pay/{id}", or "*"
	Mode  string `json:"mode"`
	// Status is the HTTP status of mode status, 200 to 599; zero is that of Code. It
	// is also that of modes wrong_content_type and answer, where zero is 200.
	Status int `json:"status"`
	// Code is G2A's error code in mode status; "" is an error without one.
	Code string `json:"code"`
	// RetryAfter is the answer's Retry-After in mode status, in whole seconds.
	RetryAfter json.Number `json:"retry_after"`
	// Body is what mode answer sends, byte for byte but for its placeholders, and
	// BodyBase64 the same for bytes that are not UTF-8; without either the body is empty.
	Body       string `json:"body"`
	BodyBase64 string `json:"body_base64"`
	// ContentType is the header in mode answer; "" is application/json.
	ContentType string `json:"content_type"`
	// ContentEncoding is the header in mode answer; "" is none. The body is sent as it is.
	ContentEncoding string `json:"content_encoding"`
	// DelayMS is how long the call is held up first, in milliseconds, in every mode
	// but slow_body, where it is how long the body takes.
	DelayMS int `json:"delay_ms"`
	// Count is how many calls it meets; zero is one.
	Count int `json:"count"`
}

// AddFault puts a fault at the end of its route's queue. The error says what is
// wrong with it.
func (s *Simulator) AddFault(f Fault) error {
	if f.Status == 0 {
		f.Status = statusOf[f.Code]
	}
	if f.Status == 0 && (f.Mode == modeHTML || f.Mode == modeAnswer) {
		f.Status = http.StatusOK
	}
	if f.Count == 0 {
		f.Count = 1
	}
	if _, known := s.routes[f.Route]; !known && f.Route != everyRoute {
		return fmt.Errorf("route: %q is not one of %q or *", f.Route, slices.Sorted(maps.Keys(s.routes)))
	}
	if err := f.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[f.Route] = append(s.faults[f.Route], &f)
	return nil
}

func (f Fault) check() error {
	modes := []string{modeStatus, modeDelay, modeDropBefore, modeDropAfter, modeSlow, modeTruncated, modeHTML, modeAnswer}
	switch {
	case !slices.Contains(modes, f.Mode):
		return fmt.Errorf("mode: %q is not %s", f.Mode, strings.Join(modes, ", "))
	case f.Mode == modeStatus && f.Status == 0:
		return errors.New("status: is missing, and is not known from the code")
	case f.Mode != modeStatus && (f.Code != "" || f.RetryAfter != ""):
		return errors.New("code and retry_after: belong to mode status")
	case f.Status != 0 && !slices.Contains([]string{modeStatus, modeHTML, modeAnswer}, f.Mode):
		return errors.New("status: belongs to modes status, wrong_content_type and answer")
	case f.Mode != modeAnswer && f.anyOfAnswer():
		return errors.New("body, body_base64, content_type and content_encoding: belong to mode answer")
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status: %d is not from 200 to 599", f.Status)
	case (f.Mode == modeDelay || f.Mode == modeSlow) && f.DelayMS == 0:
		return errors.New("delay_ms: is missing")
	case f.DelayMS < 0 || f.delay() > maxDelay:
		return fmt.Errorf("delay_ms: is not from 0 to %d", maxDelay.Milliseconds())
	case f.Count < 1 || f.Count > maxFaultCount:
		return fmt.Errorf("count: is not from 1 to %d", maxFaultCount)
	}
	if _, err := strconv.ParseUint(f.RetryAfter.String(), 10, 31); err != nil && f.RetryAfter != "" {
		return errors.New("retry_after: is not a whole number of seconds")
	}
	return f.checkAnswer()
}

func (f Fault) delay() time.Duration { return time.Duration(f.DelayMS) * time.Millisecond }

// arrive gives the fault that meets a call now, or the zero Fault, and uses up one
// of its count. A call of no route of G2A's meets none, and one beyond the limit
// that alone.
func (s *Simulator) arrive(route string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	of, known := s.routes[route]
	if !known {
		return Fault{}
	}
	if fault, beyond := s.limit(of); beyond {
		return fault
	}
	for _, name := range []string{route, everyRoute} {
		queue := s.faults[name]
		if len(queue) == 0 {
			continue
		}
		due := *queue[0]
		if queue[0].Count--; queue[0].Count == 0 {
			s.faults[name] = queue[1:]
		}
		return due
	}
	return Fault{}
}

// hold holds a call up before anything else happens.
func (f Fault) hold(ctx context.Context) {
	if f.Mode != modeSlow {
		wait(ctx, f.delay())
	}
}

// wait takes a time, or less where the client gives up before.
func wait(ctx context.Context, delay time.Duration) {
	if delay == 0 {
		return
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// answer is what modes status and wrong_content_type answer.
func (f Fault) answer() answer {
	said := http.StatusText(f.Status) + ", as a test wished"
	if f.Mode == modeHTML {
		page := "<!DOCTYPE html><html><head><title>" + said + "</title></head><body><h1>" + said + "</h1></body></html>"
		return answer{status: f.Status, raw: &rawBody{content: []byte(page), contentType: "text/html; charset=utf-8"}}
	}
	return answer{
		status:     f.Status,
		body:       errorBody{Status: "ERROR", Message: said, Code: f.Code},
		retryAfter: f.RetryAfter.String(),
	}
}
