package secretsmanager

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	smithyrand "github.com/aws/smithy-go/rand"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// The staging labels that Secrets Manager moves by itself.
const (
	stageCurrent  = "AWSCURRENT"
	stagePrevious = "AWSPREVIOUS"
)

// Server is a Secrets Manager. It is safe for concurrent use.
type Server struct {
	prefix string // of the ARNs
	clock  func() time.Time

	mu      sync.Mutex
	secrets []*secret // in the order of their creation
}

type secret struct {
	name        string
	arn         string
	description string
	created     time.Time
	changed     time.Time
	versions    []*version // in the order of their creation
}

type version struct {
	id      string
	value   g2a.Secret
	created time.Time
	stages  []string
}

// New makes a Secrets Manager without secrets.
func New(region, accountID string, clock func() time.Time) *Server {
	return &Server{prefix: "arn:aws:secretsmanager:" + region + ":" + accountID + ":secret:", clock: clock}
}

// Create makes a secret with its first version.
func (s *Server) Create(name, description string, value g2a.Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.create(name, description, newVersionID(), value)
}

func (s *Server) create(name, description, versionID string, value g2a.Secret) *secret {
	var suffix [3]byte
	_, _ = rand.Read(suffix[:]) // never fails: see its documentation
	now := s.clock()
	created := &secret{
		name:        name,
		arn:         s.prefix + name + "-" + hex.EncodeToString(suffix[:]),
		description: description,
		created:     now,
		changed:     now,
		versions:    []*version{{id: versionID, value: value, created: now, stages: []string{stageCurrent}}},
	}
	s.secrets = append(s.secrets, created)
	return created
}

func newVersionID() string {
	id, _ := smithyrand.NewUUID(rand.Reader).GetUUID() // fails when rand.Reader does: never
	return id
}

// find gives the secret of a name, an ARN, or an ARN without its random suffix.
func (s *Server) find(id string) (*secret, error) {
	for _, candidate := range s.secrets {
		withoutSuffix := candidate.arn[:strings.LastIndexByte(candidate.arn, '-')]
		if id == candidate.name || id == candidate.arn || id == withoutSuffix {
			return candidate, nil
		}
	}
	return nil, &apiError{"ResourceNotFoundException", "Secrets Manager can't find the specified secret."}
}

// find gives the version of an id, of a label, or of both; with neither it is the
// current one.
func (s *secret) find(id, stage string) (*version, error) {
	if id == "" && stage == "" {
		stage = stageCurrent
	}
	for _, v := range s.versions {
		if (id == "" || id == v.id) && (stage == "" || slices.Contains(v.stages, stage)) {
			return v, nil
		}
	}
	switch {
	case id == "":
		return nil, &apiError{"ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: " + stage}
	case slices.ContainsFunc(s.versions, func(v *version) bool { return v.id == id }):
		return nil, &apiError{"InvalidRequestException", "You provided a VersionStage that is not associated to the provided VersionId."}
	default:
		return nil, &apiError{"ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: " + id}
	}
}

// put adds a version and moves the labels to it. The same id with the same value
// again changes nothing.
func (s *secret) put(id string, value g2a.Secret, stages []string, now time.Time) (*version, error) {
	if known, err := s.find(id, ""); err == nil {
		if known.value.Equal(value) {
			return known, nil
		}
		return nil, &apiError{"ResourceExistsException", fmt.Sprintf("A version with the id %s exists, with another value.", id)}
	}
	if len(stages) == 0 {
		stages = []string{stageCurrent}
	}
	v := &version{id: id, value: value, created: now}
	s.versions = append(s.versions, v)
	s.changed = now
	for _, stage := range stages {
		s.move(stage, v)
	}
	return v, nil
}

// move gives a label to a version. The version that loses AWSCURRENT becomes the
// previous one.
func (s *secret) move(stage string, to *version) {
	for _, from := range s.versions {
		at := slices.Index(from.stages, stage)
		if at < 0 || from == to {
			continue
		}
		from.stages = slices.Delete(from.stages, at, at+1)
		if stage == stageCurrent {
			s.move(stagePrevious, from)
		}
	}
	if !slices.Contains(to.stages, stage) {
		to.stages = append(to.stages, stage)
	}
}

// relabel takes a label off one version and attaches it to another; either may be "".
// As on AWS, a label that is attached is moved only by a request that names its version.
func (s *secret) relabel(stage, from, to string) error {
	for _, id := range []string{from, to} {
		if id == "" {
			continue
		}
		if _, err := s.find(id, ""); err != nil {
			return err
		}
	}
	var attached string
	if v, err := s.find("", stage); err == nil {
		attached = v.id
	}
	switch {
	case stage == "" || from == "" && to == "":
		return &apiError{"InvalidParameterException", "A staging label, and a version to move it to or to remove it from, are required."}
	case stage == stageCurrent && to == "":
		return &apiError{"InvalidParameterException", "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed."}
	case from != attached && (from != "" || attached != to):
		return &apiError{"InvalidParameterException", fmt.Sprintf("Staging label %s is attached to version %q, so RemoveFromVersionId must name that one.", stage, attached)}
	}
	if to == "" {
		v, err := s.find(from, stage)
		if err != nil {
			return err
		}
		v.stages = slices.DeleteFunc(v.stages, func(label string) bool { return label == stage })
		return nil
	}
	v, err := s.find(to, "")
	if err != nil {
		return err
	}
	s.move(stage, v)
	return nil
}

// stagesByVersion gives the labels of the versions that have any.
func (s *secret) stagesByVersion() map[string][]string {
	labelled := map[string][]string{}
	for _, v := range s.versions {
		if len(v.stages) > 0 {
			labelled[v.id] = slices.Clone(v.stages)
		}
	}
	return labelled
}
