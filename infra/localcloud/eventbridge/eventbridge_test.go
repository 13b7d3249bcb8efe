package eventbridge

import (
	"strings"
	"testing"
)

const record = `{"eventName":"MODIFY","dynamodb":{"Keys":{"sk":{"S":"STATUS"}},"NewImage":{"order_ref":{"S":"a\"b"},"n":{"N":1.50},"list":["x","y"]}}}`

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		name, pattern string
		want          bool
	}{
		{"equal", `{"eventName":["MODIFY"]}`, true},
		{"one of two", `{"eventName":["INSERT","MODIFY"]}`, true},
		{"none of two", `{"eventName":["INSERT","REMOVE"]}`, false},
		{"deep", `{"dynamodb":{"Keys":{"sk":{"S":["STATUS"]}}}}`, true},
		{"deep, and not equal", `{"dynamodb":{"Keys":{"sk":{"S":["ORDER"]}}}}`, false},
		{"both fields", `{"eventName":["MODIFY"],"dynamodb":{"Keys":{"sk":{"S":["STATUS"]}}}}`, true},
		{"one of both fields", `{"eventName":["INSERT"],"dynamodb":{"Keys":{"sk":{"S":["STATUS"]}}}}`, false},
		{"exists", `{"dynamodb":{"NewImage":{"order_ref":{"S":[{"exists":true}]}}}}`, true},
		{"does not exist, and should", `{"dynamodb":{"NewImage":{"status":{"S":[{"exists":true}]}}}}`, false},
		{"exists, and should not", `{"dynamodb":{"NewImage":{"order_ref":{"S":[{"exists":false}]}}}}`, false},
		{"does not exist", `{"dynamodb":{"OldImage":{"status":{"S":[{"exists":false}]}}}}`, true},
		{"an object is no value", `{"dynamodb":{"NewImage":[{"exists":true}]}}`, false},
		{"number as it is written", `{"dynamodb":{"NewImage":{"n":{"N":[1.50]}}}}`, true},
		{"text for a number", `{"dynamodb":{"NewImage":{"n":{"N":["1.50"]}}}}`, false},
		{"an element of a list", `{"dynamodb":{"NewImage":{"list":["y"]}}}`, true},
		{"a field of a text", `{"eventName":{"S":["MODIFY"]}}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := ParsePattern([]byte(c.pattern))
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Matches([]byte(record)); got != c.want {
				t.Errorf("matches: %t, want %t", got, c.want)
			}
			if p.Matches([]byte("not JSON")) {
				t.Error("matches what is no event")
			}
		})
	}
}

func TestPatternRefused(t *testing.T) {
	for pattern, want := range map[string]string{
		``:                              "reading JSON",
		`[]`:                            "is an object",
		`{}`:                            "$: an event pattern is not empty",
		`{"a":{}}`:                      "$.a: an event pattern is not empty",
		`{"a":"b"}`:                     "$.a: an event pattern has objects and lists only",
		`{"a":{"b":[]}}`:                "$.a.b: nothing is in the list",
		`{"a":[[1]]}`:                   "$.a: a list in a list",
		`{"a":[{"prefix":"x"}]}`:        "$.a: of the comparisons only exists",
		`{"a":[{"exists":"yes"}]}`:      "$.a: of the comparisons only exists",
		`{"a":[{"exists":true,"b":1}]}`: "$.a: of the comparisons only exists",
	} {
		if _, err := ParsePattern([]byte(pattern)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", pattern, err, want)
		}
	}
}

func TestInput(t *testing.T) {
	for _, c := range []struct {
		name, template string
		paths          map[string]string
		want           string
	}{
		{"a pipe's", `{"ref": <$.dynamodb.NewImage.order_ref.S>, "n": <$.dynamodb.NewImage.n.N>}`, nil, `{"ref": "a\"b", "n": 1.50}`},
		{"a rule's", `{"ref": <ref>}`, map[string]string{"ref": "$.dynamodb.NewImage.order_ref.S"}, `{"ref": "a\"b"}`},
		{"without variables", `{"a": "b"}`, nil, `{"a": "b"}`},
		{"an object", `{"keys": <$.dynamodb.Keys>}`, nil, `{"keys": {"sk":{"S":"STATUS"}}}`},
		{"nothing there", `{"ref": <$.dynamodb.OldImage.order_ref.S>}`, nil, `{"ref": ""}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := ParseInput(c.template, c.paths)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := in.Of([]byte(record)); err != nil || string(got) != c.want {
				t.Errorf("%s, %v; want %s", got, err, c.want)
			}
		})
	}
	if _, err := (Input{}).Of([]byte("{")); err == nil {
		t.Error("takes what is no event")
	}
}

func TestInputRefused(t *testing.T) {
	for _, c := range []struct {
		template string
		paths    map[string]string
		want     string
	}{
		{`{"a": <b>}`, nil, `<b> has the path "b"`},
		{`{"a": <b>}`, map[string]string{"c": "$.c"}, `<b> has the path ""`},
		{`{"a": <$.b[0]>}`, nil, `<$.b[0]> has the path "$.b[0]"`},
		{`{"a": <aws.pipes.pipe-name>}`, nil, `<aws.pipes.pipe-name> has the path`},
		{`Order <$.a>`, nil, "only a template of JSON"},
	} {
		if _, err := ParseInput(c.template, c.paths); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.template, err, c.want)
		}
	}
}
