package event

import (
	"encoding/json"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

const lineCountName = "line_count"

// lineCount is the member that stands in the stored data for the log lines,
// which have rows of their own; empty for other messages.
func lineCount(m proto.Message) string {
	if logs, ok := m.(*contract.ExecutionLogAppended); ok {
		return `"` + lineCountName + `":` + strconv.Itoa(len(logs.GetLines()))
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
		for _, member := range unknown {
			if member.name != lineCountName {
				continue
			}
			if logs.Count, err = strconv.Atoi(string(member.value)); err != nil {
				return nil, fmt.Errorf("read the number of log lines: %w", err)
			}
		}
	}
	return payload, nil
}

// RestoreScenario makes the payload of Header.Data as it was stored.
func RestoreScenario(typ fact.Type, data json.RawMessage) (scenario.Payload, error) {
	k, ok := kinds[typ]
	if !ok || k.scenario == nil {
		return nil, fmt.Errorf("%q is not a type of scenarios, templates or schedules", typ)
	}
	m, _, err := restoreMessage(k, data)
	if err != nil {
		return nil, err
	}
	return k.scenario(m), nil
}

// restoreMessage reads stored data without the limits, which may have been
// others when it was accepted.
func restoreMessage(k *kind, data json.RawMessage) (proto.Message, []member, error) {
	limits := noLimits()
	m := k.message.New()
	r := newJSONReader(data, "data", k.maxTokens(&limits), &limits)
	defer r.free()
	if rejection := r.readMessage(k.plan, m); rejection != nil {
		return nil, nil, fmt.Errorf("read stored data of %s: %w", k.typ, rejection)
	}
	return m.Interface(), r.unknown, nil
}
