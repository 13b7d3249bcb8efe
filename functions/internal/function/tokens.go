package function

import (
	"crypto/rand"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// Client returns a client of G2A, and the access token that it shares with all instances,
// which the state table keeps. A table that fails is counted as TokenStoreDown,
// and one that G2A does not replace when it is due as TokenRefreshFailed.
func (e Environment) Client(db *dynamodb.Client, credentials g2a.CredentialSource, calls telemetry.Calls) (*g2a.Client, *g2a.SharedTokens) {
	tokens := &g2a.SharedTokens{
		Store:       store.Tokens{DB: db, Table: e.StateTable, Env: e.G2A.Env},
		Credentials: credentials,
		Owner:       rand.Text(),
		Clock:       time.Now,
		Log:         calls.Log,

		StoreFailed:   func() { calls.Metrics.Count("TokenStoreDown", telemetry.Dimension{}) },
		RefreshFailed: func() { calls.Metrics.Count("TokenRefreshFailed", telemetry.Dimension{}) },
	}
	client := g2a.New(e.G2A, g2a.Options{
		Credentials: credentials, Tokens: g2a.RememberTokens(tokens, time.Now), Observer: calls,
	})
	tokens.Fetch = client.FetchTokenFor
	return client, tokens
}
