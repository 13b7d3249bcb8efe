package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

// A DynamoDB item holds 400 KB, and a key may be a file of 8 MiB. What is longer than
// maxInline bytes stands in items of its own, of partSize bytes each, which are written
// before the record that names them: until that is written they belong to nobody, and no
// other key's parts have their names.
const (
	maxInline = 96 << 10
	partSize  = 320 << 10
)

// keyPart is an item ORDER#<order_ref> KEY#<sha256 of the whole>#<number>.
type keyPart struct {
	sk   string
	data []byte
}

// partsName names a key that stands in parts: "<number of parts>:<sha256 of the whole>".
func partsName(parts int, sum string) string { return fmt.Sprintf("%d:%s", parts, sum) }

func partSK(sum string, n int) string { return fmt.Sprintf("KEY#%s#%03d", sum, n) }

// split cuts what an item cannot hold into parts, and names them; "" where it can.
func split(content string) (name string, parts []keyPart) {
	if len(content) <= maxInline {
		return "", nil
	}
	hash := sha256.Sum256([]byte(content))
	sum := hex.EncodeToString(hash[:])
	for at := 0; at < len(content); at += partSize {
		parts = append(parts, keyPart{partSK(sum, len(parts)), []byte(content[at:min(at+partSize, len(content))])})
	}
	return partsName(len(parts), sum), parts
}

func (r orderItem) hasKey() bool {
	return r.ProductKey != "" || r.ProductKeyParts != "" || len(r.KeyRaw) > 0 || r.KeyRawParts != ""
}

// setKey puts a key into the record, or its parts' names, and returns the parts.
func (r *orderItem) setKey(k g2a.Key) (parts []keyPart) {
	var more []keyPart
	if r.ProductKeyParts, parts = split(k.Value.Reveal()); r.ProductKeyParts == "" {
		r.ProductKey = k.Value.Reveal()
	}
	if r.KeyRawParts, more = split(k.Raw.Reveal()); r.KeyRawParts == "" && !k.Raw.IsZero() {
		r.KeyRaw = []byte(k.Raw.Reveal())
	}
	r.KeyIsFile = k.IsFile
	return append(parts, more...)
}

// writeParts writes the parts of a key. They never change: writing them again is harmless.
func (s Orders) writeParts(ctx context.Context, pk string, parts []keyPart) error {
	for _, part := range parts {
		fields := key(pk, part.sk)
		fields["data"] = &types.AttributeValueMemberB{Value: part.data}
		if _, err := s.DB.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.Table, Item: fields}); err != nil {
			return unwritten("writing a part of the key", err)
		}
	}
	return nil
}

// readKey reads the key of a record, with its parts.
func (s Orders) readKey(ctx context.Context, r orderItem) (g2a.Key, error) {
	value, raw := r.ProductKey, string(r.KeyRaw)
	var err error
	if r.ProductKeyParts != "" {
		if value, err = s.join(ctx, r.PK, r.ProductKeyParts); err != nil {
			return g2a.Key{}, err
		}
	}
	if r.KeyRawParts != "" {
		if raw, err = s.join(ctx, r.PK, r.KeyRawParts); err != nil {
			return g2a.Key{}, err
		}
	}
	return g2a.Key{Value: g2a.NewSecret(value), IsFile: r.KeyIsFile, Raw: g2a.NewSecret(raw)}, nil
}

var errPartsDamaged = errors.New("its parts are damaged")

// join puts parts together again, and checks that they are the whole.
func (s Orders) join(ctx context.Context, pk, name string) (string, error) {
	number, sum, _ := strings.Cut(name, ":")
	parts, err := strconv.Atoi(number)
	if err != nil {
		return "", errPartsDamaged
	}
	var whole strings.Builder
	for n := range parts {
		var part struct {
			Data []byte `dynamodbav:"data"`
		}
		found, err := get(ctx, s.DB, s.Table, key(pk, partSK(sum, n)), "reading a part of the key", &part)
		switch {
		case err != nil:
			return "", err
		case !found:
			return "", errPartsDamaged
		}
		whole.Write(part.Data)
	}
	if hash := sha256.Sum256([]byte(whole.String())); hex.EncodeToString(hash[:]) != sum {
		return "", errPartsDamaged
	}
	return whole.String(), nil
}

// unwritten wraps the error of a write of an order: one that can never succeed, or one of
// an engine that is not available.
func unwritten(doing string, err error) error {
	if invalid(err) {
		return fmt.Errorf("%s: %w: %w", doing, purchase.ErrUnwritable, err)
	}
	return unavailable(doing, err)
}
