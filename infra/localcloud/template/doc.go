// Package template reads a SAM template into what the local cloud runs: functions
// with their routes, schedules and rules, tables, secrets, state machines and pipes.
//
// Conditions and Rules are evaluated with the parameters: what they leave out is not read.
//
// What a template may hold and the local cloud has no counterpart for is named in
// properties.go. Everything else that is not understood is an error with its place:
// nothing that changes what runs is dropped in silence.
//
// It imports package eventbridge, whose patterns and templates a stack holds.
package template
