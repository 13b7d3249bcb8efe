// Package workflow proves infra/order-workflow.asl.json: a real interpreter
// executes it, and it calls the order function's real binary in a local cloud.
//
// It imports the proofs' stack, the engines and shared packages, under the build tag proof.
package workflow
