package store

import (
	"cmp"
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

// A DynamoDB item holds 400 KB, and a key may be a file of 8 MiB. What has no room in the
// maxInline bytes that a record has for keys stands in items of its own, of partSize bytes
// each, which are written before the record that names them: until that is written they
// belong to nobody, and no other key's parts have their names.
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

// keyFields are one key's, in the record or in its list of more keys.
type keyFields struct {
	ProductKey      string `dynamodbav:"product_key,omitempty"`
	ProductKeyParts string `dynamodbav:"product_key_parts,omitempty"`
	KeyIsFile       bool   `dynamodbav:"key_is_file,omitempty"`
	// KeyG2AOrderID is the order at G2A that the key is of; absent: the record's.
	KeyG2AOrderID string `dynamodbav:"key_g2a_order_id,omitempty"`
}

// split cuts what has no room in an item into parts, and names them; "" where it has.
func split(content string, room int) (name string, parts []keyPart) {
	if len(content) <= room {
		return "", nil
	}
	hash := sha256.Sum256([]byte(content))
	sum := hex.EncodeToString(hash[:])
	for at := 0; at < len(content); at += partSize {
		parts = append(parts, keyPart{partSK(sum, len(parts)), []byte(content[at:min(at+partSize, len(content))])})
	}
	return partsName(len(parts), sum), parts
}

func (k keyFields) isKey() bool { return k.ProductKey != "" || k.ProductKeyParts != "" }

func (r orderItem) hasKey() bool { return r.isKey() || len(r.KeyRaw) > 0 || r.KeyRawParts != "" }

// allKeys returns the fields of all keys, in their order.
func (r orderItem) allKeys() []keyFields {
	if !r.isKey() {
		return nil
	}
	return append([]keyFields{r.keyFields}, r.MoreKeys...)
}

// keys returns the keys without their values.
func (r orderItem) keys() []purchase.Key {
	var keys []purchase.Key
	for _, fields := range r.allKeys() {
		keys = append(keys, purchase.Key{IsFile: fields.KeyIsFile, G2AOrderID: cmp.Or(fields.KeyG2AOrderID, r.G2AOrderID), Stored: true})
	}
	return keys
}

// setKeys puts the keys into the record, or the names of their parts, and returns the
// parts that are not stored yet. Earlier keys take the room first, so that a key stays
// where it is when others follow.
func (r *orderItem) setKeys(o purchase.Order) (parts []keyPart) {
	room := maxInline
	for n, k := range o.Keys {
		fields := keyFields{KeyIsFile: k.IsFile}
		if k.G2AOrderID != o.G2AOrderID {
			fields.KeyG2AOrderID = k.G2AOrderID
		}
		value := k.Value.Reveal()
		name, cut := split(value, room)
		if fields.ProductKeyParts = name; name == "" {
			fields.ProductKey = value
			room -= len(value)
		}
		if !k.Stored {
			parts = append(parts, cut...)
		}
		if n == 0 {
			r.keyFields = fields
		} else {
			r.MoreKeys = append(r.MoreKeys, fields)
		}
	}
	name, cut := split(o.Raw.Reveal(), maxInline)
	if r.KeyRawParts = name; name == "" && !o.Raw.IsZero() {
		r.KeyRaw = []byte(o.Raw.Reveal())
	}
	return append(parts, cut...)
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

// readKeys reads the keys of a record, with their parts.
func (s Orders) readKeys(ctx context.Context, r orderItem, o *purchase.Order) error {
	for n, fields := range r.allKeys() {
		value, err := s.whole(ctx, r.PK, fields.ProductKey, fields.ProductKeyParts)
		if err != nil {
			return err
		}
		o.Keys[n].Value = g2a.NewSecret(value)
	}
	raw, err := s.whole(ctx, r.PK, string(r.KeyRaw), r.KeyRawParts)
	o.Raw = g2a.NewSecret(raw)
	return err
}

// whole returns what stands in the record, or in the parts that it names.
func (s Orders) whole(ctx context.Context, pk, inline, parts string) (string, error) {
	if parts == "" {
		return inline, nil
	}
	return s.join(ctx, pk, parts)
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
