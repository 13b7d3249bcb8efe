// Package inbox decides what a verified webhook does to an order. It knows a store
// for one transaction, and nothing of HTTP or AWS.
//
// It imports package g2a, and nothing of AWS.
package inbox
