// The webhook function receives G2A's webhooks, and answers GET /health/live.
//
// It wires shared packages and may import any of them, and nothing of infra.
package main
