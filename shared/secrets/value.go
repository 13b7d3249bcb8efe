package secrets

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// byteOrderMark is what some editors begin a file with. The AWS CLI sends it along
// from --secret-string file://.
const byteOrderMark = '\ufeff'

// parse reads a secret's value. What people add to one unawares, a byte order mark and
// white space around a field, is no part of a credential: it is trimmed, and reported.
// The errors repeat nothing of the value.
func parse(value *string) (credentials g2a.Credentials, trimmed bool, err error) {
	if value == nil {
		return g2a.Credentials{}, false, errors.New("is not a string")
	}
	trim := func(s string) string {
		bare := strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == byteOrderMark })
		trimmed = trimmed || bare != s
		return bare
	}
	text, marked := strings.CutPrefix(*value, string(byteOrderMark))
	trimmed = marked
	var fields struct {
		Key  string `json:"api_key"`
		Hash string `json:"api_hash"`
	}
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		return g2a.Credentials{}, false, errors.New(`is not a JSON object {"api_key","api_hash"}`)
	}
	credentials = g2a.Credentials{Hash: g2a.NewSecret(trim(fields.Hash)), Key: g2a.NewSecret(trim(fields.Key))}
	if err := credentials.Validate(); err != nil {
		return g2a.Credentials{}, false, err
	}
	return credentials, trimmed, nil
}
