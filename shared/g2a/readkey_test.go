package g2a

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

const bom = "\xef\xbb\xbf"

func gzipped(t testing.TB, content string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, content)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func deflated(t testing.TB, content string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(w, content)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// understood are answers that hold a key.
var understood = map[string]struct {
	body   string
	value  string
	isFile bool
}{
	"documented":                      {`{"key":"AAAA-BBBB"}`, "AAAA-BBBB", false},
	"space around":                    {" \r\n{ \"key\" : \"AAAA-BBBB\" }\n\n", "AAAA-BBBB", false},
	"after a BOM":                     {bom + `{"key":"AAAA-BBBB","isFile":false}`, "AAAA-BBBB", false},
	"a file":                          {`{"key":"SGVsbG8=","isFile":true}`, "SGVsbG8=", true},
	"a file, 1":                       {`{"key":"SGVsbG8=","isFile":1}`, "SGVsbG8=", true},
	"a file, 1 in a string":           {`{"key":"SGVsbG8=","isFile":"1"}`, "SGVsbG8=", true},
	"a file, true in a string":        {`{"key":"SGVsbG8=","isFile":"True"}`, "SGVsbG8=", true},
	"no file":                         {`{"key":"AAAA-BBBB","isFile":false}`, "AAAA-BBBB", false},
	"no file, null":                   {`{"key":"AAAA-BBBB","isFile":null}`, "AAAA-BBBB", false},
	"no file, 0":                      {`{"key":"AAAA-BBBB","isFile":0}`, "AAAA-BBBB", false},
	"no file, 0 in a string":          {`{"key":"AAAA-BBBB","isFile":"0"}`, "AAAA-BBBB", false},
	"no file, false in a string":      {`{"key":"AAAA-BBBB","isFile":"FALSE"}`, "AAAA-BBBB", false},
	"no file, an empty string":        {`{"key":"AAAA-BBBB","isFile":""}`, "AAAA-BBBB", false},
	"another name's flag":             {`{"key":"AAAA-BBBB","isfile":true}`, "AAAA-BBBB", false},
	"a number":                        {`{"key":600649123456789012345678}`, "600649123456789012345678", false},
	"a long number":                   {`{"key":` + strings.Repeat("7", 5000) + `}`, strings.Repeat("7", 5000), false},
	"quotes and lines":                {`{"key":"a\"b\r\nc\/d"}`, "a\"b\r\nc/d", false},
	"other scripts":                   {`{"key":"CAFÉ-\u00c9-\ud83d\ude00-鍵"}`, "CAFÉ-É-😀-鍵", false},
	"other members":                   {`{"note":{"a":[1e999]},"key":"AAAA-BBBB","Key":"CCCC"}`, "AAAA-BBBB", false},
	"an error's status":               {`{"status":"ERROR","key":"AAAA-BBBB"}`, "AAAA-BBBB", false},
	"markup in the key":               {`{"key":"<b>AAAA</b>"}`, "<b>AAAA</b>", false},
	"430,080 characters of a file":    {`{"key":"` + strings.Repeat("QUJD", 107_520) + `","isFile":true}`, strings.Repeat("QUJD", 107_520), true},
	"a name that is written in hex":   {`{"\u006bey":"AAAA-BBBB"}`, "AAAA-BBBB", false},
	"a key that looks like an error":  {`{"key":"BR03"}`, "BR03", false},
	"a key that looks like a boolean": {`{"key":"true"}`, "true", false},
}

// unclear are answers that may hold a key, and must be kept as they are.
var unclear = map[string]string{
	"no key":                    `{}`,
	"a key in capitals":         `{"KEY":"AAAA-BBBB"}`,
	"an empty key":              `{"key":""}`,
	"null":                      `{"key":null}`,
	"a list":                    `{"key":["AAAA"]}`,
	"an object":                 `{"key":{"value":"AAAA"}}`,
	"a boolean":                 `{"key":true}`,
	"a fraction":                `{"key":1234.5}`,
	"an exponent":               `{"key":12e3}`,
	"a negative number":         `{"key":-1234}`,
	"two keys":                  `{"key":"AAAA","key":"BBBB"}`,
	"two keys, one in hex":      `{"key":"AAAA","\u006bey":"BBBB"}`,
	"two flags":                 `{"key":"AAAA","isFile":true,"isFile":false}`,
	"a byte of Latin-1":         "{\"key\":\"CAF\xe9-1234\"}",
	"a byte of Latin-1 beside":  "{\"key\":\"AAAA\",\"name\":\"CAF\xe9\"}",
	"half of a surrogate pair":  `{"key":"AB\ud83dCD"}`,
	"the other half":            `{"key":"AB\ude00CD"}`,
	"a replaced character":      `{"key":"AB�CD"}`,
	"a replaced character, hex": `{"key":"AB\ufffdCD"}`,
	"a notice before it":        "Notice: Undefined index in /var/www/key.php on line 7\n" + `{"key":"AAAA"}`,
	"a notice after it":         `{"key":"AAAA"}` + "\n<br />\n<b>Notice</b>: Undefined index",
	"a notice in markup before": "<br />\n<b>Notice</b>: Undefined index<br />\n" + `{"key":"AAAA"}`,
	"two objects":               `{"key":"AAAA"}{"key":"BBBB"}`,
	"the key alone":             `AAAA-BBBB`,
	"the key in quotes":         `"AAAA-BBBB"`,
	"in a list":                 `[{"key":"AAAA"}]`,
	"half of it":                `{"key":"AAAA-BB`,
	"a flag that is a word":     `{"key":"AAAA","isFile":"yes"}`,
	"a flag that is a number":   `{"key":"AAAA","isFile":2}`,
	"a flag that is a fraction": `{"key":"AAAA","isFile":1.0}`,
	"a flag that is a list":     `{"key":"AAAA","isFile":[]}`,
	"a BOM alone":               bom,
	"a BOM twice":               bom + bom + `{"key":"AAAA"}`,
	"UTF-16":                    "\xff\xfe{\x00\"\x00k\x00",
	"space":                     " \n",
	"a zero byte behind":        `{"key":"AAAA"}` + "\x00",
	"deep":                      strings.Repeat(`{"a":`, 20_000),
	"an error":                  `{"status":"ERROR","message":"no","code":"ORD03"}`,
}

func TestReadKey(t *testing.T) {
	for name, test := range understood {
		t.Run(name, func(t *testing.T) {
			for way, body := range map[string]string{"as it is": test.body, "gzipped": gzipped(t, test.body)} {
				key, err := readKey([]byte(body), nil)
				if err != nil || key.Value.Reveal() != test.value || key.IsFile != test.isFile || !key.Raw.IsZero() {
					t.Errorf("%s: key is %.40q, file %v, raw %.40q, error %v", way, key.Value.Reveal(), key.IsFile, key.Raw.Reveal(), err)
				}
			}
		})
	}
	for name, plain := range unclear {
		t.Run(name, func(t *testing.T) {
			for way, body := range map[string]string{"as it is": plain, "gzipped": gzipped(t, plain)} {
				key, err := readKey([]byte(body), nil)
				if err != nil || key.Raw.Reveal() != body || !key.Value.IsZero() || key.IsFile {
					t.Errorf("%s: key is %.40q, raw %.40q, error %v; want it as it is", way, key.Value.Reveal(), key.Raw.Reveal(), err)
				}
			}
		})
	}
}

func TestReadCompressedKey(t *testing.T) {
	const plain = `{"key":"AAAA-BBBB"}`
	whole := gzipped(t, plain)
	bomb := gzipped(t, plain+strings.Repeat(" ", maxBody))
	encoded := http.Header{"Content-Encoding": {"GZIP"}}
	tests := map[string]struct {
		body   string
		header http.Header
		value  string // "" is raw
	}{
		"said to be gzipped, and is":     {whole, encoded, "AAAA-BBBB"},
		"said to be gzipped, and is not": {plain, encoded, "AAAA-BBBB"},
		"gzipped without a word":         {whole, nil, "AAAA-BBBB"},
		"gzipped after a BOM within":     {gzipped(t, bom+plain), nil, "AAAA-BBBB"},
		"gzipped twice":                  {gzipped(t, whole), nil, ""},
		"half of it":                     {whole[:len(whole)/2], encoded, ""},
		"all but its checksum":           {whole[:len(whole)-8], nil, ""},
		"something behind it":            {whole + "x", nil, ""},
		"without its header":             {whole[10:], encoded, ""},
		"deflated":                       {deflated(t, plain), http.Header{"Content-Encoding": {"deflate"}}, ""},
		"more than may be":               {bomb, nil, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			key, err := readKey([]byte(test.body), test.header)
			if err != nil || key.Value.Reveal() != test.value {
				t.Errorf("key is %q, error %v; want %q", key.Value.Reveal(), err, test.value)
			}
			if test.value == "" && key.Raw.Reveal() != test.body {
				t.Errorf("raw is %.40q, want the answer as it is", key.Raw.Reveal())
			}
		})
	}
}

func TestNoKey(t *testing.T) {
	tests := map[string]struct {
		body  string
		isG2A bool
	}{
		"nothing":               {"", true},
		"a page":                {"<!DOCTYPE html><title>Just a moment...</title>", false},
		"a page after space":    {" \r\n\t<html></html>", false},
		"a page after a BOM":    {bom + "<html></html>", false},
		"half a page":           {"<", false},
		"a page, gzipped":       {gzipped(t, "<html></html>"), false},
		"a page with its words": {"<html>your key is in key</html>", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			key, err := readKey([]byte(test.body), nil)
			if err == nil || !key.IsZero() || errors.Is(err, errNotG2A) == test.isG2A {
				t.Errorf("key is zero: %v, error %v", key.IsZero(), err)
			}
		})
	}
}

// FuzzReadKey: an answer is understood exactly as another reader understands it, or kept
// byte for byte, or it is certain to hold no key.
func FuzzReadKey(f *testing.F) {
	for _, each := range understood {
		if len(each.body) < 1000 {
			f.Add([]byte(each.body), "")
			f.Add([]byte(gzipped(f, each.body)), "gzip")
		}
	}
	for _, body := range unclear {
		if len(body) < 1000 {
			f.Add([]byte(body), "")
		}
	}
	f.Add([]byte("<html></html>"), "")
	f.Add([]byte(`<b>"key"`), "")
	f.Add([]byte(""), "gzip")
	f.Add([]byte(deflated(f, `{"key":"AAAA"}`)), "deflate")
	f.Fuzz(func(t *testing.T, body []byte, encoding string) {
		before := bytes.Clone(body)
		key, err := readKey(body, http.Header{"Content-Encoding": {encoding}})
		content := plainly(before, encoding)
		switch {
		case !bytes.Equal(body, before):
			t.Fatal("the answer was changed")
		case err != nil:
			if page := bytes.TrimLeft(content, " \t\r\n"); len(body) > 0 && (page[0] != '<' || bytes.Contains(page, []byte(`"key"`))) || !key.IsZero() {
				t.Fatalf("%v, of %q", err, body)
			}
		case key.Value.IsZero() == key.Raw.IsZero():
			t.Fatal("want either a value or the answer")
		case key.Value.IsZero():
			if key.Raw.Reveal() != string(before) || key.IsFile {
				t.Fatal("raw is not the answer")
			}
			if simple(content) {
				t.Fatalf("%q is not understood", content)
			}
		default:
			assertSame(t, key, content)
		}
	})
}

// plainly returns the content of an answer, uncompressed.
func plainly(body []byte, encoding string) []byte {
	content := body
	if bytes.HasPrefix(body, []byte{0x1f, 0x8b}) || strings.EqualFold(encoding, "gzip") {
		if r, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			if all, err := io.ReadAll(r); err == nil && len(all) <= maxBody {
				content = all
			}
		}
	}
	return bytes.TrimPrefix(content, []byte(bom))
}

// simple reports whether content is an object of the key alone, in characters that leave
// no doubt.
func simple(content []byte) bool {
	inner, isObject := bytes.CutPrefix(content, []byte(`{"key":"`))
	inner, ends := bytes.CutSuffix(inner, []byte(`"}`))
	return isObject && ends && len(inner) > 0 && !bytes.ContainsFunc(inner, func(r rune) bool {
		return r < ' ' || r > '~' || r == '"' || r == '\\'
	})
}

// assertSame reads the content with another reader, token by token.
func assertSame(t *testing.T, key Key, content []byte) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		t.Fatalf("%q is not JSON: %v", content, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("%q has something behind the object", content)
	}
	value := key.Value.Reveal()
	switch found := object["key"].(type) {
	case string:
		if found != value {
			t.Fatalf("value is %q, want %q", value, found)
		}
		literal, err := json.Marshal(value)
		var back string
		if err != nil || json.Unmarshal(literal, &back) != nil || back != value {
			t.Fatalf("%q does not survive JSON", value)
		}
	case json.Number:
		if found.String() != value || strings.Trim(value, "0123456789") != "" {
			t.Fatalf("value is %q, want the digits %s", value, found)
		}
	default:
		t.Fatalf("value is %q, want none of %T", value, found)
	}
	if !utf8.ValidString(value) || strings.ContainsRune(value, utf8.RuneError) || !utf8.Valid(content) {
		t.Fatalf("%q is not what was sent", value)
	}
	if bytes.Count(content, []byte(`"key":`)) > 1 && len(object) == 1 {
		t.Fatalf("%q has two keys", content)
	}
	again, err := readKey(content, nil)
	if err != nil || !again.Value.Equal(key.Value) || again.IsFile != key.IsFile {
		t.Fatalf("read again it is %q, error %v", again.Value.Reveal(), err)
	}
}
