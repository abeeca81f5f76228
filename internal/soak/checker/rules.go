package checker

import (
	"crypto/sha256"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/reflect/protoreflect"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// rule is what the contract says of one field: it is required, and one of the
// words where there are any.
type rule struct {
	field string
	words []string
}

var (
	partWords       = []string{"passed", "failed", "skipped", "error"}
	stepWords       = []string{"action", "parallel_action", "assertion", "wait", "rollback"}
	outcomeWords    = []string{"passed", "failed", "error", "cancelled", "timeout"}
	snapshotWords   = []string{"baseline", "periodic", "pre_injection", "post_injection", "recovery", "manual"}
	scenarioWords   = []string{"draft", "active", "archived", "deprecated"}
	scheduleWords   = []string{"once", "cron", "after_scenario", "event"}
	dependencyWords = []string{"requires_success", "requires_run", "conflicts_with", "must_not_overlap"}
)

// rules are the required fields of each type, beside the subject's id.
var rules = map[string][]rule{
	"template.published":            {{"definition", nil}},
	"scenario.published":            {{"definition", nil}},
	"scenario.status_changed":       {{"status", scenarioWords}},
	"schedule.set":                  {{"scenario_id", nil}, {"kind", scheduleWords}},
	"execution.requested":           {{"scenario_id", nil}},
	"execution.phase_started":       {{"phase", nil}},
	"execution.phase_finished":      {{"phase", nil}, {"status", partWords}},
	"execution.step_started":        {{"step_id", nil}, {"kind", stepWords}},
	"execution.step_finished":       {{"step_id", nil}, {"kind", stepWords}, {"status", partWords}},
	"execution.fault_injected":      {{"fault_id", nil}, {"fault_type", nil}, {"target_service", nil}},
	"execution.fault_cleared":       {{"fault_id", nil}},
	"execution.fault_recovered":     {{"fault_id", nil}},
	"execution.validation_recorded": {{"validation_id", nil}, {"assertion_type", nil}, {"status", partWords}},
	"execution.snapshot_captured":   {{"snapshot_id", nil}, {"kind", snapshotWords}},
	"execution.finished":            {{"outcome", outcomeWords}},
}

// hold holds the data to the rules.
func hold(e *event) (reason string) {
	m := e.message.ProtoReflect()
	fields := m.Descriptor().Fields()
	id := m.Get(fields.ByNumber(1)).String()
	switch {
	case id == "":
		return "schema"
	case !idForm.MatchString(id):
		return "id"
	}
	for _, r := range rules[e.name] {
		value := m.Get(fields.ByName(protoreflect.Name(r.field))).String()
		if value == "" || r.words != nil && !slices.Contains(r.words, value) {
			return "schema"
		}
		if strings.HasSuffix(r.field, "_id") && !idForm.MatchString(value) {
			return "id"
		}
	}
	switch m := e.message.(type) {
	case *contract.ExecutionHeartbeat:
		if m.Progress != nil && (m.GetProgress() < 0 || m.GetProgress() > 1) {
			return "range"
		}
	case *contract.ExecutionLogAppended:
		if len(m.GetLines()) == 0 {
			return "schema"
		}
	}
	if id != e.subject {
		return "subject_mismatch"
	}
	return holdDefinition(e)
}

// holdDefinition holds definitions and dependencies to what does not depend on
// what else is known.
func holdDefinition(e *event) (reason string) {
	switch m := e.message.(type) {
	case *contract.TemplatePublished:
		if !wellFormed(m.GetDefinition(), true) {
			return "definition"
		}
	case *contract.ScenarioPublished:
		if !wellFormed(m.GetDefinition(), false) {
			return "definition"
		}
	case *contract.ScenarioDependenciesDeclared:
		for _, d := range m.GetDependencies() {
			if !slices.Contains(dependencyWords, d.GetKind()) {
				return "schema"
			}
			if d.GetDependsOn() == m.GetScenarioId() {
				return "cycle"
			}
		}
	}
	return ""
}

// wellFormed tells whether a definition is a named document of the language, or
// for scenarios any other text. It judges no more of the language than that.
func wellFormed(text string, template bool) bool {
	var d struct {
		APIVersion string `yaml:"apiVersion"`
		Metadata   struct {
			Name string `yaml:"name"`
		} `yaml:"metadata"`
	}
	if err := yaml.Unmarshal([]byte(text), &d); err != nil || d.APIVersion != "chaos.trading/v1" {
		return !template
	}
	return d.Metadata.Name != ""
}

func contentHash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}
