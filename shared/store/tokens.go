package store

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// Tokens keeps the access tokens in the state table. It is a g2a.TokenStore.
type Tokens struct {
	DB    *dynamodb.Client
	Table string
	Env   g2a.Env
}

// tokenItem is an item TOKEN#<env>#<fingerprint> TOKEN. Times are unix seconds.
type tokenItem struct {
	PK            string `dynamodbav:"pk"`
	SK            string `dynamodbav:"sk"`
	AccessToken   string `dynamodbav:"access_token"`
	IssuedAt      int64  `dynamodbav:"issued_at"`
	ExpiresAt     int64  `dynamodbav:"token_expires_at"`
	Version       int64  `dynamodbav:"version"`
	LeaseOwner    string `dynamodbav:"lease_owner,omitempty"`
	LeaseUntil    int64  `dynamodbav:"lease_until,omitempty"`
	Rejections    int64  `dynamodbav:"rejections,omitempty"`
	RejectedUntil int64  `dynamodbav:"rejected_until,omitempty"`
}

func (t Tokens) pk(fingerprint string) string { return "TOKEN#" + string(t.Env) + "#" + fingerprint }

const tokenSK = "TOKEN"

func (t Tokens) key(fingerprint string) item { return key(t.pk(fingerprint), tokenSK) }

// LoadToken implements g2a.TokenStore.
func (t Tokens) LoadToken(ctx context.Context, fingerprint string) (g2a.TokenRecord, error) {
	var kept tokenItem
	found, err := get(ctx, t.DB, t.Table, t.key(fingerprint), "reading the token", &kept)
	if err != nil || !found {
		return g2a.TokenRecord{}, err
	}
	record := g2a.TokenRecord{Token: g2a.Token{Version: kept.Version}}
	if kept.LeaseOwner != "" {
		record.Lease = g2a.TokenLease{Owner: kept.LeaseOwner, Until: time.Unix(kept.LeaseUntil, 0)}
	}
	if kept.Rejections != 0 {
		record.Rejection = g2a.TokenRejection{Count: kept.Rejections, Until: time.Unix(kept.RejectedUntil, 0)}
	}
	if kept.AccessToken != "" { // else a lease alone, or dropped
		record.Token.Access = g2a.NewSecret(kept.AccessToken)
		record.Token.IssuedAt, record.Token.ExpiresAt = time.Unix(kept.IssuedAt, 0), time.Unix(kept.ExpiresAt, 0)
	}
	return record, nil
}

// LeaseToken implements g2a.TokenStore. An owner that has the lease gets it again:
// its first answer may have been lost and the request sent once more.
func (t Tokens) LeaseToken(ctx context.Context, fingerprint string, seen g2a.TokenRecord, lease g2a.TokenLease) (bool, error) {
	v := values{":owner": text(lease.Owner), ":until": seconds(lease.Until)}
	version := "attribute_not_exists(version)"
	if seen.Token.Version != 0 {
		version, v[":version"] = "version = :version", number(seen.Token.Version)
	}
	// A rejection ends a lease with the owner and the end that another owner may have
	// seen before it: the count tells the two apart.
	rejections := "attribute_not_exists(rejections)"
	if seen.Rejection.Count != 0 {
		rejections, v[":rejections"] = "rejections = :rejections", number(seen.Rejection.Count)
	}
	unchanged := "attribute_not_exists(lease_owner)"
	if seen.Lease.Owner != "" {
		unchanged = "(lease_owner = :seen_owner AND lease_until = :seen_until)"
		v[":seen_owner"], v[":seen_until"] = text(seen.Lease.Owner), seconds(seen.Lease.Until)
	}
	_, err := t.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &t.Table, Key: t.key(fingerprint),
		UpdateExpression:          aws.String("SET lease_owner = :owner, lease_until = :until"),
		ConditionExpression:       aws.String(version + " AND " + rejections + " AND (" + unchanged + " OR lease_owner = :owner)"),
		ExpressionAttributeValues: v,
	})
	switch {
	case refused(err):
		return false, nil
	case err != nil:
		return false, unavailable("taking the token's lease", err)
	}
	return true, nil
}

// SaveToken implements g2a.TokenStore.
func (t Tokens) SaveToken(ctx context.Context, fingerprint, owner string, token g2a.Token) (bool, error) {
	fields, err := attributevalue.MarshalMap(tokenItem{
		PK: t.pk(fingerprint), SK: tokenSK, AccessToken: token.Access.Reveal(), Version: token.Version,
		IssuedAt: token.IssuedAt.Unix(), ExpiresAt: token.ExpiresAt.Unix(),
	})
	if err != nil {
		return false, fmt.Errorf("writing the token's item: %w", err)
	}
	_, err = t.DB.PutItem(ctx, &dynamodb.PutItemInput{ // in the place of the lease and the rejections
		TableName: &t.Table, Item: fields,
		ConditionExpression:       aws.String("lease_owner = :owner AND lease_until > :ended"),
		ExpressionAttributeValues: values{":owner": text(owner), ":ended": number(0)},
	})
	switch {
	case refused(err):
		// It may have been kept already: the answer was lost and the request sent once more.
		kept, err := t.LoadToken(ctx, fingerprint)
		return kept.Token.Access.Equal(token.Access), err
	case err != nil:
		return false, unavailable("storing the token", err)
	}
	return true, nil
}

// ReleaseToken implements g2a.TokenStore.
func (t Tokens) ReleaseToken(ctx context.Context, fingerprint, owner string, rejection g2a.TokenRejection) error {
	update, v := "SET lease_until = :ended", values{":owner": text(owner), ":ended": number(0)}
	if rejection.Count != 0 {
		update += ", rejections = :rejections, rejected_until = :rejected_until"
		v[":rejections"], v[":rejected_until"] = number(rejection.Count), seconds(rejection.Until)
	}
	_, err := t.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &t.Table, Key: t.key(fingerprint),
		UpdateExpression:          &update,
		ConditionExpression:       aws.String("lease_owner = :owner"),
		ExpressionAttributeValues: v,
	})
	if err != nil && !refused(err) {
		return unavailable("releasing the token's lease", err)
	}
	return nil
}

// DropToken implements g2a.TokenStore. The text is emptied, not removed: the version
// goes on counting, and a lease goes on.
func (t Tokens) DropToken(ctx context.Context, fingerprint string, token g2a.Token) error {
	_, err := t.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &t.Table, Key: t.key(fingerprint),
		UpdateExpression:          aws.String("SET access_token = :none"),
		ConditionExpression:       aws.String("access_token = :rejected"),
		ExpressionAttributeValues: values{":none": text(""), ":rejected": text(token.Access.Reveal())},
	})
	if err != nil && !refused(err) {
		return unavailable("dropping the token", err)
	}
	return nil
}
