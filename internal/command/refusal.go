package command

import "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"

// Kind is what a refusal calls for.
type Kind int

// The kinds of refusals.
const (
	Invalid      Kind = iota + 1 // the request is wrong, whatever is stored
	NotFound                     // what it names is not known
	Conflict                     // it contradicts what is stored already
	Precondition                 // it is right, and may be done later or after something else
	Lost                         // the caller no longer holds what it thinks it holds
)

// Refusal says why something is not done. Nothing was written.
type Refusal struct {
	Kind    Kind
	Reason  string // snake_case, stable, for programs
	Field   string // of the request; empty when none is to blame
	Message string // for people
}

func (r *Refusal) Error() string { return r.Message }

// Rejected is an event of our own that breaks the contract's rules: from Kafka it
// would have been quarantined.
type Rejected struct{ *fact.Rejection }
