package g2a

import (
	"fmt"
	"regexp"

	"github.com/shopspring/decimal"
)

// Money is an exact amount in a currency (ISO 4217, upper case).
type Money struct {
	Amount   decimal.Decimal
	Currency string
}

// amountPattern keeps amounts to what a price can be: no sign, no exponent, and
// few enough digits that no arithmetic on them is expensive.
var (
	amountPattern   = regexp.MustCompile(`^[0-9]{1,12}(\.[0-9]{1,6})?$`)
	currencyPattern = regexp.MustCompile(`^[A-Z]{3}$`)
)

// ParseMoney reads an amount such as "12.50" and a currency such as "EUR". The
// amount is not negative and has no exponent.
func ParseMoney(amount, currency string) (Money, error) {
	if !amountPattern.MatchString(amount) {
		return Money{}, fmt.Errorf("amount %.40q is not a decimal of at most 12 digits and 6 places", amount)
	}
	if !currencyPattern.MatchString(currency) {
		return Money{}, fmt.Errorf("currency %.40q is not three upper-case letters", currency)
	}
	value, err := decimal.NewFromString(amount)
	if err != nil {
		return Money{}, fmt.Errorf("amount %.40q: %w", amount, err)
	}
	return Money{Amount: value, Currency: currency}, nil
}

// AtMost reports whether m is not more than limit. Amounts in different
// currencies cannot be compared and are never at most one another.
func (m Money) AtMost(limit Money) bool {
	return m.Currency == limit.Currency && m.Amount.LessThanOrEqual(limit.Amount)
}

// IsZero reports whether m is the zero value: no amount and no currency.
func (m Money) IsZero() bool { return m.Currency == "" && m.Amount.IsZero() }

// String returns the amount with at least two places and the currency: "4.90 EUR".
func (m Money) String() string { return m.Text() + " " + m.Currency }

// Text returns the amount alone with at least two places: "4.90".
func (m Money) Text() string {
	return m.Amount.StringFixed(max(2, -m.Amount.Exponent()))
}
