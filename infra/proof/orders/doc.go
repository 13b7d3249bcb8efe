// Package orders proves the promise of an order on the functions' real binaries:
// whatever crashes, at most one order is paid under an order_ref, never above its
// limit, exactly one when the record says fulfilled, and each key that G2A has given
// out is in the record or reported as lost.
//
// A tap on the lines to DynamoDB and to G2A sees every call that an invocation makes,
// and can kill its process by SIGKILL right before the call's work is done, or right
// after it and before the answer, or have the request of a dead process arrive late. A
// workflow that goes by infra/order-workflow.asl.json calls again. In the end the
// simulator's order book, not the project's own records, tells what was made, paid and
// revealed.
//
// It holds at either of G2A's purchasing APIs, and at each reading of what G2A does not
// document of the newer one: keys that can be read again or once, a repeated
// Idempotency-Key that is answered with the order or with a conflict.
//
// All of it is tests. TestAtRandom draws what happens: -v prints the table of what was
// met, CRASHTEST_ORDERS sets how many orders there are at each of them, and CRASHTEST_SEED draws the
// same again.
//
//	CRASHTEST_ORDERS=100000 go test -v -timeout 0 -tags proof -run TestAtRandom ./infra/proof/orders
//
// It imports the proofs' stack, the engines and shared packages, under the build tag proof.
package orders
