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

// tokenItem is an item TOKEN#<env>#<fingerprint> TOKEN, without the lease that may
// be on it. Times are unix seconds.
type tokenItem struct {
	PK          string `dynamodbav:"pk"`
	SK          string `dynamodbav:"sk"`
	AccessToken string `dynamodbav:"access_token"`
	IssuedAt    int64  `dynamodbav:"issued_at"`
	ExpiresAt   int64  `dynamodbav:"token_expires_at"`
	Version     int64  `dynamodbav:"version"`
}

func (t Tokens) pk(fingerprint string) string { return "TOKEN#" + string(t.Env) + "#" + fingerprint }

const tokenSK = "TOKEN"

func (t Tokens) key(fingerprint string) item { return key(t.pk(fingerprint), tokenSK) }

// LoadToken implements g2a.TokenStore.
func (t Tokens) LoadToken(ctx context.Context, fingerprint string) (g2a.Token, error) {
	var kept tokenItem
	found, err := get(ctx, t.DB, t.Table, t.key(fingerprint), "reading the token", &kept)
	switch {
	case err != nil || !found:
		return g2a.Token{}, err
	case kept.AccessToken == "": // a lease alone, or dropped
		return g2a.Token{Version: kept.Version}, nil
	}
	return g2a.Token{
		Access:    g2a.NewSecret(kept.AccessToken),
		IssuedAt:  time.Unix(kept.IssuedAt, 0),
		ExpiresAt: time.Unix(kept.ExpiresAt, 0),
		Version:   kept.Version,
	}, nil
}

// LeaseToken implements g2a.TokenStore. An owner that has the lease gets it again:
// its first answer may have been lost and the request sent once more.
func (t Tokens) LeaseToken(ctx context.Context, fingerprint string, seenVersion int64, owner string, now, until time.Time) (bool, error) {
	version := "(version = :seen)"
	if seenVersion == 0 {
		version = "(attribute_not_exists(version))"
	}
	_, err := t.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &t.Table, Key: t.key(fingerprint),
		UpdateExpression:          aws.String("SET lease_owner = :owner, lease_until = :until"),
		ConditionExpression:       aws.String(version + " AND (attribute_not_exists(lease_until) OR lease_until <= :now OR lease_owner = :owner)"),
		ExpressionAttributeValues: leaseValues(seenVersion, values{":owner": text(owner), ":until": seconds(until), ":now": seconds(now)}),
	})
	switch {
	case refused(err):
		return false, nil
	case err != nil:
		return false, unavailable("taking the token's lease", err)
	}
	return true, nil
}

// leaseValues leaves out the value that no expression uses, which DynamoDB refuses.
func leaseValues(seenVersion int64, v values) values {
	if seenVersion != 0 {
		v[":seen"] = number(seenVersion)
	}
	return v
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
	_, err = t.DB.PutItem(ctx, &dynamodb.PutItemInput{ // in the place of the lease
		TableName: &t.Table, Item: fields,
		ConditionExpression:       aws.String("lease_owner = :owner AND lease_until > :ended"),
		ExpressionAttributeValues: values{":owner": text(owner), ":ended": number(0)},
	})
	switch {
	case refused(err):
		// It may have been kept already: the answer was lost and the request sent once more.
		kept, err := t.LoadToken(ctx, fingerprint)
		return !kept.Access.IsZero() && kept.Access.Equal(token.Access), err
	case err != nil:
		return false, unavailable("storing the token", err)
	}
	return true, nil
}

// ReleaseToken implements g2a.TokenStore.
func (t Tokens) ReleaseToken(ctx context.Context, fingerprint, owner string) error {
	_, err := t.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &t.Table, Key: t.key(fingerprint),
		UpdateExpression:          aws.String("SET lease_until = :ended"),
		ConditionExpression:       aws.String("lease_owner = :owner"),
		ExpressionAttributeValues: values{":owner": text(owner), ":ended": number(0)},
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
