package g2a_test

import (
	"errors"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/contracts/contracttest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// TestDocumentation: the tables of the package's documentation have every call, every
// code and every kind of error.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^//\t(GET|POST|PUT|PATCH|DELETE|-|[A-Z]+[0-9]+,?|[a-z]+_client|another|not|no) .*$`).FindAllString(string(text), -1)
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
		"AUTH01", "AUTH02", "AUTH03", "AUTH04", "BR01", "BR02", "BR03", "ORD01", "ORD02", "ORD004", "ORD04", "ORD03", "ORD05", "ORD112", "ORD114", "ORD121", "ORD122",
		"invalid_client", "unauthorized_client",
		"ErrThrottled", "ErrUnavailable", "ErrMalformedAnswer", "ErrCredentialsRejected", "ErrInvalidRequest", "ErrNotFound", "ErrExists",
		"ErrKeyAlreadyDownloaded", "ErrPaymentNotReady", "ErrPaymentRequired", "ErrInsufficientFunds", "ErrTooLateToPay", "ErrPaymentLimit",
	} {
		if !told(code) {
			t.Errorf("the error %s is in no table", code)
		}
	}
}

// TestCallTables: every row names a route of the contract and methods of the client, and
// has a source of the legend and a confidence.
func TestCallTables(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, calls, _ := strings.Cut(string(text), "// # Calls\n")
	calls, legend, _ := strings.Cut(calls, "// The source is")
	row := regexp.MustCompile(`(?m)^//\t([A-Z]+) +(/\S*) +([A-Z]\w+(?:, (?:with )?[A-Z]\w+)*) +(\S.*?) +(freely|429) +([a-z]+(?:, [a-z]+)*) +(high|medium|low)$`)
	client := reflect.TypeFor[*g2a.Client]()
	for _, of := range []struct {
		api, base string
		rows      int
	}{{"The Export API v1", "/v1", 5}, {"The Export API v2", "/export/v1", 5}, {"The Import API", "", 15}, {"The token endpoint", "", 2}} {
		t.Run(of.api, func(t *testing.T) {
			_, table, _ := strings.Cut(calls, "// "+of.api)
			table, _, _ = strings.Cut(table, "//\n// The ")
			rows := row.FindAllStringSubmatch(table, -1)
			if len(rows) != of.rows || strings.Count(table, "//\t") != of.rows+1 {
				t.Errorf("%d of %d rows are of the form, want %d below a heading", len(rows), strings.Count(table, "//\t"), of.rows)
			}
			for _, cells := range rows {
				method, path, names, sources := cells[1], of.base+cells[2], cells[3], cells[6]
				if path == "/token" {
					path = "/v1" + path
				}
				assertRoute(t, method, path)
				names, _, _ = strings.Cut(names, ", with ")
				for _, name := range strings.Split(names, ", ") {
					if _, exists := client.MethodByName(name); !exists {
						t.Errorf("%s %s: the client has no %s", method, path, name)
					}
				}
				for _, source := range strings.Split(sources, ", ") {
					if !strings.Contains(legend, "//\t"+strings.TrimSuffix(source, "s")) {
						t.Errorf("%s %s: the source %s is not explained", method, path, source)
					}
				}
			}
		})
	}
}

// assertRoute checks that the contract has a route.
func assertRoute(t *testing.T, method, path string) {
	t.Helper()
	target := regexp.MustCompile(`{\w+}`).ReplaceAllString(path, "00000000-0000-4000-8000-000000000001")
	r, err := http.NewRequestWithContext(t.Context(), method, "https://g2a.test"+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if contracttest.G2A().Operation(r) == "" {
		t.Errorf("%s %s is not in the contract", method, path)
	}
}

// TestErrorTable holds the table of errors against the client: of each row with a status,
// the kind and the outcome.
func TestErrorTable(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]error{}
	for i, name := range []string{
		"ErrThrottled", "ErrUnavailable", "ErrMalformedAnswer", "ErrCredentialsRejected", "ErrInvalidRequest", "ErrNotFound", "ErrExists",
		"ErrKeyAlreadyDownloaded", "ErrPaymentNotReady", "ErrPaymentRequired", "ErrInsufficientFunds", "ErrTooLateToPay", "ErrPaymentLimit",
	} {
		named[name] = kinds[i]
	}
	held := 0
	row := regexp.MustCompile(`(?m)^//\t(\S.*?)  +([0-9][0-9x, ]*?)  +(Err\w+) +(not done|done|unknown)(\*?) `)
	for _, match := range row.FindAllStringSubmatch(string(text), -1) {
		codes, statuses, kind, outcome, starred := match[1], match[2], named[match[3]], match[4], match[5] != ""
		for _, code := range strings.Split(codes, ", ") {
			for _, status := range strings.Split(strings.ReplaceAll(statuses, "xx", "09"), ", ") {
				number, err := strconv.Atoi(status)
				if err != nil {
					t.Fatal(err)
				}
				held++
				assertRow(t, code, number, kind, outcome, starred)
			}
		}
	}
	if held < 25 {
		t.Errorf("%d cases, want those of every row", held)
	}
}

// assertRow checks one status of one row.
func assertRow(t *testing.T, code string, status int, kind error, outcome string, starred bool) {
	t.Helper()
	said := body(code)
	switch code {
	case "-":
		said = `{"status":"ERROR","message":"no"}`
	case "not G2A's":
		said = "<html>"
	case "not understood":
		said = "?"
	}
	for _, of := range []call{details, create, pay, key} {
		want := outcome
		switch {
		case code == "not understood" && of.name == key.name:
			continue // it is kept
		case of.name == pay.name && starred, (code == "ORD004" || code == "ORD04") && of.name != pay.name && of.name != key.name:
			want = g2a.OutcomeUnknown.String()
		}
		err := of.make(t.Context(), newClient(&script{replies: []reply{answer(status, said, "Retry-After: 60")}}))
		if !errors.Is(err, kind) || g2a.OutcomeOf(err).String() != want {
			t.Errorf("%s, %d %s: error is %v, %v; want %v, %s", of.name, status, code, err, g2a.OutcomeOf(err), kind, want)
		}
	}
}
