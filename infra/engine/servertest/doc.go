// Package servertest starts the servers that tests need and that are programs of
// their own: an engine, an interpreter. They end with the test's process, however
// that ends.
//
// It imports nothing of the project; only tests' engines import it.
package servertest
