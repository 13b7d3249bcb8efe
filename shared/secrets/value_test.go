package secrets_test

import (
	"strings"
	"testing"
	"time"
)

func TestTrimmed(t *testing.T) {
	const mark = "\ufeff"
	tests := []struct {
		name, value string
		warnings    int
	}{
		{"as it should be", v1, 0},
		{"white space between the fields", " {\n\t\"api_key\": \"key-v1\",\r\n\t\"api_hash\": \"hash-v1\"\n}\n", 0},
		{"a byte order mark", mark + v1, 1},
		{"a line break at the end of a field", `{"api_key":"key-v1\n","api_hash":"hash-v1"}`, 1},
		{"white space around both fields", `{"api_key":" \tkey-v1","api_hash":"\u00a0hash-v1\r\n"}`, 1},
		{"byte order marks in a field", `{"api_key":"key-v1","api_hash":"\ufeffhash-v1"}`, 1},
		{"all at once", mark + `{"api_key":" key-v1 ","api_hash":" hash-v1 "}`, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture("", "")
			warned := func() int { return strings.Count(f.log.String(), "it was trimmed") }
			f.store(stored{value: test.value, id: "id-1"}, stored{value: v0, id: "id-0"})
			for range 3 {
				c, err := f.credentials.Credentials(t.Context())
				if err != nil || c.Hash.Reveal() != "hash-v1" || c.Key.Reveal() != "key-v1" {
					t.Errorf("error %v, or other credentials", err)
				}
				f.wait(5 * time.Minute)
			}
			if f.reads() != 3 || warned() != test.warnings {
				t.Errorf("%d warnings in %d reads, want %d: %s", warned(), f.reads(), test.warnings, f.log.String())
			}
			// It becomes the previous one, and one of the same form is put.
			f.store(stored{value: mark + v2, id: "id-2"}, stored{value: test.value, id: "id-1"})
			f.expectHashes(t, "rotated", f.credentials.Hashes, "hash-v2 hash-v1", 2)
			if warned() != test.warnings+1 {
				t.Errorf("%d warnings, want one more, for the new version: %s", warned(), f.log.String())
			}
			f.store(stored{value: mark + v2, id: "id-3"}, stored{value: mark + v2, id: "id-2"})
			f.wait(5 * time.Minute)
			f.expectHashes(t, "put once more", f.credentials.Hashes, "hash-v2 hash-v2", 2)
			if warned() != test.warnings+2 || !strings.Contains(f.log.String(), "version_id=id-3") {
				t.Errorf("%d warnings, want one more, for the new version: %s", warned(), f.log.String())
			}
			for _, value := range []string{"key-v", "hash-v"} {
				if strings.Contains(f.log.String(), value) {
					t.Errorf("the log repeats the value: %s", f.log.String())
				}
			}
		})
	}
}
