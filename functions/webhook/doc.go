// The webhook function receives webhooks, as the integration plan has them, and answers GET
// /health/live.
//
// It wires shared packages and may import any of them, and nothing of infra.
package main
