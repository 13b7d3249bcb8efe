// Package lambdatest is a Lambda function to test the local cloud with. The test
// binary itself is the function: Main serves it where Lambda's Runtime API is there
// to be served, and runs the tests elsewhere.
//
// It imports nothing of the project; only tests import it.
package lambdatest
