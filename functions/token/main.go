package main

import (
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
	credentials := environment.Credentials(log)
	client := g2a.New(environment.G2A, g2a.Options{
		Credentials: credentials,
		Observer:    telemetry.Calls{Log: log, Metrics: metrics, Tracer: xray.NewTracer(log)},
	})
	function.Start(log, handler{
		// Not remembered in memory: the item is what this function is there for.
		tokens: &g2a.SharedTokens{
			Store:       store.Tokens{DB: environment.DynamoDB(), Table: environment.StateTable, Env: environment.G2A.Env},
			Credentials: credentials,
			Fetch:       client.FetchTokenFor,
			Owner:       rand.Text(),
			Clock:       time.Now,
			Log:         log,
			StoreFailed: func() { metrics.Count("TokenStoreDown", telemetry.Dimension{}) },
		},
		clock:   time.Now,
		log:     log,
		metrics: metrics,
	})
}
