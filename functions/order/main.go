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
	environment.Tracer = xray.NewTracer(log, environment.XRayDaemon)
	metrics := environment.Metrics(os.Stdout)
	db := environment.DynamoDB()
	client, _ := environment.Client(db, environment.Credentials(log), telemetry.Calls{
		Log: log, Metrics: metrics, Tracer: environment.Tracer,
	})
	function.Start(log, handler{
		orders: &purchase.Purchaser{
			Orders:           store.Orders{DB: db, Table: environment.OrdersTable},
			Markets:          purchase.Markets(client),
			API:              environment.G2A.ExportAPI,
			RequireAvailable: environment.G2A.Env == g2a.Live,
			Clock:            time.Now,
			Log:              log,
		},
		clock:   time.Now,
		log:     log,
		metrics: metrics,
	})
}
