package event

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// outbound are the types that only leave the service. They are not among the
// kinds of the decoder: from Kafka they are unsupported types.
var outbound = map[fact.Type]*kind{
	fact.TypeSettled:         newKind[*contract.ExecutionSettled](fact.TypeSettled),
	fact.TypeReportPublished: newKind[*contract.ReportPublished](fact.TypeReportPublished),
}

// Outbound is an event for other programs, as it is to be produced.
type Outbound struct {
	ID      string
	Type    fact.Type
	Subject string
	Time    time.Time
	Record  kafkarecord.Record // CloudEvents in binary mode, JSON; the key is the subject
}

// NewOutbound writes an event for other programs: what became of a run, what the
// coordinator is asked for, or an accepted request. Its id should come from OutboundID, so that a
// repeat is known as one. Unlike Encode it judges: what breaks a rule of the
// contract is an error.
func NewOutbound(o Outgoing) (Outbound, error) {
	if o.Message == nil {
		return Outbound{}, errNoMessage
	}
	k, err := kindOf(o.Message)
	if err != nil {
		return Outbound{}, fmt.Errorf("write an outbound event: %w", err)
	}
	if o.Subject == "" {
		o.Subject = k.subjectOf(o.Message)
	}
	validator, err := outboundValidator()
	if err != nil {
		return Outbound{}, fmt.Errorf("compile the contract's rules: %w", err)
	}
	if rejection := checkRules(validator, o.Message); rejection != nil {
		return Outbound{}, fmt.Errorf("write an outbound event of %s: %w", k.typ, rejection)
	}
	for name, id := range map[string]string{"id": o.ID, "subject": o.Subject} {
		if !isID(id) {
			return Outbound{}, fmt.Errorf("write an outbound event of %s: %s is %q, an id matches %s", k.typ, name, id, idPattern)
		}
	}
	record, err := Encode(o, Binary, JSON)
	if err != nil {
		return Outbound{}, err
	}
	return Outbound{ID: o.ID, Type: k.typ, Subject: o.Subject, Time: o.Time.UTC(), Record: record}, nil
}

// outboundValidator compiles the rules of messages as they come: it is asked for
// few of them.
var outboundValidator = sync.OnceValues(func() (protovalidate.Validator, error) {
	return protovalidate.New(protovalidate.WithFailFast())
})

// OutboundID is the id of an outbound event that follows from what it states: a
// word for people, and a digest of the parts that tell it from all others. Readers
// may look for repeats by the id alone, whichever instance is the source.
func OutboundID(word string, parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return word + ":" + hex.EncodeToString(h.Sum(nil)[:16])
}

// NewSettled says what became of a run that has ended. changedAt is when it was
// changed last. The same version of a run gives the same id whoever says so.
func NewSettled(source string, r *execution.Run, changedAt time.Time) (Outbound, error) {
	m := &contract.ExecutionSettled{
		ExecutionId:     string(r.ID),
		Run:             int32(r.Number),
		Version:         r.Version,
		RunId:           r.RunID,
		Status:          string(r.Status),
		ReportedOutcome: string(r.ReportedOutcome),
		ScenarioId:      r.ScenarioID,
		ScenarioVersion: r.ScenarioVersion,
		Environment:     r.Environment,
		RequestedAt:     protoTime(r.RequestedAt),
		StartedAt:       protoTime(r.StartedAt),
		EndedAt:         protoTime(r.EndedAt),
		Counts: &contract.SettledCounts{
			Events: r.Counts.Events, LogLines: r.Counts.LogLines, Snapshots: r.Counts.Snapshots,
			Phases: r.Counts.Phases, Steps: r.Counts.Steps, StepsFailed: r.Counts.StepsFailed,
			Faults: r.Counts.Faults, FaultsActive: r.Counts.FaultsActive,
			ValidationsPassed: r.Counts.ValidationsPassed, ValidationsFailed: r.Counts.ValidationsFailed,
			ValidationsSkipped: r.Counts.ValidationsSkipped, ValidationsError: r.Counts.ValidationsError,
		},
	}
	if r.Status == execution.StatusInterrupted && r.Interruption != nil {
		m.InterruptCause = string(r.Interruption.Cause)
	}
	return NewOutbound(Outgoing{
		Source: source, Time: changedAt, RunID: r.RunID, Message: m,
		ID: OutboundID("settled", string(r.ID), strconv.Itoa(int(r.Number)), strconv.FormatInt(r.Version, 10)),
	})
}

// protoTime is nil when there is none.
func protoTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
