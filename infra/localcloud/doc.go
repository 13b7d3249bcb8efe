// Package localcloud is the stack of template.yaml on this machine: the functions behind
// a Lambda and an HTTP API, DynamoDB, Secrets Manager, schedules, and a G2A to call,
// all in this process but the functions themselves. It needs no network.
//
// It imports the services below it, and of shared only g2a and its simulator.
package localcloud
