package g2a_test

import (
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

func TestParseMoney(t *testing.T) {
	tests := []struct {
		name             string
		amount, currency string
		text             string // "" is an error
		problem          string
	}{
		{"two places", "12.50", "EUR", "12.50", ""},
		{"one place", "12.5", "EUR", "12.50", ""},
		{"whole", "12", "EUR", "12.00", ""},
		{"zero", "0", "EUR", "0.00", ""},
		{"six places", "0.123456", "EUR", "0.123456", ""},
		{"twelve digits", "999999999999.999999", "USD", "999999999999.999999", ""},
		{"what no float holds", "0.1", "EUR", "0.10", ""},
		{"seven places", "0.1234567", "EUR", "", "amount"},
		{"thirteen digits", "1234567890123", "EUR", "", "amount"},
		{"negative", "-1", "EUR", "", "amount"},
		{"signed", "+1", "EUR", "", "amount"},
		{"exponent", "1e3", "EUR", "", "amount"},
		{"empty", "", "EUR", "", "amount"},
		{"comma", "12,50", "EUR", "", "amount"},
		{"no whole part", ".50", "EUR", "", "amount"},
		{"no places after the point", "12.", "EUR", "", "amount"},
		{"space", " 12", "EUR", "", "amount"},
		{"line break at the end", "12\n", "EUR", "", "amount"},
		{"other digits", "١٢", "EUR", "", "amount"},
		{"not a number", "NaN", "EUR", "", "amount"},
		{"lower-case currency", "12", "eur", "", "currency"},
		{"no currency", "12", "", "", "currency"},
		{"long currency", "12", "EURO", "", "currency"},
		{"currency with a line break", "12", "EUR\n", "", "currency"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := g2a.ParseMoney(test.amount, test.currency)
			if test.problem != "" {
				if err == nil || !strings.HasPrefix(err.Error(), test.problem) || !m.IsZero() {
					t.Errorf("got %v and error %v, want one of the %s", m, err, test.problem)
				}
				return
			}
			if err != nil || m.Text() != test.text || m.String() != test.text+" "+test.currency {
				t.Errorf("got %q, error %v; want %q", m.String(), err, test.text)
			}
		})
	}
	if _, err := g2a.ParseMoney(strings.Repeat("9", 1<<20), "EUR"); err == nil || len(err.Error()) > 200 {
		t.Error("a long amount gives a long error, or none")
	}
}

func TestAtMost(t *testing.T) {
	tests := []struct {
		name     string
		m, limit g2a.Money
		want     bool
	}{
		{"below", money("12.49"), money("12.50"), true},
		{"equal", money("12.50"), money("12.50"), true},
		{"equal, written otherwise", money("12.5"), money("12.500"), true},
		{"above by the least", money("12.500001"), money("12.50"), false},
		{"another currency", g2a.Money{Amount: decimal.NewFromInt(1), Currency: "USD"}, money("12.50"), false},
		{"no currency", g2a.Money{Amount: decimal.NewFromInt(1)}, money("12.50"), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.m.AtMost(test.limit); got != test.want {
				t.Errorf("%v at most %v is %v", test.m, test.limit, got)
			}
		})
	}
}

func TestMoneyIsZero(t *testing.T) {
	if !(g2a.Money{}).IsZero() || money("0").IsZero() || (g2a.Money{Amount: decimal.NewFromInt(1)}).IsZero() {
		t.Error("only no amount with no currency is the zero Money")
	}
	if got := (g2a.Money{Amount: decimal.New(5, 2), Currency: "EUR"}).Text(); got != "500.00" {
		t.Errorf("5e2 is %q", got)
	}
}
