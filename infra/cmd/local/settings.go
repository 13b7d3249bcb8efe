package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// settings are what the environment says.
//
//	LOCAL_HTTP_PORT      of the HTTP API, 3000
//	LOCAL_LAMBDA_PORT    of Lambda's Invoke API, 3001
//	LOCAL_DYNAMODB_PORT  of DynamoDB, 8000
//	LOCAL_SECRETS_PORT   of Secrets Manager, 8001
//	LOCAL_G2A_PORT       of the G2A simulator, 8443
//	LOCAL_CONCURRENCY    instances of one function, 4
//	LOCAL_G2A_CATALOGUE  a file with a page of products in G2A's format
//	DYNAMODB_ENDPOINT    the URL of a DynamoDB to use instead of an own one
//	G2A_EXPORT_API       the API that orders are bought through, v1 or v2; the template's
//	G2A_API_HASH, G2A_API_KEY  both sides' credentials; made up where not set
//
// A port of 0 is any free one.
type settings struct {
	ports       localcloud.Ports
	concurrency int
	catalogue   string // a file
	dynamoDB    string // a URL
	exportAPI   string // "" is the template's
	credentials g2a.Credentials
	hashGiven   bool
	deprecated  bool // G2A_API_SECRET is in use
}

const (
	maxPort        = 65535
	maxConcurrency = 1000
)

// readSettings reads the environment. The error holds every mistake, one a line,
// each with the name of its variable.
func readSettings(lookup func(string) (string, bool)) (settings, error) {
	var mistakes []error
	integer := func(name string, fallback, lowest, highest int) int {
		value, _ := lookup(name)
		if value == "" {
			return fallback
		}
		number, err := strconv.Atoi(value)
		if err != nil || number < lowest || number > highest {
			mistakes = append(mistakes, fmt.Errorf("%s: %.40q is not a whole number from %d to %d", name, value, lowest, highest))
		}
		return number
	}
	s := settings{
		ports: localcloud.Ports{
			HTTP:     integer("LOCAL_HTTP_PORT", 3000, 0, maxPort),
			Lambda:   integer("LOCAL_LAMBDA_PORT", 3001, 0, maxPort),
			DynamoDB: integer("LOCAL_DYNAMODB_PORT", 8000, 0, maxPort),
			Secrets:  integer("LOCAL_SECRETS_PORT", 8001, 0, maxPort),
			G2A:      integer("LOCAL_G2A_PORT", 8443, 0, maxPort),
		},
		concurrency: integer("LOCAL_CONCURRENCY", 4, 1, maxConcurrency),
	}
	s.catalogue, _ = lookup("LOCAL_G2A_CATALOGUE")
	s.exportAPI, _ = lookup("G2A_EXPORT_API")
	if apis := []string{"", string(g2a.ExportV1), string(g2a.ExportV2)}; !slices.Contains(apis, s.exportAPI) {
		mistakes = append(mistakes, fmt.Errorf("G2A_EXPORT_API: %.40q is not v1 or v2", s.exportAPI))
	}
	s.dynamoDB, _ = lookup("DYNAMODB_ENDPOINT")
	if s.dynamoDB != "" && !isURL(s.dynamoDB) {
		mistakes = append(mistakes, fmt.Errorf("DYNAMODB_ENDPOINT: %.100q is not a URL like http://127.0.0.1:8000", s.dynamoDB))
	}
	if err := s.readCredentials(lookup); err != nil {
		mistakes = append(mistakes, err)
	}
	return s, errors.Join(mistakes...)
}

func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

// readCredentials takes the credentials that are given and makes the others up.
func (s *settings) readCredentials(lookup func(string) (string, bool)) error {
	given := func(name string) string {
		value, _ := lookup(name)
		return value
	}
	s.hashGiven = given("G2A_API_HASH") != "" || given("G2A_API_SECRET") != ""
	var err error
	s.credentials, s.deprecated, err = g2a.ParseCredentials(func(name string) (string, bool) {
		if value := given(name); value != "" || name == "G2A_API_SECRET" || (name == "G2A_API_HASH" && s.hashGiven) {
			return value, true
		}
		return rand.Text(), true
	})
	return err
}

// options gives the cloud's, with the catalogue read.
func (s settings) options() (localcloud.Options, error) {
	options := localcloud.Options{
		Root:             ".",
		Ports:            s.ports,
		DynamoDBEndpoint: s.dynamoDB,
		Credentials:      s.credentials,
		Concurrency:      s.concurrency,
	}
	if s.exportAPI != "" {
		options.Parameters = map[string]string{"G2AExportApi": s.exportAPI}
	}
	if s.catalogue == "" {
		return options, nil
	}
	page, err := os.ReadFile(s.catalogue)
	if err != nil {
		return localcloud.Options{}, fmt.Errorf("LOCAL_G2A_CATALOGUE: %w", err)
	}
	options.Catalogue = page
	return options, nil
}

// lambda and secrets are where a running cloud's services are.
func (s settings) lambda() string  { return fmt.Sprintf("127.0.0.1:%d", s.ports.Lambda) }
func (s settings) secrets() string { return fmt.Sprintf("127.0.0.1:%d", s.ports.Secrets) }
