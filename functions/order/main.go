package main

import (
	"os"
	"time"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/function"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry/xray"
)

func main() {
	log := function.NewLogger(os.Stdout)
	environment := function.MustReadEnvironment(log)
	metrics := environment.Metrics(os.Stdout)
	market := g2a.New(environment.G2A, g2a.Options{
		Credentials: environment.Credentials(log),
		Observer:    telemetry.Calls{Log: log, Metrics: metrics, Tracer: xray.NewTracer(log)},
	})
	function.Start(log, handler{
		orders: &purchase.Purchaser{
			Orders:           store.Orders{DB: environment.DynamoDB(), Table: environment.OrdersTable},
			Market:           market,
			RequireAvailable: environment.G2A.Env == g2a.Live,
			Clock:            time.Now,
			Log:              log,
		},
		clock:   time.Now,
		log:     log,
		metrics: metrics,
	})
}
