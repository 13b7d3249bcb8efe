// Package httpapi is an API Gateway HTTP API whose routes are Lambda functions: an
// http.Handler that speaks payload format 2.0 with them.
//
// Unlike API Gateway it does not throttle by rate.
//
// It imports package lambda, which its routes call.
package httpapi
