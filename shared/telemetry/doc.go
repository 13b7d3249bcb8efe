// Package telemetry is what the functions tell about themselves: log lines and
// CloudWatch metrics as JSON on standard output, and traces.
//
// It imports package g2a, whose calls it observes.
package telemetry
