// Package webhooks proves the promise of webhooks on the real WebhookFunction, behind
// the local cloud's HTTP API: however often, in whatever order and from however many
// senders at once they come, whichever process is killed, and though the store is away
// for a while and the credentials are rotated, each event is applied exactly once, or
// parked byte for byte when it cannot be; and not one webhook that G2A did not sign, or
// signed too long ago, is taken.
//
// The events are in every form that is taken: as documented and rewritten, with numeric
// and odd ids, of unknown types, with fields missing, in bytes that are not UTF-8, in two
// versions that contradict each other, of no order, under any spelling of JSON's media
// type. A tap on the line to DynamoDB cuts it for a while, and kills a process by SIGKILL
// right before its transaction is done, or right after it and before the answer. In
// the end the records, all of them, are held against what was sent and answered.
//
// All of it is tests. In full size:
//
//	STORMTEST_EVENTS=10000 go test -timeout 60m -v -tags proof -run Storm ./infra/proof/webhooks
//
// It imports the proofs' stack, the engines and shared packages, under the build tag proof.
package webhooks
