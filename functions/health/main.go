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
	environment.Tracer = xray.NewTracer(log, environment.XRayDaemon)
	metrics := environment.Metrics(os.Stdout)
	db := environment.DynamoDB()
	credentials := environment.Credentials(log)
	config := environment.G2A
	config.RetryMax = 0 // the next probe is the retry
	tokens := store.Tokens{DB: db, Table: environment.StateTable, Env: environment.G2A.Env}
	p := prober{
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
		needsToken: config.ExportAPI == g2a.ExportV2,
		clock:      time.Now,
	}
	client := g2a.New(config, g2a.Options{
		Credentials: credentials,
		Tokens:      storedToken(p.usableToken),
		Observer:    telemetry.Calls{Log: log, Metrics: metrics, Tracer: environment.Tracer},
	})
	p.askG2A = func(ctx context.Context) error { return askProducts(ctx, client, config.ExportAPI) }
	function.Start(log, newHandler(&reporter{
		prober:  p,
		records: store.Health{DB: db, Table: environment.StateTable},
		owner:   rand.Text(),
		log:     log,
	}, log, metrics))
}
