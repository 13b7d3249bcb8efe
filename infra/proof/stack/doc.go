// Package stack is what the proofs share: the local cloud of the functions' real
// binaries, with a tap on the line to DynamoDB and one on the line to G2A, at which a
// proof counts requests, holds them up, cuts them, and kills the process that sent them.
//
// It imports the local cloud and the simulator; only the proofs import it, under their
// build tag.
package stack
