package alarm

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// term is a part of an expression that is added or subtracted: a metric, with what stands
// for a missing datapoint, or a number.
type term struct {
	sign   float64
	id     string // "" is the number
	number float64
	fill   *float64 // nil: a missing datapoint is missing in the result
}

var (
	termPattern = regexp.MustCompile(`^([+-]?)(?:FILL\(([a-z][A-Za-z0-9_]*),([0-9.]+)\)|([a-z][A-Za-z0-9_]*)|([0-9.]+))`)
	spaces      = strings.NewReplacer(" ", "", "\n", "")
)

// readExpression reads sums and differences of metrics, numbers and FILL(metric, number).
func readExpression(text string) (terms []term, err error) {
	for left := spaces.Replace(text); left != ""; {
		parts := termPattern.FindStringSubmatch(left)
		if parts == nil || (parts[1] == "" && len(terms) > 0) {
			return nil, fmt.Errorf("the expression %q is not understood from %q on", text, left)
		}
		left = left[len(parts[0]):]
		next := term{sign: 1, id: parts[2] + parts[4]}
		if parts[1] == "-" {
			next.sign = -1
		}
		if digits := parts[3] + parts[5]; digits != "" {
			if next.number, err = strconv.ParseFloat(digits, 64); err != nil {
				return nil, fmt.Errorf("the expression %q: %w", text, err)
			}
		}
		if parts[2] != "" {
			next.fill = &next.number
		}
		terms = append(terms, next)
	}
	if len(terms) == 0 {
		return nil, fmt.Errorf("the expression %q is empty", text)
	}
	return terms, nil
}

// evaluate computes a datapoint from those of the metrics; false is a missing one.
func evaluate(terms []term, datapoint func(id string) (float64, bool)) (result float64, found bool) {
	for _, t := range terms {
		value := t.number
		if t.id != "" {
			measured, there := datapoint(t.id)
			switch {
			case there:
				value = measured
			case t.fill == nil:
				return 0, false
			}
		}
		result += t.sign * value
	}
	return result, true
}
