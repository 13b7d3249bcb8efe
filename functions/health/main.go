package main

import (
	"context"
	"crypto/rand"
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
	client := g2a.New(environment.G2A, g2a.Options{
		Credentials: credentials,
		Observer:    telemetry.Calls{Log: log, Metrics: metrics, Tracer: xray.NewTracer(log)},
	})
	function.Start(log, newHandler(prober{
		tokens: g2a.RememberTokens(&g2a.SharedTokens{
			Store:       store.Tokens{DB: db, Table: environment.StateTable, Env: environment.G2A.Env},
			Credentials: credentials,
			Fetch:       client.FetchTokenFor,
			Owner:       rand.Text(),
			Clock:       time.Now,
			Log:         log,
			StoreFailed: func() { metrics.Count("TokenStoreDown", telemetry.Dimension{}) },
		}, time.Now),
		pingStore: func(ctx context.Context) error {
			return store.Ping(ctx, db, environment.StateTable, environment.OrdersTable)
		},
		clock: time.Now,
	}, log, metrics))
}
