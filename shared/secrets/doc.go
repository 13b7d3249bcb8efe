// Package secrets reads G2A's credentials from Secrets Manager and follows their
// rotation.
//
// It imports package g2a and the SDK's Secrets Manager.
package secrets
