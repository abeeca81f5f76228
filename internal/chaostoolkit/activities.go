package chaostoolkit

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"path"
	"regexp"
	"strings"
	"time"
	"unicode"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// methodActivity says an activity of the method: an action is a fault, too.
func (c *converter) methodActivity(phase, id string, r *Run) {
	kind := "assertion"
	if r.Activity.Type == TypeAction {
		if kind = "action"; r.Activity.Background {
			kind = "parallel_action"
		}
		status, failure := "injected", ""
		switch r.Status {
		case ActivityFailed:
			status, failure = "failed", reason(r)
		case "":
			failure = interruptedIn
		}
		c.say(r.Start.Time, id+"-fault", &contract.ExecutionFaultInjected{
			ExecutionId: c.out.ExecutionID, FaultId: id, FaultType: called(&r.Activity.Provider), TargetService: c.target(r),
			Parameters: arguments(&r.Activity.Provider), Phase: phase, StepId: id, Status: status, Error: failure,
		})
	}
	c.step(phase, id, r, kind)
	if r.ToleranceMet != nil { // the tool does not look at tolerances here; an extension may
		c.validation(phase, id, "", r)
	}
	c.output(phase, id, r)
	c.exception(phase, id, r)
}

func (c *converter) rollbackActivity(phase, id string, r *Run) {
	c.step(phase, id, r, "rollback")
	c.output(phase, id, r)
	c.exception(phase, id, r)
}

const interruptedIn = "the run was interrupted in this activity"

func (c *converter) step(phase, id string, r *Run, kind string) {
	parameters := arguments(&r.Activity.Provider)
	action := text(r.Activity.Name, nameBytes)
	failure := ""
	switch r.Status {
	case ActivityFailed:
		failure = reason(r)
	case "":
		failure = interruptedIn
	}
	c.say(r.Start.Time, id+"-started", &contract.ExecutionStepStarted{
		ExecutionId: c.out.ExecutionID, StepId: id, Kind: kind, Phase: phase, Service: c.target(r), Action: action, Parameters: parameters,
	})
	finished := &contract.ExecutionStepFinished{
		ExecutionId: c.out.ExecutionID, StepId: id, Kind: kind, Phase: phase, Service: c.target(r), Action: action,
		Status: string(r.step()), StartedAt: timestamppb.New(r.Start.Time), Error: failure,
	}
	if !r.End.IsZero() {
		finished.Duration = seconds(r.Duration)
	}
	c.say(c.endOf(r), id+"-finished", finished)
}

// seconds is a duration as the tool measured it, to the nanosecond.
func seconds(s float64) *durationpb.Duration {
	const most = 3155760000 // of the contract
	whole, part := math.Modf(min(s, most))
	nanos := int64(math.Round(part * 1e9)) // a second, perhaps
	return &durationpb.Duration{Seconds: int64(whole) + nanos/1e9, Nanos: int32(nanos % 1e9)}
}

func (c *converter) validation(phase, id, part string, r *Run) {
	evidence := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	member(evidence, "output", r.Output)
	member(evidence, "tolerance", r.Activity.Tolerance)
	evidence.Fields["status"] = structpb.NewStringValue(r.Status)
	if r.ToleranceMet != nil {
		evidence.Fields["tolerance_met"] = structpb.NewBoolValue(*r.ToleranceMet)
	}
	c.say(c.endOf(r), id+"-validation", &contract.ExecutionValidationRecorded{
		ExecutionId: c.out.ExecutionID, ValidationId: id, AssertionType: text(r.Activity.Name, nameBytes), Status: string(r.validation()),
		Phase: phase, StepId: id, Service: c.target(r), Expected: shownAs(r.Activity.Tolerance), Actual: shownAs(r.Output),
		Operator: operator(r.Activity.Tolerance), Message: reason(r), Evidence: structpb.NewStructValue(evidence), SteadyState: part,
	})
}

// operator is the type that a tolerance names; a value alone is compared.
func operator(tolerance json.RawMessage) string {
	var named struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(tolerance, &named) == nil && named.Type != "" {
		return text(named.Type, nameBytes)
	}
	if !present(tolerance) || tolerance[0] == '[' || tolerance[0] == '{' {
		return ""
	}
	return "="
}

// output keeps what an activity returned that no validation has, as a log line.
func (c *converter) output(phase, id string, r *Run) {
	if !present(r.Output) || r.ToleranceMet != nil {
		return
	}
	attributes := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	member(attributes, "output", r.Output)
	if _, whole := attributes.Fields["output"]; !whole {
		c.note("output of %s (%s) is kept as JSON text, cut at %d bytes", id, oneLine(r.Activity.Name), textBytes)
	}
	c.log(c.endOf(r), phase, id, id+"-output", "info", text("output of "+r.Activity.Name, nameBytes), attributes)
}

// exception keeps the traceback of an activity as a log line.
func (c *converter) exception(phase, id string, r *Run) {
	if len(r.Exception) == 0 {
		return
	}
	c.log(c.endOf(r), phase, id, id+"-exception", "error", cmp.Or(text(strings.Join(r.Exception, ""), textBytes), "an exception without a text"), nil)
}

func (c *converter) log(at time.Time, phase, step, place, level, message string, attributes *structpb.Struct) {
	c.say(at, place, &contract.ExecutionLogAppended{ExecutionId: c.out.ExecutionID, Lines: []*contract.LogLine{{
		Message: message, Time: timestamppb.New(at), Level: level, Service: "chaostoolkit", Phase: phase, StepId: step, Attributes: attributes,
	}}})
}

// reason is the last line of an activity's traceback, which says what happened.
func reason(r *Run) string {
	lines := strings.Split(strings.TrimSpace(strings.Join(r.Exception, "")), "\n")
	return text(strings.TrimSpace(lines[len(lines)-1]), 4<<10)
}

// called is what an activity calls, in a word.
func called(p *Provider) string {
	switch {
	case p.Func != "":
		return text(strings.TrimPrefix(p.Module+"."+p.Func, "."), nameBytes)
	case p.Path != "":
		return text("process "+path.Base(p.Path), nameBytes)
	}
	return cmp.Or(text(p.Type, nameBytes), "action")
}

// target is the service that an activity is about: what its arguments name as
// service, else what the experiment does, else the experiment itself.
func (c *converter) target(r *Run) string {
	var named struct {
		Service any `json:"service"`
	}
	if json.Unmarshal(r.Activity.Provider.Arguments, &named) == nil {
		if s, ok := named.Service.(string); ok && s != "" && !strings.HasPrefix(s, "${") {
			return text(s, nameBytes)
		}
	}
	return cmp.Or(c.service, text(c.experiment.Title, nameBytes))
}

// serviceOf is the service that an experiment names: "service" in its
// configuration, or a tag "service:NAME".
func serviceOf(e *Experiment) string {
	var configuration struct {
		Service any `json:"service"`
	}
	if json.Unmarshal(e.Configuration, &configuration) == nil {
		if s, ok := configuration.Service.(string); ok && s != "" {
			return text(s, nameBytes)
		}
	}
	var tags []any
	if json.Unmarshal(e.Tags, &tags) == nil {
		for _, t := range tags {
			if s, ok := t.(string); ok {
				if name, ok := strings.CutPrefix(s, "service:"); ok && name != "" {
					return text(name, nameBytes)
				}
			}
		}
	}
	return ""
}

var notSlug = regexp.MustCompile(`[^a-z0-9]+`)

// slugOf is a title as an id. Where letters or digits are lost on the way, or the
// end, part of the title's hash keeps titles apart that differ in them.
func slugOf(title string) string {
	const most = 80
	slug := strings.Trim(notSlug.ReplaceAllString(strings.ToLower(title), "-"), "-")
	lost := len(slug) > most || slug == "" || strings.ContainsFunc(title, func(r rune) bool {
		return r > unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsNumber(r))
	})
	if !lost {
		return slug
	}
	sum := sha256.Sum256([]byte(title))
	slug = strings.Trim(slug[:min(len(slug), most)], "-")
	return strings.TrimPrefix(slug+"-"+hex.EncodeToString(sum[:4]), "-")
}
