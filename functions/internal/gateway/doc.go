// Package gateway is the edge between an API Gateway HTTP API and a function's
// http.Handler. It uses aws-lambda-go-api-proxy, and guards in one place what that cannot
// do: it refuses events that are not HTTP requests, and dispatches by the route that the
// gateway has matched, whatever prefix a stage or a mapping puts before the path.
//
// It may import package function, shared packages and the adapter; the functions that
// serve HTTP import it.
package gateway
