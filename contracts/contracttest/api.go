package contracttest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/g2a-lambda/g2a-lambda/contracts"
)

// API is a contract over HTTP: one document, or several whose paths differ. It is safe
// for concurrent use.
type API struct {
	documents []*document
	bodies    map[*openapi3.MediaType]*jsonschema.Schema // of requests and answers
}

// document is one OpenAPI document.
type document struct {
	*openapi3.T
	router routers.Router
}

// g2aDocuments are those of G2A's APIs.
var g2aDocuments = []string{
	"g2a-export-v1.openapi.yaml", "g2a-export-v2.openapi.yaml", "g2a-import.openapi.yaml", "g2a-token.openapi.yaml",
}

var (
	g2a     = sync.OnceValue(func() *API { return mustLoad(g2aDocuments...) })
	service = sync.OnceValue(func() *API { return mustLoad("service.openapi.yaml") })
)

// G2A is the contract of all of G2A's APIs, under the base paths of sandbox and live.
func G2A() *API { return g2a() }

// Service is the contract of what this project serves.
func Service() *API { return service() }

// Operations returns the operationIds, sorted.
func (a *API) Operations() []string {
	var ids []string
	for _, d := range a.documents {
		for _, item := range d.Paths.Map() {
			for _, operation := range item.Operations() {
				ids = append(ids, operation.OperationID)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// Operation returns the operationId of a request, or "" if it is not in the contract.
func (a *API) Operation(r *http.Request) string {
	route, _, err := a.findRoute(r)
	if err != nil {
		return ""
	}
	return route.Operation.OperationID
}

// findRoute returns the route of a request, from the first document that has it.
func (a *API) findRoute(r *http.Request) (route *routers.Route, parameters map[string]string, err error) {
	for _, d := range a.documents {
		if route, parameters, err = d.router.FindRoute(r); err == nil {
			return route, parameters, nil
		}
	}
	return nil, nil, err
}

// CheckRequest checks a request that has this body; r.Body is not read.
func (a *API) CheckRequest(r *http.Request, body []byte) error {
	route, parameters, err := a.findRoute(r)
	if err != nil {
		return fmt.Errorf("request %s %s: it is not in the contract: %w", r.Method, r.URL.Path, err)
	}
	if err := a.checkRequest(r, route, parameters, body); err != nil {
		return fmt.Errorf("request %s %s (%s): %w", r.Method, route.Path, route.Operation.OperationID, err)
	}
	return nil
}

func (a *API) checkRequest(r *http.Request, route *routers.Route, parameters map[string]string, body []byte) error {
	bare := r.Clone(r.Context()) // the validator reads and changes what it is given
	bare.Body, bare.GetBody = nil, nil
	if err := openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
		Request: bare, Route: route, PathParams: parameters,
		Options: &openapi3filter.Options{
			ExcludeRequestBody: true, SkipSettingDefaults: true, AuthenticationFunc: checkSecurity,
		},
	}); err != nil {
		return brief(err)
	}
	for name := range r.URL.Query() {
		if !declared(route, name) {
			return fmt.Errorf("parameter %q in query is not in the contract", name)
		}
	}
	if route.Operation.RequestBody == nil {
		if len(body) > 0 {
			return errors.New("it has a body, and must have none")
		}
		return nil
	}
	return a.checkBody(route.Operation.RequestBody.Value.Content, r.Header.Get("Content-Type"), body)
}

// declared reports whether a route has a query parameter.
func declared(route *routers.Route, name string) bool {
	return route.Operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) != nil ||
		route.PathItem.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) != nil
}

// checkSecurity checks the form of a security scheme's header by its x-pattern. No
// credential is known here.
func checkSecurity(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	name := in.SecurityScheme.Name
	if in.SecurityScheme.Type == "http" {
		name = "Authorization"
	}
	pattern, _ := in.SecurityScheme.Extensions["x-pattern"].(string)
	if value := in.RequestValidationInput.Request.Header.Get(name); !regexp.MustCompile(pattern).MatchString(value) {
		return fmt.Errorf("header %s is absent or not of the form %s", name, pattern)
	}
	return nil
}

// CheckAnswer checks the answer to a request. What is not in the contract must be
// answered with 404 or 405.
func (a *API) CheckAnswer(r *http.Request, status int, header http.Header, body []byte) error {
	route, _, err := a.findRoute(r)
	if err != nil {
		if status == http.StatusNotFound || status == http.StatusMethodNotAllowed {
			return nil
		}
		return fmt.Errorf("answer %d to %s %s: the request is not in the contract: %w", status, r.Method, r.URL.Path, err)
	}
	if err := a.checkAnswer(r, route, status, header, body); err != nil {
		return fmt.Errorf("answer %d to %s %s (%s): %w", status, r.Method, route.Path, route.Operation.OperationID, err)
	}
	return nil
}

func (a *API) checkAnswer(r *http.Request, route *routers.Route, status int, header http.Header, body []byte) error {
	documented := route.Operation.Responses.Status(status)
	if documented == nil {
		return errors.New("the status is not in the contract")
	}
	if err := openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: route},
		Status:                 status, Header: header,
		Options: &openapi3filter.Options{ExcludeResponseBody: true},
	}); err != nil {
		return brief(err)
	}
	if len(documented.Value.Content) == 0 {
		if len(body) > 0 {
			return errors.New("it has a body, and must have none")
		}
		return nil
	}
	return a.checkBody(documented.Value.Content, header.Get("Content-Type"), body)
}

// brief is kin-openapi's error without the schema and the value that it appends on
// lines of their own.
func brief(err error) error {
	text, _, _ := strings.Cut(err.Error(), "\nSchema:")
	return errors.New(strings.ReplaceAll(text, "\n", " "))
}

// checkBody checks a body by the schema of its media type.
func (a *API) checkBody(content openapi3.Content, mediaType string, body []byte) error {
	documented := content.Get(mediaType)
	if documented == nil {
		return fmt.Errorf("Content-Type %q is not in the contract", mediaType)
	}
	schema := a.bodies[documented]
	if schema == nil {
		return nil // anything
	}
	if content["application/x-www-form-urlencoded"] != documented {
		return validateJSON(schema, body)
	}
	form, err := readForm(body)
	if err != nil {
		return err
	}
	return oneLine(schema.Validate(form))
}

// readForm reads a form whose fields have one value each.
func readForm(body []byte) (map[string]any, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fmt.Errorf("it is not a form: %w", err)
	}
	form := make(map[string]any, len(values))
	for name, value := range values {
		if len(value) > 1 {
			return nil, fmt.Errorf("field %q is there twice", name)
		}
		form[name] = value[0]
	}
	return form, nil
}

// mustLoad reads embedded documents. That they are sound is a test of this package.
func mustLoad(names ...string) *API {
	api := &API{bodies: map[*openapi3.MediaType]*jsonschema.Schema{}}
	for _, name := range names {
		if err := api.load(name); err != nil {
			panic(fmt.Sprintf("contracttest: %s: %v", name, err))
		}
	}
	return api
}

// load adds a document.
func (a *API) load(name string) error {
	reader := openapi3.NewLoader()
	reader.ReadFromURIFunc = func(_ *openapi3.Loader, location *url.URL) ([]byte, error) {
		return contracts.Files.ReadFile(location.Path)
	}
	read, err := reader.LoadFromURI(&url.URL{Path: name})
	if err != nil {
		return fmt.Errorf("reading it: %w", err)
	}
	if err := read.Validate(context.Background()); err != nil {
		return fmt.Errorf("it is not OpenAPI: %w", err)
	}
	if err := a.compile(name, read); err != nil {
		return err
	}
	dropHosts(read)
	router, err := gorillamux.NewRouter(read)
	if err != nil {
		return fmt.Errorf("finding its routes: %w", err)
	}
	a.documents = append(a.documents, &document{T: read, router: router})
	return nil
}

// dropHosts leaves of each server its base path: in a test the host is another one.
func dropHosts(document *openapi3.T) {
	all := []openapi3.Servers{document.Servers}
	for _, item := range document.Paths.Map() {
		all = append(all, item.Servers)
	}
	for _, servers := range all {
		for _, server := range servers {
			_, rest, _ := strings.Cut(server.URL, "://")
			_, base, _ := strings.Cut(rest, "/")
			server.URL = "/" + base
		}
	}
}

// compile compiles the schema of every body, each by its place in the file.
func (a *API) compile(name string, read *openapi3.T) error {
	compiler := newCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	contents := func(place string, content openapi3.Content) error {
		for mediaType, body := range content {
			if body.Schema == nil {
				continue
			}
			schema, err := compiler.Compile(filesURL + name + "#" + place + pointer("content", mediaType, "schema"))
			if err != nil {
				return fmt.Errorf("the schema of a body: %w", err)
			}
			a.bodies[body] = schema
		}
		return nil
	}
	for id, response := range read.Components.Responses {
		if err := contents(pointer("components", "responses", id), response.Value.Content); err != nil {
			return err
		}
	}
	for path, item := range read.Paths.Map() {
		for method, operation := range item.Operations() {
			place := pointer("paths", path, strings.ToLower(method))
			if operation.RequestBody != nil {
				if err := contents(place+pointer("requestBody"), operation.RequestBody.Value.Content); err != nil {
					return err
				}
			}
			for status, response := range operation.Responses.Map() {
				if response.Ref != "" {
					continue // among the components
				}
				if err := contents(place+pointer("responses", status), response.Value.Content); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// pointer is a JSON pointer, as it stands in a URL.
func pointer(names ...string) string {
	var place strings.Builder
	for _, name := range names {
		place.WriteString("/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(name)))
	}
	return place.String()
}
