// Command g2actl is G2A's API and our own orders on the command line.
//
//	go run ./infra/cmd/g2actl products --min-qty 5
//	go run ./infra/cmd/g2actl order list --status needs_attention
//	go run ./infra/cmd/g2actl help
//
// It reads the variables that the functions read. For the local cloud that `make up`
// runs they are in .local/env; for a deployed stack they are in its outputs, and AWS
// is found as by the AWS CLI.
//
// It may import shared packages and functions' configuration, and nothing of the local cloud.
package main
