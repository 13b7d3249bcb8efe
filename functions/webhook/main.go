package main

import (
	"os"
	"time"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/function"
	"github.com/g2a-lambda/g2a-lambda/shared/inbox"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

func main() {
	log := function.NewLogger(os.Stdout)
	environment := function.MustReadEnvironment(log)
	environment.Tracer = newTracer(log, environment.XRayDaemon)
	metrics := environment.Metrics(os.Stdout)
	function.Start(log, newGateway(newHandler(endpoint{
		hashes: environment.Credentials(log),
		inbox: &inbox.Inbox{
			Store: store.Inbox{DB: environment.DynamoDB(), StateTable: environment.StateTable, OrdersTable: environment.OrdersTable},
			Clock: time.Now,
		},
		clock:   time.Now,
		log:     log,
		metrics: metrics,
	}), log, metrics))
}
