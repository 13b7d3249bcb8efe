// Package secretsmanager is an AWS Secrets Manager in memory: an http.Handler that
// the SDKs and the aws CLI can talk to. It knows GetSecretValue, PutSecretValue,
// DescribeSecret and ListSecrets of text secrets, with the staging labels moving as
// on AWS.
//
// It imports nothing of the project.
package secretsmanager
