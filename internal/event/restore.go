package event

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// The members that stand in the stored data for what has rows of its own.
const (
	lineCountName   = "line_count"   // for log lines: how many
	lineTimesName   = "line_times"   // for log lines: how their times were written; see lineTimes. Missing from what earlier versions have stored
	contentHashName = "content_hash" // for the text of a definition: its sha-256 in hex
)

// standIn is the member that stands in the stored data for what is left out;
// empty for other messages, and for snapshots, whose row is found by the event.
func standIn(m proto.Message) string {
	switch m := m.(type) {
	case *contract.ExecutionLogAppended:
		return `"` + lineCountName + `":` + strconv.Itoa(len(m.GetLines())) + `,"` + lineTimesName + `":` + lineTimes(m.GetLines())
	case *contract.ScenarioPublished:
		return `"` + contentHashName + `":"` + scenario.HashContent(m.GetDefinition()).String() + `"`
	case *contract.TemplatePublished:
		return `"` + contentHashName + `":"` + scenario.HashContent(m.GetDefinition()).String() + `"`
	}
	return ""
}

// RestoreExecution makes the payload of Header.Data as it was stored. What has
// rows of its own is missing: log lines (their number is there), and state and
// metrics of a snapshot.
func RestoreExecution(typ fact.Type, data json.RawMessage) (execution.Payload, error) {
	k, ok := kinds[typ]
	if !ok || k.execution == nil {
		return nil, fmt.Errorf("%q is not a type of executions", typ)
	}
	m, unknown, err := restoreMessage(k, data)
	if err != nil {
		return nil, err
	}
	payload := k.execution(m)
	if logs, ok := payload.(*execution.LogAppended); ok {
		if logs.Count, err = strconv.Atoi(string(memberNamed(unknown, lineCountName))); err != nil {
			return nil, fmt.Errorf("read the number of log lines: %w", err)
		}
	}
	return payload, nil
}

// RestoreScenario makes the payload of Header.Data as it was stored. The text
// of a definition is missing; its hash is there.
func RestoreScenario(typ fact.Type, data json.RawMessage) (scenario.Payload, error) {
	k, ok := kinds[typ]
	if !ok || k.scenario == nil {
		return nil, fmt.Errorf("%q is not a type of scenarios, templates or schedules", typ)
	}
	m, unknown, err := restoreMessage(k, data)
	if err != nil {
		return nil, err
	}
	payload := k.scenario(m)
	var hash *scenario.ContentHash
	switch p := payload.(type) {
	case *scenario.Published:
		hash = &p.ContentHash
	case *scenario.TemplatePublished:
		hash = &p.ContentHash
	default:
		return payload, nil
	}
	*hash, err = scenario.ParseContentHash(strings.Trim(string(memberNamed(unknown, contentHashName)), `"`))
	if err != nil {
		return nil, fmt.Errorf("read the hash of the definition: %w", err)
	}
	return payload, nil
}

// memberNamed is the value of a member; empty when there is none.
func memberNamed(members []member, name string) []byte {
	for _, m := range members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// restoreMessage reads stored data without the limits, which may have been
// others when it was accepted.
func restoreMessage(k *kind, data json.RawMessage) (proto.Message, []member, error) {
	limits := noLimits()
	m := k.message.New().Interface()
	r := newJSONReader(data, "data", k.maxTokens(&limits), &limits)
	defer r.free()
	if rejection := r.readMessage(k.plan, structOf(m)); rejection != nil {
		return nil, nil, fmt.Errorf("read stored data of %s: %w", k.typ, rejection)
	}
	return m, r.unknown, nil
}
