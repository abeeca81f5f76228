package event

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// kind is what the decoder knows of one event type.
type kind struct {
	typ     fact.Type
	message protoreflect.MessageType
	plan    *messagePlan
	bulk    bool     // has the larger limit of tokens
	own     bool     // only this service states it
	omit    []string // fields with rows of their own, left out of the stored data

	// One of the two makes the domain's payload of a message of this type.
	execution func(proto.Message) execution.Payload
	scenario  func(proto.Message) scenario.Payload
}

// subjectField is the field that repeats the subject: the first one, in every
// message of the contract.
func (k *kind) subjectField() *fieldPlan { return k.plan.fields[0] }

func (k *kind) subjectOf(m proto.Message) string { return k.subjectField().in(structOf(m)).String() }

func (k *kind) maxTokens(limits *Limits) int {
	if k.bulk {
		return limits.BulkTokens
	}
	return limits.Tokens
}

// kinds are all types, the service's own included; only read after start.
var kinds = catalog()

func catalog() map[fact.Type]*kind {
	all := make(map[fact.Type]*kind)
	for _, k := range []*kind{
		ofScenario(fact.TypeTemplatePublished, templatePublished),
		ofScenario(fact.TypeScenarioPublished, scenarioPublished),
		ofScenario(fact.TypeScenarioStatusChanged, statusChanged),
		ofScenario(fact.TypeDependenciesDeclared, dependenciesDeclared),
		ofScenario(fact.TypeScheduleSet, scheduleSet),
		ofScenario(fact.TypeScheduleRemoved, scheduleRemoved),

		ofExecution(fact.TypeRequested, requested),
		ofExecution(fact.TypeStarted, started),
		ofExecution(fact.TypeHeartbeat, heartbeat),
		ofExecution(fact.TypePaused, paused),
		ofExecution(fact.TypeResumed, resumed),
		ofExecution(fact.TypePhaseStarted, phaseStarted),
		ofExecution(fact.TypePhaseFinished, phaseFinished),
		ofExecution(fact.TypeStepStarted, stepStarted),
		ofExecution(fact.TypeStepFinished, stepFinished),
		ofExecution(fact.TypeFaultInjected, faultInjected),
		ofExecution(fact.TypeFaultCleared, faultCleared),
		ofExecution(fact.TypeFaultRecovered, faultRecovered),
		ofExecution(fact.TypeValidationRecorded, validationRecorded),
		ofExecution(fact.TypeSnapshotCaptured, snapshotCaptured),
		ofExecution(fact.TypeLogAppended, logAppended),
		ofExecution(fact.TypeFinished, finished),
		ofExecution(fact.TypeInterrupted, interrupted),
		ofExecution(fact.TypeCancelRequested, cancelRequested),
		ofExecution(fact.TypeFaultClearRequested, clearRequested),
		ofExecution(fact.TypeAnnotated, annotated),
		ofExecution(fact.TypePinned, pinned),
	} {
		all[k.typ] = k
	}
	for typ, omit := range map[fact.Type][]string{
		fact.TypeTemplatePublished: {"definition"},
		fact.TypeScenarioPublished: {"definition"},
		fact.TypeLogAppended:       {"lines"},
		fact.TypeSnapshotCaptured:  {"state", "metrics"},
	} {
		all[typ].omit = omit
	}
	for _, typ := range fact.OwnTypes() {
		all[typ].own = true
	}
	all[fact.TypeLogAppended].bulk, all[fact.TypeSnapshotCaptured].bulk = true, true
	return all
}

func ofExecution[M proto.Message](typ fact.Type, payload func(M) execution.Payload) *kind {
	k := newKind[M](typ)
	k.execution = func(m proto.Message) execution.Payload { return payload(m.(M)) }
	return k
}

func ofScenario[M proto.Message](typ fact.Type, payload func(M) scenario.Payload) *kind {
	k := newKind[M](typ)
	k.scenario = func(m proto.Message) scenario.Payload { return payload(m.(M)) }
	return k
}

func newKind[M proto.Message](typ fact.Type) *kind {
	var none M
	k := &kind{typ: typ, message: none.ProtoReflect().Type()}
	k.plan = newPlan(k.message)
	return k
}

// TypeOf is the event type that a message of the contract is the data of.
func TypeOf(m proto.Message) (fact.Type, error) {
	k, err := kindOf(m)
	if err != nil {
		return "", err
	}
	return k.typ, nil
}

// kindOf is what is known of the type whose data a message is, of those that
// only leave the service too.
func kindOf(m proto.Message) (*kind, error) {
	for _, of := range []map[fact.Type]*kind{kinds, outbound} {
		for _, k := range of {
			if k.message.Descriptor() == m.ProtoReflect().Descriptor() {
				return k, nil
			}
		}
	}
	return nil, fmt.Errorf("%s is not the data of an event", m.ProtoReflect().Descriptor().FullName())
}
