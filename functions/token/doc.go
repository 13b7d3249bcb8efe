// The token function keeps the shared access token fresh. A schedule calls it.
//
// It wires shared packages and may import any of them, and nothing of infra.
package main
