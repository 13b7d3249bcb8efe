// Package contracts embeds what this project has agreed with others: G2A's two APIs as
// this project calls them (g2a-*.openapi.yaml), what it serves (service.openapi.yaml), and
// the shapes of its events, items and payloads (schemas, JSON Schema 2020-12).
//
// It imports nothing of the project. Package contracttest checks calls and documents
// against the files.
package contracts
