package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// Tokens keeps the access tokens in the state table, in items TOKEN#<env>#<fingerprint>
// TOKEN. It is a g2a.TokenStore, whose clock is DynamoDB's.
type Tokens struct {
	DB    *dynamodb.Client
	Table string
	Env   g2a.Env
}

const (
	tokenSK = "TOKEN"
	// tokenItemLife is how long an item outlives the token or the lease in it. No token
	// lives as long: one that is fresh is never deleted.
	tokenItemLife = 7 * 24 * time.Hour
)

func (t Tokens) key(fingerprint string) item {
	return key("TOKEN#"+string(t.Env)+"#"+fingerprint, tokenSK)
}

// LoadToken implements g2a.TokenStore.
func (t Tokens) LoadToken(ctx context.Context, fingerprint string) (g2a.TokenRecord, error) {
	answer, err := t.DB.GetItem(ctx, &dynamodb.GetItemInput{TableName: &t.Table, Key: t.key(fingerprint), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return g2a.TokenRecord{}, unavailable("reading the token", err)
	}
	record, err := readToken(answer.Item)
	if err != nil {
		record = g2a.TokenRecord{Damage: &damagedToken{item: answer.Item, reason: err}}
	}
	record.ReadAt, _ = awsmiddleware.GetServerTime(answer.ResultMetadata) // of the Date header
	return record, nil
}

// LeaseToken implements g2a.TokenStore. An owner that has the lease gets it again:
// its first answer may have been lost and the request sent once more.
func (t Tokens) LeaseToken(ctx context.Context, fingerprint string, seen g2a.TokenRecord, lease g2a.TokenLease) (bool, error) {
	var damaged *damagedToken
	if errors.As(seen.Damage, &damaged) {
		return t.replaceDamaged(ctx, fingerprint, damaged.item, lease)
	}
	v := values{":owner": text(lease.Owner), ":until": seconds(lease.Until), ":expires": seconds(lease.Until.Add(tokenItemLife))}
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
		UpdateExpression:          aws.String("SET lease_owner = :owner, lease_until = :until, expires_at = :expires"),
		ConditionExpression:       aws.String(version + " AND " + rejections + " AND (" + unchanged + " OR lease_owner = :owner)"),
		ExpressionAttributeValues: v,
	})
	return took(err)
}

// replaceDamaged puts a lease in the place of a damaged item that is still damaged as it was
// seen: each attribute of a token is absent, of a wrong type or of the same value as then. A
// good item differs in one of them.
func (t Tokens) replaceDamaged(ctx context.Context, fingerprint string, seen item, lease g2a.TokenLease) (bool, error) {
	v := values{":owner": text(lease.Owner)}
	unchanged := make([]string, len(tokenAttributes))
	for i, attribute := range tokenAttributes {
		name, kind := attribute.name, attribute.kind
		value, found := seen[name]
		switch {
		case !found:
			unchanged[i] = "attribute_not_exists(" + name + ")"
		case kind == kindOf(value):
			unchanged[i], v[":"+name] = name+" = :"+name, value
		default: // its value is not compared: the embedded engine refuses to, across types
			unchanged[i], v[":"+kind] = "(attribute_exists("+name+") AND NOT attribute_type("+name+", :"+kind+"))", text(kind)
		}
	}
	leased := t.key(fingerprint)
	leased["lease_owner"], leased["lease_until"], leased["expires_at"] = text(lease.Owner), seconds(lease.Until), seconds(lease.Until.Add(tokenItemLife))
	_, err := t.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &t.Table, Item: leased,
		ConditionExpression:       aws.String("(" + strings.Join(unchanged, " AND ") + ") OR lease_owner = :owner"),
		ExpressionAttributeValues: v,
	})
	return took(err)
}

// took reports whether a lease was taken.
func took(err error) (bool, error) {
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
	saved := t.key(fingerprint) // in the place of the lease and the rejections
	saved["access_token"], saved["version"] = text(token.Access.Reveal()), number(token.Version)
	saved["issued_at"], saved["token_expires_at"] = seconds(token.IssuedAt), seconds(token.ExpiresAt)
	saved["expires_at"] = seconds(token.ExpiresAt.Add(tokenItemLife))
	_, err := t.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &t.Table, Item: saved,
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

// DropToken implements g2a.TokenStore. The token is emptied, not removed: the version
// keeps counting, and a lease continues.
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

// tokenAttributes are those of a token's item besides its key. Times are unix seconds.
var tokenAttributes = []struct{ name, kind string }{
	{"access_token", kindString}, {"issued_at", kindNumber}, {"token_expires_at", kindNumber}, {"version", kindNumber},
	{"lease_owner", kindString}, {"lease_until", kindNumber}, {"rejections", kindNumber}, {"rejected_until", kindNumber},
	{"expires_at", kindNumber},
}

// Kinds of attributes, as DynamoDB names them.
const (
	kindString = "S"
	kindNumber = "N"
)

// kindOf returns the kind of an attribute, "" for one that no token has.
func kindOf(value types.AttributeValue) string {
	switch value.(type) {
	case *types.AttributeValueMemberS:
		return kindString
	case *types.AttributeValueMemberN:
		return kindNumber
	}
	return ""
}

// damagedToken is an item that is not as this package writes it. It tells of no value.
type damagedToken struct {
	item   item
	reason error
}

func (d *damagedToken) Error() string { return "the item is damaged: " + d.reason.Error() }

// readToken reads an item; nil is an empty record.
func readToken(stored item) (g2a.TokenRecord, error) {
	r := tokenReader{stored: stored}
	record := g2a.TokenRecord{
		Token: g2a.Token{
			Access:   g2a.NewSecret(r.text("access_token")),
			IssuedAt: r.time("issued_at"), ExpiresAt: r.time("token_expires_at"), Version: r.count("version"),
		},
		Lease:     g2a.TokenLease{Owner: r.text("lease_owner"), Until: r.time("lease_until")},
		Rejection: g2a.TokenRejection{Count: r.count("rejections"), Until: r.time("rejected_until")},
	}
	r.number("expires_at")
	if record.Token.Access.IsZero() { // a lease alone, or dropped
		record.Token = g2a.Token{Version: record.Token.Version}
	} else {
		r.needs("access_token", "version", "issued_at", "token_expires_at")
	}
	r.needs("lease_owner", "lease_until")
	r.needs("rejections", "rejected_until")
	if r.has("lease_owner") && record.Lease.Owner == "" {
		r.fault("lease_owner is empty")
	}
	return record, r.err
}

// tokenReader reads the attributes of an item, and keeps the first fault. One that is
// absent is zero; NULL is not absent, since no condition takes it for that.
type tokenReader struct {
	stored item
	err    error
}

func (r *tokenReader) fault(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *tokenReader) has(name string) bool {
	_, found := r.stored[name]
	return found
}

// needs checks that an attribute does not stand without the others.
func (r *tokenReader) needs(name string, others ...string) {
	for _, other := range others {
		if r.has(name) && !r.has(other) {
			r.fault("%s is there without %s", name, other)
		}
	}
}

func (r *tokenReader) text(name string) string {
	if !r.has(name) {
		return ""
	}
	value, is := r.stored[name].(*types.AttributeValueMemberS)
	if !is {
		r.fault("%s is not a string", name)
		return ""
	}
	return value.Value
}

// maxTokenNumber is beyond any time and any count.
const maxTokenNumber = 1 << 40

func (r *tokenReader) number(name string) int64 {
	if !r.has(name) {
		return 0
	}
	value, is := r.stored[name].(*types.AttributeValueMemberN)
	if !is {
		r.fault("%s is not a number", name)
		return 0
	}
	n, err := strconv.ParseInt(value.Value, 10, 64)
	if err != nil || n < 0 || n > maxTokenNumber {
		r.fault("%s is not an integer from 0 to %d", name, int64(maxTokenNumber))
		return 0
	}
	return n
}

// count reads a count, which is absent and not 0 before the first.
func (r *tokenReader) count(name string) int64 {
	n := r.number(name)
	if n == 0 && r.has(name) {
		r.fault("%s is 0", name)
	}
	return n
}

func (r *tokenReader) time(name string) time.Time {
	if !r.has(name) {
		return time.Time{}
	}
	return time.Unix(r.number(name), 0)
}
