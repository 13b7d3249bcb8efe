package contracttest_test

import (
	"path/filepath"
	"regexp"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestEverySourceIsNamed: each operation of G2A's documents says where it is known from,
// and how sure that is.
func TestEverySourceIsNamed(t *testing.T) {
	names, err := filepath.Glob("../g2a-*.openapi.yaml")
	if err != nil || len(names) != 4 {
		t.Fatalf("%d documents, error %v; want those of G2A's four APIs", len(names), err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			loader := openapi3.NewLoader()
			loader.IsExternalRefsAllowed = true
			document, err := loader.LoadFromFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for path, item := range document.Paths.Map() {
				for method, operation := range item.Operations() {
					assertSource(t, method+" "+path, operation)
				}
			}
		})
	}
}

func assertSource(t *testing.T, name string, operation *openapi3.Operation) {
	t.Helper()
	found, _ := operation.Extensions["x-source"].(map[string]any)
	source, _ := found["source"].(string)
	confidence, _ := found["confidence"].(string)
	if len(source) < 10 || !regexp.MustCompile(`^[HML]$`).MatchString(confidence) || len(found) != 2 {
		t.Errorf("%s: x-source is %v, want {source, confidence: H, M or L}", name, operation.Extensions["x-source"])
	}
}
