package g2a

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Key is a product key, which G2A gives out once. Either Value or Raw is set.
type Key struct {
	Value  Secret
	IsFile bool // Value is a file in base64
	// Raw is the answer itself, byte for byte, where it could not be understood: what it
	// holds is the only copy of the key.
	Raw Secret
}

// IsZero reports whether nothing was given out.
func (k Key) IsZero() bool { return k.Value.IsZero() && k.Raw.IsZero() }

// OrderKey fetches an order's key, which works once: store it before anything else
// happens. Whatever G2A answers with success is kept, at worst as Key.Raw. A second time
// is ErrKeyAlreadyDownloaded; any other error whose outcome is unknown may have used up
// the only time.
func (c *Client) OrderKey(ctx context.Context, orderID string) (Key, error) {
	r, fault := c.newRequest(exportAPI, "GET", "/order/key/{id}", orderID)
	r.effect = reveals
	if fault != nil {
		return Key{}, invalid(ctx, r, fault)
	}
	var key Key
	err := c.doExport(ctx, r, func(a *answer) (fault error) {
		if len(a.body) == 0 && a.cut != nil {
			return a.cut
		}
		if key, fault = readKey(a.body, a.header); fault == nil && a.cut != nil {
			key = Key{Raw: NewSecret(string(a.body))} // what it seems to say may be half of it
		}
		return fault
	})
	if err != nil {
		return Key{}, err
	}
	return key, nil
}

// readKey reads the answer of a success. One that is not certain to be understood is kept
// as it is. The errors are for what holds no key, and repeat none of it.
func readKey(body []byte, header http.Header) (Key, error) {
	if len(body) == 0 {
		return Key{}, errors.New("the answer is empty")
	}
	content := withoutBOM(gunzipped(body, header))
	if bytes.HasPrefix(bytes.TrimLeft(content, " \t\r\n"), []byte("<")) && !bytes.Contains(content, []byte(`"key"`)) {
		return Key{}, errNotG2A
	}
	if key, understood := parseKey(content); understood {
		return key, nil
	}
	return Key{Raw: NewSecret(string(body))}, nil
}

// gunzipped returns what a compressed body holds, and any other body as it is. No answer
// was asked to be compressed, and not every server minds.
func gunzipped(body []byte, header http.Header) []byte {
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) && !strings.EqualFold(header.Get("Content-Encoding"), "gzip") {
		return body
	}
	reader, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return body
	}
	content, err := io.ReadAll(io.LimitReader(reader, maxBody+1))
	if err != nil || len(content) > maxBody {
		return body
	}
	return content
}

// digitsPattern is a key that is a number: its digits are the key.
var digitsPattern = regexp.MustCompile(`^[0-9]+$`)

// parseKey reads {"key":...,"isFile":...} and reports whether nothing in it can be
// misread.
func parseKey(content []byte) (Key, bool) {
	if !utf8.Valid(content) {
		return Key{}, false // encoding/json would replace bytes
	}
	object, err := readObject(content)
	if err != nil {
		return Key{}, false
	}
	value, understood := keyValue(object["key"])
	if !understood {
		return Key{}, false
	}
	isFile, ok := readIsFile(object["isFile"])
	return Key{Value: value, IsFile: isFile}, ok
}

// keyValue reads a key that is a JSON string or the digits of a number.
func keyValue(raw json.RawMessage) (value Secret, ok bool) {
	text := string(raw)
	if !digitsPattern.MatchString(text) {
		text = stringOf(raw)
	}
	// The replacement character is half of a surrogate pair.
	return NewSecret(text), text != "" && !strings.ContainsRune(text, utf8.RuneError)
}

// readIsFile reads a flag that may be absent.
func readIsFile(raw json.RawMessage) (isFile, ok bool) {
	if absent(raw) || string(raw) == `""` {
		return false, true
	}
	return readFlag(raw)
}
