// Package story takes one order all the way through a running stack, as a shop, G2A
// and an operator would: it knows the stack by its addresses alone. Each step is
// proved from outside, by the simulator's books, the answers and the records, and
// printed.
//
// It may import shared packages, but nothing of the local cloud: it would tell the same of a
// deployed stack.
package story
