package g2atest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
)

// drawnKey is an order's key. It is drawn with the order, so that the books can name
// its hash before it is given out, and never changes.
type drawnKey struct {
	productKey string
	isFile     bool
	fileSize   int    // Options.FileKeySize
	sha256     string // hex, of the key as the client gets it
}

// drawKey draws a key.
func (s *Simulator) drawKey(isFile bool) drawnKey {
	k := drawnKey{productKey: s.randomProductKey(), isFile: isFile, fileSize: s.options.FileKeySize}
	sum := sha256.Sum256([]byte(k.text()))
	k.sha256 = hex.EncodeToString(sum[:])
	return k
}

// text is the key as the client gets it. A file is not kept but made again from the
// product key: a book of orders with large ones stays small.
func (k drawnKey) text() string {
	if k.isFile {
		return base64.StdEncoding.EncodeToString(keyFile(k.productKey, k.fileSize))
	}
	return k.productKey
}

// keyFile is a file of this size, in bytes; zero is as long as its text. What is left
// after the text is noise, so that no two files have a part in common and their base64
// has all of its characters.
func keyFile(productKey string, size int) []byte {
	text := fmt.Sprintf("This is no real product key, it comes from a simulator.\n%s\n", productKey)
	file := make([]byte, max(size, len(text)))
	noise := mathrand.NewChaCha8(sha256.Sum256([]byte(productKey)))
	_, _ = noise.Read(file[copy(file, text):]) // never fails: see its documentation
	return file
}

// minFileKeySize is how long the text of a file is.
var minFileKeySize = len(keyFile("FAKE-00000-00000-00000", 0))

type productKey struct {
	Key    string `json:"key"` // with IsFile, base64 of the file
	IsFile bool   `json:"isFile,omitempty"`
}

// orderKey is GET /order/key/{id}: the key, once.
func (s *Simulator) orderKey(c *call) answer {
	o := s.find(c, false)
	if o == nil {
		return orderNotFound()
	}
	o.keyCalls++
	switch {
	case !o.accepted:
		return fail(codePaymentRequired, "Payment is required or in progress")
	case o.status(c.now, s.options.CompleteAfter) != statusComplete:
		return fail(codePaymentNotReady, "Payment is not ready yet")
	case o.keysRevealed > 0:
		return fail(codeKeyDownloaded, "The key was downloaded already")
	}
	o.keysRevealed = 1
	s.tally.keysRevealed++
	return ok(productKey{Key: o.keys[0].text(), IsFile: o.keys[0].isFile})
}
