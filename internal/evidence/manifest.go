package evidence

import (
	"encoding/json"
	"fmt"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// Schema names the form of a bundle.
const Schema = "test-coordination.evidence/v1"

// The names of entries.
const (
	readmeName   = "README.txt"
	reportName   = "report.json"
	htmlName     = "report.html"
	eventsName   = "events.jsonl"
	manifestName = "manifest.json"

	definitionPrefix = "definition."
	comparedPrefix   = "compared/"
)

func comparedName(sha256 string) string { return comparedPrefix + sha256 + ".json" }

// Manifest says what a bundle holds. Digests are sha-256 in lower-case hex.
type Manifest struct {
	Schema      string              `json:"schema"`
	ExecutionID execution.ID        `json:"execution_id"`
	Run         execution.RunNumber `json:"run"`
	RunID       string              `json:"run_id,omitempty"`

	Report     ManifestReport `json:"report"`
	Events     ManifestEvents `json:"events"`
	Definition string         `json:"definition_sha256,omitempty"`

	Entries []Entry `json:"entries"` // all others, in their order
}

// ManifestReport names the report.
type ManifestReport struct {
	Revision int32  `json:"revision"` // 0: built for this file, not frozen
	SHA256   string `json:"sha256"`   // that the report carries: of its canonical JSON without this member
	Builder  string `json:"builder"`  // version of the rules that it was built by
}

// ManifestEvents are the events in numbers.
type ManifestEvents struct {
	Count int64  `json:"count"`
	Chain string `json:"chain"` // head of the hash chain

	// Inexact events carry the digest that they were accepted with, and it cannot be
	// computed from what is stored of them: see Record.Inexact.
	Inexact int64 `json:"inexact"`
}

// Entry is a file in the bundle.
type Entry struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

func (m *Manifest) encode() ([]byte, error) {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the manifest: %w", err)
	}
	return append(b, '\n'), nil
}

// SHA256 is the digest of manifest.json, in hex.
func (m *Manifest) SHA256() string {
	b, err := m.encode()
	if err != nil { // of texts and numbers JSON can always be made
		return ""
	}
	return digestOf(b)
}

func decodeManifest(b []byte) (*Manifest, error) {
	m := &Manifest{}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := jsonv2.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	if head.Schema != Schema {
		return nil, fmt.Errorf("the manifest is of schema %.80q, this program reads %s", head.Schema, Schema)
	}
	if err := jsonv2.Unmarshal(b, m, jsonv2.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	return m, nil
}

// FileName is what the bundle of a run is called: ids may hold a colon, which some
// file systems do not take.
func FileName(id execution.ID, run execution.RunNumber) string {
	return fmt.Sprintf("evidence-%s-%d.zip", strings.ReplaceAll(string(id), ":", "_"), run)
}
