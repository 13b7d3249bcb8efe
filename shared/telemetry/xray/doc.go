// Package xray traces with AWS X-Ray. It stands apart from telemetry so that only
// the functions that trace carry its SDK, which costs a cold start milliseconds.
//
// It imports package telemetry's Tracer by shape alone, and the X-Ray SDK, which no other
// package does.
package xray
