// Package alarm evaluates the template's alarms as CloudWatch does, over metrics that are
// given to it: what was recorded of the functions, stretched over minutes.
//
// The rules are those of CloudWatch's documentation of alarm evaluation. An alarm is
// evaluated each minute, over a window that slides. It looks at two datapoints more than
// its evaluation periods, and only where fewer than those are there does it matter how
// missing data are treated. The documentation leaves open how many more there are; two
// is the number of its examples.
//
// Of metric math it knows what the template uses: sums and differences of metrics, of
// numbers and of FILL with a number. Percentiles are not known: the template has none.
//
// It imports the local cloud's template reader, and nothing else of the project.
package alarm
