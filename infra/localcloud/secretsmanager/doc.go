// Package secretsmanager is an AWS Secrets Manager in memory: an http.Handler that
// the SDKs and the aws CLI can talk to. It knows CreateSecret, GetSecretValue,
// PutSecretValue, DescribeSecret, ListSecrets, ListSecretVersionIds and
// UpdateSecretVersionStage of string secrets, with the staging labels moving as on AWS.
//
// It imports package g2a, for its Secret.
package secretsmanager
