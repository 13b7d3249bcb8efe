package store

import (
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	conflictBase = 10 * time.Millisecond
	conflictCap  = 500 * time.Millisecond
	// conflictTries bounds the waits to some 2 s in all; waiting longer is for the caller.
	conflictTries = 12
	// answerReserve is left of the deadline for the caller's own answer.
	answerReserve = 500 * time.Millisecond
)

// transact carries out all the writes, or none, and tries again while other transactions
// hold one of the items, for as long as tries and time are left. That is over in
// milliseconds, unless many write the same item at once: hence the growing waits with
// full jitter. What is left in the end is the conflict itself.
//
// All tries have one token: one that was carried out and whose answer was lost must not be
// in the way of the next.
func transact(ctx context.Context, db *dynamodb.Client, writes ...types.TransactWriteItem) error {
	in := &dynamodb.TransactWriteItemsInput{TransactItems: writes, ClientRequestToken: aws.String(rand.Text())}
	for try := 1; ; try++ {
		_, err := db.TransactWriteItems(ctx, in)
		if !conflicting(err) || try == conflictTries {
			return err
		}
		wait := time.Duration(mathrand.Int64N(int64(min(conflictCap, conflictBase<<try))))
		if deadline, limited := ctx.Deadline(); limited && time.Until(deadline) < wait+answerReserve {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// conflicting reports whether another transaction was in the way of a transaction. A
// condition that failed beside it may hold once that one is done.
func conflicting(err error) bool {
	var inProgress *types.TransactionInProgressException
	if errors.As(err, &inProgress) {
		return true
	}
	for _, reason := range cancellation(err) {
		if aws.ToString(reason.Code) == reasonConflict {
			return true
		}
	}
	return false
}

// cancellation returns the reasons of a transaction that was cancelled, one for each of
// its writes.
func cancellation(err error) []types.CancellationReason {
	var cancelled *types.TransactionCanceledException
	if errors.As(err, &cancelled) {
		return cancelled.CancellationReasons
	}
	return nil
}

// Codes of a cancellation's reasons.
const (
	reasonCondition  = "ConditionalCheckFailed"
	reasonConflict   = "TransactionConflict"
	reasonValidation = "ValidationError"
)
