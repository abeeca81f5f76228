package event

import (
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// outcomeAliases are other words for how a run ended that producers use.
var outcomeAliases = map[string]execution.Status{
	"completed": execution.StatusPassed,
	"success":   execution.StatusPassed,
	"stopped":   execution.StatusCancelled,
	"failure":   execution.StatusFailed,
}

// normalise turns words that mean the same into one, so that rules, digest and
// tables know only that one. Go durations and null were turned while reading.
func normalise(m proto.Message) {
	switch m := m.(type) {
	case *contract.ExecutionFinished:
		if status, ok := outcomeAliases[m.GetOutcome()]; ok {
			m.Outcome = string(status)
		}
	case *contract.ExecutionLogAppended:
		for _, line := range m.GetLines() {
			line.Level = strings.ToLower(line.GetLevel())
		}
	}
}
