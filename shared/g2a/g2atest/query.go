package g2atest

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/shopspring/decimal"
)

// maxWhole keeps page numbers and quantities far from overflow.
const maxWhole = 1_000_000

func readWhole(value string, least int, into *int) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > maxWhole {
		return fmt.Errorf("must be a whole number from %d to %d", least, maxWhole)
	}
	*into = n
	return nil
}

func readPrice(value string, into **decimal.Decimal) error {
	price, err := parsePrice(value)
	if err != nil {
		return errors.New("must be a price such as 12.50")
	}
	*into = &price
	return nil
}

func readTime(value string, into **time.Time) error {
	t, err := parseTime(value)
	if err != nil {
		return errors.New("must be a time such as 2024-01-31 18:30:00")
	}
	*into = &t
	return nil
}

// parseTime reads a time as G2A writes them. time.Parse alone would take fractions
// of a second, too.
func parseTime(value string) (time.Time, error) {
	t, err := time.Parse(time.DateTime, value)
	if err != nil || t.Format(time.DateTime) != value {
		return time.Time{}, fmt.Errorf("want yyyy-mm-dd hh:mm:ss, found %.40q", value)
	}
	return t, nil
}

func readBool(value string, into *bool) error {
	b, err := strconv.ParseBool(value)
	if err != nil {
		return errors.New("must be true or false")
	}
	*into = b
	return nil
}
