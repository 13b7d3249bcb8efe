// The health function probes the store, the stored token and G2A. A schedule calls it,
// and GET /health. It only reads: it never fetches a token.
//
// It wires shared packages and may import any of them, and nothing of infra.
package main
