package g2a_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// stalled is an answer that stops before its end, until the client gives up.
func stalled(status int, body string) reply {
	return func(r *http.Request) (*http.Response, error) {
		rest := io.MultiReader(strings.NewReader(body), waiting{r.Context()})
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(rest), Request: r}, nil
	}
}

type waiting struct{ ctx context.Context }

func (w waiting) Read([]byte) (int, error) {
	<-w.ctx.Done()
	return 0, w.ctx.Err()
}

// TestOrderKey: the key is given out once, so whatever a success holds is kept.
func TestOrderKey(t *testing.T) {
	const limit = 8 << 20
	huge := `{"key":"` + strings.Repeat("A", limit) + `"}`
	tests := []struct {
		name   string
		reply  reply
		value  string
		isFile bool
		raw    string
	}{
		{"documented", answer(200, `{"key":"AAAA-BBBB"}`), "AAAA-BBBB", false, ""},
		{"a file", answer(200, `{"key":"SGVsbG8=","isFile":true}`), "SGVsbG8=", true, ""},
		{"another status of success", answer(201, `{"key":"AAAA-BBBB"}`), "AAAA-BBBB", false, ""},
		{"not understood", answer(200, `{"key":{"a":"AAAA"}}`), "", false, `{"key":{"a":"AAAA"}}`},
		{"bytes that are not UTF-8", answer(200, "{\"key\":\"CAF\xe9\"}\xff"), "", false, "{\"key\":\"CAF\xe9\"}\xff"},
		{"cut short", cutShort(200, `{"key":"AAAA-BB`), "", false, `{"key":"AAAA-BB`},
		{"cut short after one byte", cutShort(200, `{`), "", false, `{`},
		{"cut short at its very end", cutShort(200, `{"key":"AAAA-BBBB"}`), "", false, `{"key":"AAAA-BBBB"}`},
		{"timed out", stalled(200, `{"key":"AAAA-BB`), "", false, `{"key":"AAAA-BB`},
		{"as long as may be", answer(200, `{"key":"AAAA"}`+strings.Repeat(" ", limit-14)), "AAAA", false, ""},
		{"too long", answer(200, huge), "", false, huge[:limit]},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g2aServer, observed := &script{replies: []reply{test.reply}}, &calls{}
				client := g2a.New(testConfig(), g2a.Options{Credentials: testCredentials, Transport: g2aServer, Observer: observed})
				got, err := client.OrderKey(t.Context(), "42")
				if err != nil || got.Value.Reveal() != test.value || got.IsFile != test.isFile || got.Raw.Reveal() != test.raw {
					t.Errorf("key is %.40q, file %v, raw %.40q, error %v; want %q, %v, %.40q", got.Value.Reveal(), got.IsFile, got.Raw.Reveal(), err, test.value, test.isFile, test.raw)
				}
				if len(g2aServer.requests()) != 1 || len(observed.told) != 1 || observed.told[0].Err != nil || observed.told[0].Attempts != 1 {
					t.Errorf("%d requests, observer was told %+v; want one that succeeded", len(g2aServer.requests()), observed.told)
				}
			})
		})
	}
}

// TestOrderKeyRefused: what holds no key is an error, none of which repeats the answer.
func TestOrderKeyRefused(t *testing.T) {
	tests := []struct {
		name    string
		reply   reply
		kind    error
		outcome g2a.Outcome
	}{
		{"nothing", answer(200, ""), g2a.ErrMalformedAnswer, g2a.OutcomeUnknown},
		{"nothing, and no status for it", answer(204, ""), g2a.ErrMalformedAnswer, g2a.OutcomeUnknown},
		{"cut short before the first byte", cutShort(200, ""), g2a.ErrUnavailable, g2a.OutcomeUnknown},
		{"a page as a success", answer(200, "<html>hunter2</html>"), g2a.ErrUnavailable, g2a.OutcomeUnknown},
		{"a page as a success, cut short", cutShort(200, "<html>hunter2"), g2a.ErrUnavailable, g2a.OutcomeUnknown},
		{"a page as a refusal", answer(403, "<html>hunter2</html>"), g2a.ErrUnavailable, g2a.OutcomeUnknown},
		{"5xx with the answer", answer(500, `{"key":"hunter2"}`), g2a.ErrUnavailable, g2a.OutcomeUnknown},
		{"5xx with the answer cut short", cutShort(500, `{"key":"hunter2`), g2a.ErrUnavailable, g2a.OutcomeUnknown},
		{"5xx with a string", answer(500, `hunter2`), g2a.ErrUnavailable, g2a.OutcomeUnknown},
		{"a redirect", answer(302, `{"key":"hunter2"}`, "Location: https://g2a.test/hunter2"), g2a.ErrUnavailable, g2a.OutcomeUnknown},
		{"reset", reset, g2a.ErrUnavailable, g2a.OutcomeUnknown},
		{"not ready", answer(403, `{"status":"ERROR","message":"hunter2","code":"ORD03"}`), g2a.ErrPaymentNotReady, g2a.NotDone},
		{"given out before", answer(400, `{"status":"ERROR","message":"hunter2","code":"ORD004"}`), g2a.ErrKeyAlreadyDownloaded, g2a.Done},
		{"an unknown code", answer(403, `{"status":"ERROR","message":"no","code":"hunter2"}`), g2a.ErrInvalidRequest, g2a.OutcomeUnknown},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := newClient(&script{replies: []reply{test.reply}}).OrderKey(t.Context(), "42")
			if !errors.Is(err, test.kind) || g2a.OutcomeOf(err) != test.outcome || !got.IsZero() {
				t.Errorf("error is %v, %v; want %v, %v", err, g2a.OutcomeOf(err), test.kind, test.outcome)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error repeats the answer: %v", err)
			}
		})
	}
}
