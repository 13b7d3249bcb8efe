package g2a_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

const hidden = "hunter2-hunter2"

func TestSecretIsNeverPrinted(t *testing.T) {
	secret := g2a.NewSecret(hidden)
	type exported struct{ S g2a.Secret }
	type pointing struct{ P *g2a.Secret }
	type unexported struct{ s g2a.Secret }
	type deep struct{ inner struct{ p *unexported } }
	hiding := deep{}
	hiding.inner.p = &unexported{secret}

	print := func(format string, value any) func() string {
		return func() string { return fmt.Sprintf(format, value) }
	}
	tests := []struct {
		name string
		text func() string
		says bool // it says [redacted]; fmt prints what is unexported as an address
	}{
		{"String", secret.String, true},
		{"pointer", print("%v", &secret), true},
		{"nil pointer", print("%v", (*g2a.Secret)(nil)), false},
		{"struct", print("%v", exported{secret}), true},
		{"struct with %+v", print("%+v", exported{secret}), true},
		{"struct with %#v", print("%#v", exported{secret}), true},
		{"struct with %s", print("%s", exported{secret}), true},
		{"struct with %d", print("%d", exported{secret}), true},
		{"pointer to struct", print("%+v", &exported{secret}), true},
		{"pointer in struct", print("%v", pointing{&secret}), true},
		{"pointer in struct with %#v", print("%#v", pointing{&secret}), true},
		{"unexported field", print("%v", unexported{secret}), false},
		{"unexported field with %+v", print("%+v", unexported{secret}), false},
		{"unexported field with %#v", print("%#v", unexported{secret}), false},
		{"unexported field with %s", print("%s", unexported{secret}), false},
		{"unexported field with %x", print("%x", unexported{secret}), false},
		{"deep", print("%#v", hiding), false},
		{"slice", print("%v", []g2a.Secret{secret}), true},
		{"slice with %q", print("%q", []g2a.Secret{secret}), true},
		{"map value", print("%v", map[string]g2a.Secret{"a": secret}), true},
		{"map key", print("%v", map[g2a.Secret]int{secret: 1}), true},
		{"interface", print("%v", any(secret)), true},
		{"credentials", print("%+v", g2a.Credentials{Hash: secret, Key: secret}), true},
		{"token", print("%+v", g2a.Token{Access: secret}), true},
		{"key", print("%#v", g2a.Key{Value: secret}), true},
		{"error", func() string { return fmt.Errorf("with %v: %w", secret, errors.New("x")).Error() }, true},
		{"print", func() string { return fmt.Sprint(secret) }, true},
		{"println", func() string { return fmt.Sprintln(secret) }, true},
		{"wrong verb", print("%!", secret), true},
		{"wrong width", func() string { return fmt.Sprintf("%[3]*.[2]*[1]f", secret, 2, 6) }, true},
		{"reflect", func() string { return fmt.Sprint(reflect.ValueOf(secret)) }, true},
		{"JSON", marshalled(json.Marshal, exported{secret}), true},
		{"JSON of a pointer", marshalled(json.Marshal, pointing{&secret}), true},
		{"JSON of a map key", marshalled(json.Marshal, map[g2a.Secret]int{secret: 1}), true},
		{"JSON of an unexported field", marshalled(json.Marshal, unexported{secret}), false},
		{"XML", marshalled(xml.Marshal, exported{secret}), true},
		{"YAML", marshalled(yaml.Marshal, exported{secret}), true},
		{"text", marshalled(func(any) ([]byte, error) { return secret.MarshalText() }, nil), true},
	}
	for _, verb := range "vTtbcdoOqxXUeEfFgGsp!z" {
		for _, flags := range []string{"", "+", "#", "-20", "020", " ", ".3"} {
			format := "%" + flags + string(verb)
			tests = append(tests, struct {
				name string
				text func() string
				says bool
			}{"fmt " + format, print(format, secret), !strings.ContainsRune("Tp", verb)})
		}
	}
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
	} {
		for what, value := range map[string]any{
			"alone": secret, "pointer": &secret, "struct": exported{secret}, "slice": []g2a.Secret{secret},
			"map": map[string]g2a.Secret{"a": secret}, "group": slog.GroupValue(slog.Any("s", secret)),
		} {
			tests = append(tests, struct {
				name string
				text func() string
				says bool
			}{name + " " + what, func() string {
				var b bytes.Buffer
				slog.New(handler(&b)).Info("message", "value", value)
				return b.String()
			}, true})
		}
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := test.text()
			for _, form := range []string{hidden, fmt.Sprintf("%x", hidden), fmt.Sprintf("%X", hidden), "hunter", fmt.Sprint([]byte(hidden))} {
				if strings.Contains(text, form) {
					t.Errorf("tells the secret: %s", text)
				}
			}
			if test.says != strings.Contains(text, "[redacted]") {
				t.Errorf("says %q, want [redacted] in it: %v", text, test.says)
			}
		})
	}
}

func marshalled(marshal func(any) ([]byte, error), value any) func() string {
	return func() string {
		text, err := marshal(value)
		if err != nil {
			return "error: " + err.Error()
		}
		return string(text)
	}
}

// TestHandlersAreGivenNoSecret: a handler of another kind, which might reflect, is
// given the text alone.
func TestHandlersAreGivenNoSecret(t *testing.T) {
	if got := slog.AnyValue(g2a.NewSecret(hidden)).Resolve().Any(); got != "[redacted]" {
		t.Errorf("a handler is given %#v", got)
	}
}

func TestSecret(t *testing.T) {
	if got := g2a.NewSecret(hidden).Reveal(); got != hidden {
		t.Errorf("Reveal gives %q", got)
	}
	if zero := (g2a.Secret{}); !zero.IsZero() || !g2a.NewSecret("").IsZero() || zero.Reveal() != "" || zero.String() != "[redacted]" {
		t.Error("the zero Secret is not the absent one")
	}
	if g2a.NewSecret("a").IsZero() {
		t.Error("a secret is absent")
	}
	tests := []struct {
		name string
		a, b string
		want bool
	}{
		{"same", "abc", "abc", true},
		{"other", "abc", "abd", false},
		{"prefix", "abc", "ab", false},
		{"absent and not", "", "a", false},
		{"both absent", "", "", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := g2a.NewSecret(test.a).Equal(g2a.NewSecret(test.b)); got != test.want {
				t.Errorf("Equal is %v", got)
			}
		})
	}
}
