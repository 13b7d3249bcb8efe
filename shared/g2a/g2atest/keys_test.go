package g2atest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

func hexSHA256(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// TestKeyIsTheOneOfTheBook: the hash is in the book from the start.
func TestKeyIsTheOneOfTheBook(t *testing.T) {
	const aboveDynamoDB = 400 << 10
	for name, test := range map[string]struct {
		product  string
		fileSize int
		want     int // bytes of the file, 0 for a text
	}{
		"a text":                   {plentiful, 0, 0},
		"a text, with a size":      {plentiful, aboveDynamoDB, 0},
		"a file":                   {asFile, 0, 79},
		"the smallest file":        {asFile, 79, 79},
		"a file above 400 KB":      {asFile, aboveDynamoDB, aboveDynamoDB},
		"a file of an uneven size": {asFile, 1000, 1000},
		"a file of 2 MiB":          {asFile, 2 << 20, 2 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			srv := newServer(t, func(o *g2atest.Options) { o.FileKeySize = test.fileSize })
			c := client(t, srv)
			order, other := createOrder(t, c, test.product), createOrder(t, c, test.product)
			atFirst := record(t, srv, order.ID).KeySHA256
			payOrder(t, c, order.ID)
			key, err := c.OrderKey(t.Context(), order.ID)
			if err != nil || key.IsFile != (test.want > 0) {
				t.Fatalf("key: error %v, file %v, want a file: %v", err, key.IsFile, test.want > 0)
			}
			if at := record(t, srv, order.ID).KeySHA256; hexSHA256(key.Value.Reveal()) != atFirst || at != atFirst {
				t.Errorf("the key's hash is %s; the book had %s, and has %s", hexSHA256(key.Value.Reveal()), atFirst, at)
			}
			if record(t, srv, other.ID).KeySHA256 == atFirst {
				t.Error("two orders have one key")
			}
			if !key.IsFile {
				return
			}
			file, err := base64.StdEncoding.DecodeString(key.Value.Reveal())
			if err != nil || len(file) != test.want || !strings.Contains(string(file[:79]), "FAKE-") {
				t.Errorf("file has %d bytes (%v), want %d with a key in front", len(file), err, test.want)
			}
		})
	}
}

func TestKeyWhoseAnswerIsLostStaysTheSame(t *testing.T) {
	srv := newServer(t)
	c := client(t, srv)
	order := createOrder(t, c, plentiful)
	payOrder(t, c, order.ID)
	want := record(t, srv, order.ID).KeySHA256
	addFault(t, srv, `{"route":"`+keyRoute+`","mode":"drop_after"}`)
	if _, err := c.OrderKey(t.Context(), order.ID); !errors.Is(err, g2a.ErrUnavailable) {
		t.Errorf("error is %v, want ErrUnavailable", err)
	}
	if got := record(t, srv, order.ID); got.KeySHA256 != want || !got.KeyRevealed {
		t.Errorf("record is %+v, want the revealed key of hash %s", got, want)
	}
}
