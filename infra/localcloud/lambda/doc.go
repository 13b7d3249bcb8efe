// Package lambda runs compiled functions as AWS Lambda runs them: each instance is
// a process that fetches its invocations from a Runtime API of its own, one at a
// time, with the environment Lambda gives it, and is killed at the function's
// time-out. Service is the pools of instances; Service.API is Lambda's Invoke API
// in front of them.
//
// Unlike Lambda it does not enforce the memory size, does not freeze a process
// between invocations, gives an init phase 10 seconds and no second try, and makes
// an asynchronous invocation once instead of up to three times.
//
// It imports nothing of the project.
package lambda
