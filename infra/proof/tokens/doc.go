// Package tokens proves the promises of the access token and of the credentials: one
// token serves all instances, however many start at once, whoever dies, and whatever
// fails behind them; credentials are rotated while orders and webhooks flow, and a hash
// that has leaked is revoked by one command; webhooks are verified while Secrets Manager
// hangs, and after Lambda has frozen the process; and health answers in time whatever
// hangs.
//
// Herds are instances with nothing in common but an engine and G2A's simulator, which
// counts the tokens that it issues. All else runs the functions' real binaries in the
// local cloud, such as the many processes of OrderFunction that buy at once through the
// Export API v2, and the rotation on a Secrets Manager that is not the project's own.
// Times are printed and never compared.
//
// HANGTEST_SECONDS is how long a value of Secrets Manager is kept where a test waits for
// that. It is 2 unless it is set, for which WebhookFunction is built with that number;
// with 300 the binaries are the product's.
//
// It imports the proofs' stack, the engines and shared packages, under the build tag proof.
package tokens
