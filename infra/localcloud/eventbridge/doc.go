// Package eventbridge is the part of Amazon EventBridge that a pipe and a rule need:
// event patterns, and templates that make a target's input of an event. Events are
// JSON.
//
// It imports nothing of the project.
package eventbridge
