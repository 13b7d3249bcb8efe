package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
	"github.com/g2a-lambda/g2a-lambda/shared/secrets"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

// access makes what a command needs, when it needs it, of the variables.
type access struct {
	lookup  func(name string) (string, bool)
	loadAWS func(ctx context.Context, options ...func(*config.LoadOptions) error) (aws.Config, error)
	// transport is that of the calls to G2A; nil is the client's own.
	transport http.RoundTripper
}

func (a access) required(name string) (string, error) {
	value, _ := a.lookup(name)
	if value == "" {
		return "", fmt.Errorf("%s: is missing", name)
	}
	return value, nil
}

// credentials are those of G2A_API_HASH and G2A_API_KEY, or else of the secret that
// G2A_SECRET_ID names.
func (a access) credentials(ctx context.Context) (g2a.CredentialSource, error) {
	id, _ := a.lookup("G2A_SECRET_ID")
	if hash, _ := a.lookup("G2A_API_HASH"); id == "" || hash != "" {
		credentials, _, err := g2a.ParseCredentials(a.lookup)
		if err != nil {
			return nil, fmt.Errorf("no G2A_SECRET_ID, and %w", err)
		}
		return credentials, nil
	}
	cfg, err := a.aws(ctx)
	if err != nil {
		return nil, err
	}
	return secrets.New(secretsmanager.NewFromConfig(cfg), id, time.Now), nil
}

func (a access) aws(ctx context.Context) (aws.Config, error) {
	cfg, err := a.loadAWS(ctx)
	if err != nil {
		return aws.Config{}, fmt.Errorf("reading AWS's configuration: %w", err)
	}
	return cfg, nil
}

// setAPI has the purchasing API be another one than G2A_EXPORT_API says.
func (a *access) setAPI(api string) error {
	if api != string(g2a.ExportV1) && api != string(g2a.ExportV2) {
		return errors.New("want v1 or v2")
	}
	lookup := a.lookup
	a.lookup = func(name string) (string, bool) {
		if name == "G2A_EXPORT_API" {
			return api, true
		}
		return lookup(name)
	}
	return nil
}

// market is a client of G2A.
func (a access) market(ctx context.Context) (*g2a.Client, error) {
	cfg, err := g2a.ParseConfig(a.lookup)
	if err != nil {
		return nil, err
	}
	credentials, err := a.credentials(ctx)
	if err != nil {
		return nil, err
	}
	return g2a.New(cfg, g2a.Options{Credentials: credentials, Transport: a.transport}), nil
}

// shop is G2A's purchasing API that G2A_EXPORT_API names.
func (a access) shop(ctx context.Context) (purchase.Market, error) {
	cfg, err := g2a.ParseConfig(a.lookup)
	if err != nil {
		return nil, err
	}
	market, err := a.market(ctx)
	if err != nil {
		return nil, err
	}
	return purchase.Markets(market)[cfg.ExportAPI], nil
}

// orders are the records in the table that ORDERS_TABLE names.
func (a access) orders(ctx context.Context) (store.Orders, error) {
	table, err := a.required("ORDERS_TABLE")
	if err != nil {
		return store.Orders{}, err
	}
	cfg, err := a.aws(ctx)
	if err != nil {
		return store.Orders{}, err
	}
	return store.Orders{DB: dynamodb.NewFromConfig(cfg), Table: table}, nil
}

// inbox is the records of webhooks, in the tables that STATE_TABLE and ORDERS_TABLE
// name.
func (a access) inbox(ctx context.Context) (store.Inbox, error) {
	state, err := a.required("STATE_TABLE")
	if err != nil {
		return store.Inbox{}, err
	}
	orders, err := a.orders(ctx)
	return store.Inbox{DB: orders.DB, StateTable: state, OrdersTable: orders.Table}, err
}

// purchaser brings orders forward as OrderFunction does.
func (a access) purchaser(ctx context.Context, log io.Writer) (*purchase.Purchaser, error) {
	orders, err := a.orders(ctx)
	if err != nil {
		return nil, err
	}
	market, err := a.market(ctx)
	if err != nil {
		return nil, err
	}
	cfg, err := g2a.ParseConfig(a.lookup)
	if err != nil {
		return nil, err
	}
	return &purchase.Purchaser{
		Orders: orders, Markets: purchase.Markets(market), API: cfg.ExportAPI, RequireAvailable: cfg.Env == g2a.Live,
		Clock: time.Now, Log: slog.New(slog.NewTextHandler(log, nil)),
	}, nil
}
