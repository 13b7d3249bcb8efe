package dynamodb

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
)

// A scan and a query that find nothing say so in DynamoDB's own words.
func TestNothingFound(t *testing.T) {
	server := httptest.NewServer(Embedded())
	t.Cleanup(server.Close)
	table := template.Table{Name: "T", Attributes: []template.Attribute{{Name: "pk", Type: "S"}}, Keys: []template.Key{{Attribute: "pk", Type: "HASH"}}}
	if err := CreateTable(t.Context(), NewClient(server.URL), table); err != nil {
		t.Fatal(err)
	}
	for operation, body := range map[string]string{
		"Scan":  `{"TableName":"T"}`,
		"Query": `{"TableName":"T","KeyConditionExpression":"pk = :a","ExpressionAttributeValues":{":a":{"S":"x"}}}`,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(answer), `"Items":[]`) {
			t.Errorf("%s: %d %s, %v; want an empty list of items", operation, response.StatusCode, answer, err)
		}
	}
}
