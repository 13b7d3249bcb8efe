// Package secrets reads G2A's credentials from Secrets Manager and follows their
// rotation.
//
// A value is cached for five minutes. Where Secrets Manager fails or hangs, the value in
// hand serves, and nobody waits for more than a second.
//
// It imports package g2a and the SDK's Secrets Manager.
package secrets
