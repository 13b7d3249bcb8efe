// Package moto runs moto's server for tests: an interpreter of state machines and a
// Secrets Manager that are not this project's own. The fetch beside it makes the
// Python environment that it runs in.
//
// It imports package servertest; only tests import it.
package moto
