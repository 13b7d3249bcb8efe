// Package store keeps tokens, webhooks and orders in DynamoDB. It is the only
// package that knows the tables, their keys and their attributes: see
// docs/data-model.md.
//
// It imports the packages whose interfaces it implements (g2a, purchase, inbox) and the SDK's
// DynamoDB.
package store
