// Package dynamodb is the local cloud's DynamoDB: an engine in memory, the tables of a
// template in that or in another engine, and the streams of one that has them.
//
// It imports the template, the function's credentials of package lambda, and nothing else of
// the project.
package dynamodb
