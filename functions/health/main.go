package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/function"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry/xray"
)

func main() {
	log := function.NewLogger(os.Stdout)
	environment := function.MustReadEnvironment(log)
	metrics := environment.Metrics(os.Stdout)
	db := environment.DynamoDB()
	credentials := environment.Credentials(log)
	config := environment.G2A
	config.RetryMax = 0 // the next probe is the retry
	client := g2a.New(config, g2a.Options{
		Credentials: credentials,
		Observer:    telemetry.Calls{Log: log, Metrics: metrics, Tracer: xray.NewTracer(log)},
	})
	tokens := store.Tokens{DB: db, Table: environment.StateTable, Env: environment.G2A.Env}
	function.Start(log, newHandler(&reporter{
		prober: prober{
			pingStore: func(ctx context.Context) error {
				return store.Ping(ctx, db, environment.StateTable, environment.OrdersTable)
			},
			loadToken: func(ctx context.Context) (g2a.Token, error) {
				current, err := credentials.Credentials(ctx)
				if err != nil {
					return g2a.Token{}, fmt.Errorf("reading the credentials: %w", err)
				}
				record, err := tokens.LoadToken(ctx, current.Fingerprint())
				return record.Token, errors.Join(err, record.Damage)
			},
			askG2A: func(ctx context.Context) error { return askProducts(ctx, client) },
			clock:  time.Now,
		},
		records: store.Health{DB: db, Table: environment.StateTable},
		owner:   rand.Text(),
		log:     log,
	}, log, metrics))
}
