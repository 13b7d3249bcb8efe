package contracttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"github.com/g2a-lambda/g2a-lambda/contracts"
)

// filesURL is where the validator finds the embedded files; no network is asked.
const filesURL = "contracts:///"

// loader is a jsonschema.URLLoader of the embedded files.
type loader struct{}

// Load implements jsonschema.URLLoader.
func (loader) Load(url string) (any, error) {
	name, embedded := strings.CutPrefix(url, filesURL)
	if !embedded {
		return nil, fmt.Errorf("%s is not a file of the contracts", url)
	}
	data, err := contracts.Files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the contract: %w", err)
	}
	if path.Ext(name) == ".yaml" {
		var document any
		if err := yaml.Unmarshal(data, &document); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		if data, err = json.Marshal(document); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(data))
}

func newCompiler() *jsonschema.Compiler {
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(loader{})
	compiler.AssertFormat()
	return compiler
}

// Document is one of the JSON Schemas.
type Document struct {
	name   string
	schema *jsonschema.Schema
}

// schemas are compiled once, all of them: they are few.
var schemas = sync.OnceValue(func() map[string]Document {
	entries, err := contracts.Files.ReadDir("schemas")
	if err != nil {
		panic(fmt.Sprintf("contracttest: %v", err))
	}
	compiler, documents := newCompiler(), make(map[string]Document, len(entries))
	for _, entry := range entries {
		name := strings.TrimSuffix(entry.Name(), ".json")
		schema, err := compiler.Compile(filesURL + "schemas/" + entry.Name())
		if err != nil {
			panic(fmt.Sprintf("contracttest: schema %s: %v", name, err))
		}
		documents[name] = Document{name: name, schema: schema}
	}
	return documents
})

// Schema gives the schema of a file in schemas, such as "order-output". It panics
// where there is no such file.
func Schema(name string) Document {
	document, found := schemas()[name]
	if !found {
		panic(fmt.Sprintf("contracttest: there is no schema %q", name))
	}
	return document
}

// Validate checks a JSON document. The error is one line that names every place that
// is wrong.
func (d Document) Validate(document []byte) error {
	if err := validateJSON(d.schema, document); err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	return nil
}

func validateJSON(schema *jsonschema.Schema, document []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return fmt.Errorf("it is not one JSON document: %w", err)
	}
	return oneLine(schema.Validate(value))
}

// listed is what stands before each of the validator's mistakes.
var listed = regexp.MustCompile(`\n *- `)

// oneLine writes the validator's list of mistakes on one line, without its heading.
func oneLine(err error) error {
	if err == nil {
		return nil
	}
	_, mistakes, _ := strings.Cut(listed.ReplaceAllString(err.Error(), "; "), "; ")
	return errors.New(mistakes)
}
