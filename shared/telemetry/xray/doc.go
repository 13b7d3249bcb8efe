// Package xray traces with AWS X-Ray. It has two implementations of telemetry.Tracer, one
// of which is compiled: by default the one on the X-Ray SDK, and with the build tag
// lighttrace one that writes the daemon's datagrams itself and has no dependency. Both
// send the same spans.
//
// It stands apart from telemetry so that only the functions that trace with the SDK carry
// it. It imports package telemetry, and the X-Ray SDK, which no other package does.
package xray
