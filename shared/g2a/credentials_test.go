package g2a_test

import (
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// TestDeriveKey goes by the account that G2A publishes for its sandbox.
func TestDeriveKey(t *testing.T) {
	secret := strings.Repeat("b0d293f6-e1d2-4629-8264-fd63b5af3207", 2)
	got := g2a.DeriveKey(g2a.NewSecret("qdaiciDiyMaTjxMt"), "sandboxapitest@g2a.com", g2a.NewSecret(secret))
	if want := "74026b3dc2c6db6a30a73e71cdb138b1e1b5eb7a97ced46689e2d28db1050875"; got.Reveal() != want {
		t.Errorf("key is %s, want %s", got.Reveal(), want)
	}
}

func TestFingerprint(t *testing.T) {
	of := func(hash, key string) string {
		return g2a.Credentials{Hash: g2a.NewSecret(hash), Key: g2a.NewSecret(key)}.Fingerprint()
	}
	tests := []struct {
		name      string
		hash, key string
		same      bool
	}{
		{"the same", "hash", "key", true},
		{"another hash", "hasi", "key", false},
		{"another key", "hash", "kez", false},
		{"the other way round", "key", "hash", false},
		{"another border", "has", "hkey", false},
		{"another border, with a digit", "4:hash", "key", false},
		{"none", "", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := of(test.hash, test.key)
			if (got == of("hash", "key")) != test.same || len(got) != 16 || strings.Trim(got, "0123456789abcdef") != "" {
				t.Errorf("fingerprint is %q, same: %v", got, !test.same)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name      string
		hash, key string
		want      string
	}{
		{"good", "hash", "key", ""},
		{"no hash", "", "key", "the API hash is missing"},
		{"no key", "hash", "", "the API key is missing"},
		{"nothing", "", "", "the API hash is missing"},
		{"malformed hash", "hunter2\n", "key", "the API hash holds a character that no credential has (only printable ASCII without space and comma)"},
		{"malformed key", "hash", "hunter2,", "the API key holds a character that no credential has (only printable ASCII without space and comma)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := g2a.Credentials{Hash: g2a.NewSecret(test.hash), Key: g2a.NewSecret(test.key)}.Validate()
			if (err == nil) != (test.want == "") || (err != nil && err.Error() != test.want) {
				t.Errorf("error is %v, want %q", err, test.want)
			}
		})
	}
}
