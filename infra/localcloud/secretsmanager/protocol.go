package secretsmanager

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

const (
	contentType = "application/x-amz-json-1.1"
	target      = "secretsmanager."
	maxRequest  = 1 << 20 // bytes
	maxValue    = 65536   // bytes; Secrets Manager's
)

// apiError is an error as Secrets Manager answers with it.
type apiError struct{ code, message string }

func (e *apiError) Error() string { return e.code + ": " + e.message }

// request is the fields of all the calls.
type request struct {
	Name                string   `json:"Name"`
	Description         string   `json:"Description"`
	SecretID            string   `json:"SecretId"`
	VersionID           string   `json:"VersionId"`
	VersionStage        string   `json:"VersionStage"`
	MoveToVersionID     string   `json:"MoveToVersionId"`
	RemoveFromVersionID string   `json:"RemoveFromVersionId"`
	Token               string   `json:"ClientRequestToken"`
	SecretString        *string  `json:"SecretString"`
	SecretBinary        []byte   `json:"SecretBinary"`
	VersionStages       []string `json:"VersionStages"`
	IncludeDeprecated   bool     `json:"IncludeDeprecated"`
}

// ServeHTTP serves the AWS JSON 1.1 protocol.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", contentType)
	answer, err := s.call(r)
	if err != nil {
		known := &apiError{"InvalidRequestException", err.Error()}
		_ = errors.As(err, &known)
		w.Header().Set("X-Amzn-Errortype", known.code)
		w.WriteHeader(http.StatusBadRequest)
		answer = map[string]string{"__type": known.code, "Message": known.message}
	}
	_ = json.NewEncoder(w).Encode(answer) // the client has gone: nobody to tell
}

func (s *Server) call(r *http.Request) (any, error) {
	operations := map[string]func(request) (any, error){
		"CreateSecret":             s.createSecret,
		"GetSecretValue":           s.getSecretValue,
		"PutSecretValue":           s.putSecretValue,
		"DescribeSecret":           s.describeSecret,
		"ListSecrets":              s.listSecrets,
		"ListSecretVersionIds":     s.listSecretVersionIDs,
		"UpdateSecretVersionStage": s.updateSecretVersionStage,
	}
	name, _ := strings.CutPrefix(r.Header.Get("X-Amz-Target"), target)
	operation, found := operations[name]
	if !found {
		return nil, &apiError{"UnknownOperationException", "the local Secrets Manager does not know this operation"}
	}
	var in request
	if err := json.NewDecoder(io.LimitReader(r.Body, maxRequest)).Decode(&in); err != nil {
		// The decoder's error may repeat a secret.
		return nil, &apiError{"SerializationException", "the request is not JSON of the right form"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return operation(in)
}

func (s *Server) getSecretValue(in request) (any, error) {
	found, err := s.find(in.SecretID)
	if err != nil {
		return nil, err
	}
	v, err := found.find(in.VersionID, in.VersionStage)
	if err != nil {
		return nil, err
	}
	return struct {
		ARN, Name, VersionId, SecretString string // the names of the protocol
		VersionStages                      []string
		CreatedDate                        float64
	}{found.arn, found.name, v.id, v.value.Reveal(), slices.Clone(v.stages), epoch(v.created)}, nil
}

// newVersion returns the id and the value of the version that a request brings.
func (in request) newVersion() (id string, value g2a.Secret, err error) {
	switch {
	case in.SecretString == nil || *in.SecretString == "" || in.SecretBinary != nil:
		return "", g2a.Secret{}, &apiError{"InvalidParameterException", "the local Secrets Manager keeps a SecretString that is not empty, and nothing else"}
	case len(*in.SecretString) > maxValue:
		return "", g2a.Secret{}, &apiError{"InvalidParameterException", "the SecretString is longer than 65536 bytes"}
	case in.Token != "":
		return in.Token, g2a.NewSecret(*in.SecretString), nil
	}
	return newVersionID(), g2a.NewSecret(*in.SecretString), nil
}

func (s *Server) createSecret(in request) (any, error) {
	id, value, err := in.newVersion()
	if err != nil {
		return nil, err
	}
	if _, err := s.find(in.Name); in.Name == "" || err == nil {
		return nil, &apiError{"ResourceExistsException", "The operation failed because the secret already exists, or has no name."}
	}
	created := s.create(in.Name, in.Description, id, value)
	return struct{ ARN, Name, VersionId string }{created.arn, created.name, id}, nil // the names of the protocol
}

func (s *Server) putSecretValue(in request) (any, error) {
	found, err := s.find(in.SecretID)
	if err != nil {
		return nil, err
	}
	id, value, err := in.newVersion()
	if err != nil {
		return nil, err
	}
	v, err := found.put(id, value, in.VersionStages, s.clock())
	if err != nil {
		return nil, err
	}
	return struct {
		ARN, Name, VersionId string // the names of the protocol
		VersionStages        []string
	}{found.arn, found.name, v.id, slices.Clone(v.stages)}, nil
}

// description is a secret without its values.
type description struct {
	ARN, Name, Description string
	CreatedDate            float64
	LastChangedDate        float64
	VersionIdsToStages     map[string][]string `json:",omitempty"` // the name of the protocol
	SecretVersionsToStages map[string][]string `json:",omitempty"`
}

func describe(s *secret) description {
	return description{ARN: s.arn, Name: s.name, Description: s.description, CreatedDate: epoch(s.created), LastChangedDate: epoch(s.changed)}
}

func (s *Server) describeSecret(in request) (any, error) {
	found, err := s.find(in.SecretID)
	if err != nil {
		return nil, err
	}
	d := describe(found)
	d.VersionIdsToStages = found.stagesByVersion()
	return d, nil
}

func (s *Server) listSecrets(request) (any, error) {
	list := make([]description, 0, len(s.secrets))
	for _, each := range s.secrets {
		d := describe(each)
		d.SecretVersionsToStages = each.stagesByVersion()
		list = append(list, d)
	}
	return map[string]any{"SecretList": list}, nil
}

func (s *Server) listSecretVersionIDs(in request) (any, error) {
	found, err := s.find(in.SecretID)
	if err != nil {
		return nil, err
	}
	type entry struct {
		VersionId     string // the names of the protocol
		VersionStages []string
		CreatedDate   float64
	}
	list := []entry{}
	for _, v := range found.versions {
		if len(v.stages) > 0 || in.IncludeDeprecated {
			list = append(list, entry{v.id, slices.Clone(v.stages), epoch(v.created)})
		}
	}
	return struct {
		ARN, Name string
		Versions  []entry
	}{found.arn, found.name, list}, nil
}

func (s *Server) updateSecretVersionStage(in request) (any, error) {
	found, err := s.find(in.SecretID)
	if err != nil {
		return nil, err
	}
	if err := found.relabel(in.VersionStage, in.RemoveFromVersionID, in.MoveToVersionID); err != nil {
		return nil, err
	}
	return struct{ ARN, Name string }{found.arn, found.name}, nil
}

// epoch gives a time as the protocol has it: in seconds.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
