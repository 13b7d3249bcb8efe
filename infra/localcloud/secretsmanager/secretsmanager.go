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
	var suffix [3]byte
	_, _ = rand.Read(suffix[:]) // never fails: see its documentation
	now := s.clock()
	s.secrets = append(s.secrets, &secret{
		name:        name,
		arn:         s.prefix + name + "-" + hex.EncodeToString(suffix[:]),
		description: description,
		created:     now,
		changed:     now,
		versions:    []*version{{id: newVersionID(), value: value, created: now, stages: []string{stageCurrent}}},
	})
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
