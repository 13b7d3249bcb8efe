// The order function takes one order as far as it can go. Step Functions calls it
// until the order is at its end.
//
// It wires shared packages and may import any of them, and nothing of infra.
package main
