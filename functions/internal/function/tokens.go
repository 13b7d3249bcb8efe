package function

import (
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// SharedTokens returns the access token that all instances share, which client fetches and
// the state table keeps. A table that fails is counted as TokenStoreDown.
func (e Environment) SharedTokens(db *dynamodb.Client, client *g2a.Client, credentials g2a.CredentialSource, log *slog.Logger, metrics telemetry.Metrics) *g2a.SharedTokens {
	return &g2a.SharedTokens{
		Store:       store.Tokens{DB: db, Table: e.StateTable, Env: e.G2A.Env},
		Credentials: credentials,
		Fetch:       client.FetchTokenFor,
		Owner:       rand.Text(),
		Clock:       time.Now,
		Log:         log,
		StoreFailed: func() { metrics.Count("TokenStoreDown", telemetry.Dimension{}) },
	}
}
