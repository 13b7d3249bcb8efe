package g2a_test

import (
	"os"
	"reflect"
	"regexp"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// TestDocumentation: the tables of the package's documentation have every call, every
// code and every kind of error.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^//\t(GET|POST|PUT|PATCH|-|[A-Z]+[0-9]+,?|[a-z]+_client) .*$`).FindAllString(string(text), -1)
	told := func(word string) bool {
		whole := regexp.MustCompile(`(^|[\s,])` + regexp.QuoteMeta(word) + `($|[\s,])`)
		for _, row := range rows {
			if whole.MatchString(row) {
				return true
			}
		}
		return false
	}
	client := reflect.TypeFor[*g2a.Client]()
	for i := range client.NumMethod() {
		if name := client.Method(i).Name; !told(name) {
			t.Errorf("the call %s is in no table", name)
		}
	}
	for _, code := range []string{
		"AUTH01", "AUTH02", "AUTH03", "AUTH04", "BR01", "BR02", "BR03", "ORD02", "ORD004", "ORD03", "ORD05", "ORD112", "ORD114", "ORD121", "ORD122",
		"invalid_client", "unauthorized_client",
		"ErrThrottled", "ErrUnavailable", "ErrMalformedAnswer", "ErrCredentialsRejected", "ErrInvalidRequest", "ErrNotFound",
		"ErrKeyAlreadyDownloaded", "ErrPaymentNotReady", "ErrPaymentRequired", "ErrInsufficientFunds", "ErrTooLateToPay", "ErrPaymentLimit",
	} {
		if !told(code) {
			t.Errorf("the error %s is in no table", code)
		}
	}
}
