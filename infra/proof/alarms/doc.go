// Package alarms proves which of the template's alarms goes off at which fault, and how
// soon: a fault is made in the local cloud of the real binaries, the metrics that they
// emit are recorded, stretched over simulated minutes at a stated rate of traffic, and
// replayed through the evaluator of CloudWatch's rules.
//
// AWS's own metrics are derived from what became of the invocations. What AWS alone can
// measure, such as DynamoDB's own errors, is not: no fault here is noticed by it.
//
// It imports the proofs' stack, the engines, the evaluator and shared packages, under the
// build tag proof.
package alarms
