package report

import (
	"slices"
	"time"
)

// Inputs are what the report was made from.
type Inputs struct {
	Events int64 `json:"events"` // accepted, without pins, which say nothing of the run

	// Chain is the head of a hash chain over these events in their order, in hex:
	// h(0) is 32 zero bytes, h(n) = sha-256(h(n-1), event key, digest).
	Chain string `json:"chain"`

	DefinitionSHA256 string `json:"definition_sha256,omitempty"`

	// Publication is the digest of the event that published the definition, which says
	// by whom, for which services and with what of a template.
	Publication string `json:"publication,omitempty"`

	// The template that it names, and the digest of the text of the version that was
	// meant, whose defaults count; left out where that is not known.
	TemplateID     string `json:"template_id,omitempty"`
	TemplateSHA256 string `json:"template_sha256,omitempty"`

	Compared []string `json:"compared"` // digests of the reports of Attempts and Previous, in that order

	Gone *Gone `json:"gone,omitempty"` // left out where the report was made from the whole run
}

// Gone is what retention had removed of the run: the report was made from the rest.
// What came after the removal of a kind is not looked at either.
type Gone struct {
	Kinds []string `json:"kinds"` // logs, snapshots or both

	// Policy is the one by which something of the run was removed last, and At when.
	Policy string    `json:"policy,omitempty"`
	At     time.Time `json:"at"`

	// Revision is the newest one that was made from the whole run, as it was then, and
	// SHA256 its digest; left out where none is known.
	Revision int32  `json:"revision,omitempty"`
	SHA256   string `json:"sha256,omitempty"`
}

// The kinds of data whose removal a report survives.
const (
	GoneLogs      = "logs"
	GoneSnapshots = "snapshots"
)

// Lacks tells whether a kind was gone when the report was made. A nil Gone lacks
// nothing.
func (g *Gone) Lacks(kind string) bool { return g != nil && slices.Contains(g.Kinds, kind) }
