// The health function probes G2A and the store. A schedule calls it, and GET /health.
//
// It wires shared packages and may import any of them, and nothing of infra.
package main
