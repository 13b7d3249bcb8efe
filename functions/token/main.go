package main

import (
	"os"
	"time"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/function"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry/xray"
)

func main() {
	log := function.NewLogger(os.Stdout)
	environment := function.MustReadEnvironment(log)
	environment.Tracer = xray.NewTracer(log, environment.XRayDaemon)
	metrics := environment.Metrics(os.Stdout)
	// Not remembered in memory: the item is what this function is there for.
	_, tokens := environment.Client(environment.DynamoDB(), environment.Credentials(log), telemetry.Calls{
		Log: log, Metrics: metrics, Tracer: environment.Tracer,
	})
	tokens.KeepFor = keepFor
	function.Start(log, handler{
		tokens: tokens, clock: time.Now, log: log, metrics: metrics,
		needed: environment.G2A.ExportAPI == g2a.ExportV2,
	})
}
