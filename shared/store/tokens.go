package store

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
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
	AccessToken string `dynamodbav:"access_token"`
	IssuedAt    int64  `dynamodbav:"issued_at"`
	ExpiresAt   int64  `dynamodbav:"token_expires_at"`
	Version     int64  `dynamodbav:"version"`
}

func (t Tokens) key(fingerprint string) item {
	return key("TOKEN#"+string(t.Env)+"#"+fingerprint, "TOKEN")
}

// LoadToken implements g2a.TokenStore.
func (t Tokens) LoadToken(ctx context.Context, fingerprint string) (g2a.Token, error) {
	var kept tokenItem
	found, err := get(ctx, t.DB, t.Table, t.key(fingerprint), &kept)
	if err != nil {
		return g2a.Token{}, unavailable("reading the token", err)
	}
	if !found || kept.AccessToken == "" { // an item may hold a lease alone
		return g2a.Token{}, nil
	}
	return g2a.Token{
		Access:    g2a.NewSecret(kept.AccessToken),
		IssuedAt:  time.Unix(kept.IssuedAt, 0),
		ExpiresAt: time.Unix(kept.ExpiresAt, 0),
		Version:   kept.Version,
	}, nil
}

// LeaseToken implements g2a.TokenStore.
func (t Tokens) LeaseToken(ctx context.Context, fingerprint string, seenVersion int64, owner string, now, until time.Time) (bool, error) {
	version := "(version = :seen)"
	if seenVersion == 0 {
		version = "(attribute_not_exists(version))"
	}
	_, err := t.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &t.Table, Key: t.key(fingerprint),
		UpdateExpression:          aws.String("SET lease_owner = :owner, lease_until = :until"),
		ConditionExpression:       aws.String(version + " AND (attribute_not_exists(lease_until) OR lease_until <= :now)"),
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
	_, err := t.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &t.Table, Key: t.key(fingerprint),
		UpdateExpression: aws.String("SET access_token = :token, issued_at = :issued, token_expires_at = :expires, " +
			"version = :version REMOVE lease_owner, lease_until"),
		ConditionExpression: aws.String("lease_owner = :owner"),
		ExpressionAttributeValues: values{
			":owner": text(owner), ":token": text(token.Access.Reveal()), ":version": number(token.Version),
			":issued": seconds(token.IssuedAt), ":expires": seconds(token.ExpiresAt),
		},
	})
	switch {
	case refused(err):
		return false, nil
	case err != nil:
		return false, unavailable("storing the token", err)
	}
	return true, nil
}

// ReleaseToken implements g2a.TokenStore.
func (t Tokens) ReleaseToken(ctx context.Context, fingerprint, owner string) error {
	_, err := t.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &t.Table, Key: t.key(fingerprint),
		UpdateExpression:          aws.String("REMOVE lease_owner, lease_until"),
		ConditionExpression:       aws.String("lease_owner = :owner"),
		ExpressionAttributeValues: values{":owner": text(owner)},
	})
	if err != nil && !refused(err) {
		return unavailable("releasing the token's lease", err)
	}
	return nil
}
