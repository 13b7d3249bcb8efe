package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// TestAnswersOfG2A: any well-formed answer shows that G2A is at work.
func TestAnswersOfG2A(t *testing.T) {
	const products = "GET /v1/products"
	tests := []struct {
		name  string
		fault g2atest.Fault // the zero one is none
		hash  string        // another one than the account's
		want  string        // what the error says; "" is ok
	}{
		{name: "products"},
		{name: "503", fault: g2atest.Fault{Mode: "status", Status: 503}, want: "HTTP 503"},
		{name: "502 of G2A's", fault: g2atest.Fault{Mode: "status", Code: "ORD122"}, want: "HTTP 502"},
		{name: "page", fault: g2atest.Fault{Mode: "wrong_content_type"}, want: "malformed"},
		{name: "page with 403", fault: g2atest.Fault{Mode: "wrong_content_type", Status: 403}, want: "the answer is not G2A's"},
		{name: "not a page of products", fault: g2atest.Fault{Mode: "answer", Body: `{"total":1}`}, want: "malformed"},
		{name: "connection cut", fault: g2atest.Fault{Mode: "drop_before"}, want: "not available"},
		{name: "credentials rejected", fault: g2atest.Fault{Mode: "status", Code: "AUTH02"}, want: "rejects the credentials"},
		{name: "other credentials", hash: "other", want: "rejects the credentials"},
		{name: "slow", fault: g2atest.Fault{Mode: "delay", DelayMS: 60_000}, want: "deadline"},
		{name: "throttled", fault: g2atest.Fault{Mode: "status", Code: "BR03"}},
		{name: "request rejected", fault: g2atest.Fault{Mode: "status", Code: "BR02"}},
		{name: "not found", fault: g2atest.Fault{Mode: "status", Code: "ORD02"}},
		{name: "a code that is not known", fault: g2atest.Fault{Mode: "status", Status: 400, Code: "NEW1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := g2atest.NewServer(t)
			if tt.fault.Mode != "" {
				tt.fault.Route = products
				if err := server.Simulator.AddFault(tt.fault); err != nil {
					t.Fatal(err)
				}
			}
			credentials := server.Credentials
			if tt.hash != "" {
				credentials.Hash = g2a.NewSecret(tt.hash)
			}
			client := g2a.New(server.Config("G2A_RETRY_MAX=0"), g2a.Options{Credentials: credentials, Transport: server.Client().Transport})
			timeout := 10 * time.Second
			if tt.fault.Mode == "delay" {
				timeout = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			err := unlessAnswered(askProducts(ctx, client, g2a.ExportV1))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	t.Run("credentials that cannot be read", func(t *testing.T) {
		if err := errors.New("no secret"); !errors.Is(unlessAnswered(err), err) {
			t.Error("it is lost")
		}
	})
	t.Run("request that is not sent", func(t *testing.T) {
		if unlessAnswered(&g2a.Error{Kind: g2a.ErrInvalidRequest}) == nil {
			t.Error("it counts as an answer")
		}
	})
}

// stored is a g2a.TokenStore that holds one token, in a time when no other one is fetched.
type stored struct {
	g2a.TokenStore
	token g2a.Token
	until time.Time
}

func (s stored) LoadToken(context.Context, string) (g2a.TokenRecord, error) {
	return g2a.TokenRecord{Token: s.token, Rejection: g2a.TokenRejection{Count: 1, Until: s.until}}, nil
}

// TestUsableToken: a token is usable where the instances that share it still send it, as
// package g2a decides.
func TestUsableToken(t *testing.T) {
	now := time.Unix(1764000000, 0)
	clock := func() time.Time { return now }
	credentials := g2a.Credentials{Hash: g2a.NewSecret("hash"), Key: g2a.NewSecret("key")}
	for _, life := range []time.Duration{time.Minute, 10 * time.Minute, 1299 * time.Second, 1301 * time.Second, time.Hour, 24 * time.Hour} {
		usable := 0
		for _, ttl := range []time.Duration{-time.Hour, 0, time.Second, life / 10, life/10 + time.Second, 130 * time.Second, 131 * time.Second, life} {
			token := g2a.Token{Access: g2a.NewSecret(access), IssuedAt: now.Add(ttl - life), ExpiresAt: now.Add(ttl), Version: 1}
			shared := g2a.SharedTokens{Store: stored{token: token, until: now.Add(time.Hour)}, Credentials: credentials, Clock: clock, Log: slog.New(slog.DiscardHandler)}
			_, sent := shared.Token(t.Context())
			p := prober{clock: clock, loadToken: func(context.Context) (g2a.Token, error) { return token, nil }}
			got, err := p.usableToken(t.Context())
			if (err == nil) != (sent == nil) || err == nil && got != token {
				t.Errorf("%s of %s left: %v, and package g2a says %v", ttl, life, err, sent)
			}
			if err == nil {
				usable++
			}
		}
		if usable == 0 {
			t.Errorf("no token with a life of %s is usable", life)
		}
	}
}

func TestNoToken(t *testing.T) {
	for name, test := range map[string]struct {
		token g2a.Token
		err   error
		want  string
	}{
		"none":    {want: "no token is stored"},
		"dropped": {token: g2a.Token{Version: 7, ExpiresAt: time.Now().Add(time.Hour)}, want: "no token is stored"},
		"expired": {token: g2a.Token{Access: g2a.NewSecret(access), IssuedAt: time.Now().Add(-2 * time.Hour), ExpiresAt: time.Now().Add(-time.Hour)}, want: "has 0s left"},
		"damaged": {err: fmt.Errorf("reading the token: the item is damaged"), want: "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			p := prober{clock: time.Now, loadToken: func(context.Context) (g2a.Token, error) { return test.token, test.err }}
			if _, err := p.usableToken(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), access) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
