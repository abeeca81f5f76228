package report

import (
	"fmt"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// verdictOf says why the run has its status.
func verdictOf(x execution.Explanation, r *Report) Verdict {
	v := Verdict{Status: x.Status, Reported: x.ReportedOutcome, Decisions: []Decision{}}
	v.Headline = headline(v, r)
	for _, d := range x.Decisions {
		decision := Decision{Topic: d.Topic, Value: d.Value, Reason: d.Reason, Events: []EventRef{}}
		for _, e := range d.Events {
			decision.Events = append(decision.Events, EventRef{Source: e.Source, ID: cutText(e.ID), Type: string(e.Type), Time: moment(e.Time)})
		}
		v.Decisions = append(v.Decisions, cutMoment(decision, d))
	}
	return v
}

// cutMoment makes the value of a decision that is a time the one that rows have.
func cutMoment(d Decision, told execution.Decision) Decision {
	switch d.Topic {
	case execution.TopicStarted, execution.TopicEnded, execution.TopicInterrupted:
		if len(told.Events) > 0 {
			d.Value = moment(told.Events[0].Time).Format("2006-01-02T15:04:05.999999Z07:00")
		}
	case execution.TopicStatus, execution.TopicFailedValidations:
	}
	return d
}

// headline is the run in one sentence; it holds no text of a producer.
func headline(v Verdict, r *Report) string {
	m := &r.Metrics
	if v.Status == execution.StatusPending && m.Validations.Total() == 0 && m.Faults == 0 {
		return "Pending: the run has not begun."
	}
	word := strings.ToUpper(string(v.Status)[:1]) + string(v.Status)[1:]
	if r.Run.Duration != nil {
		word += " after " + spell(*r.Run.Duration)
	}
	var facts []string
	if v.Reported == execution.StatusPassed && v.Status == execution.StatusFailed {
		facts = append(facts, "the coordinator reported passed")
	}
	switch decided := m.Validations.decided(); {
	case decided > 0:
		facts = append(facts, fmt.Sprintf("%d of %s held", m.Validations.Passed, counted(decided, "validation")))
	case r.Provisional:
		facts = append(facts, "nothing was validated yet")
	default:
		facts = append(facts, "nothing was validated")
	}
	if m.Faults > 0 {
		facts = append(facts, fmt.Sprintf("%d of %s recovered", m.FaultsRecovered, counted(m.Faults, "fault")))
	}
	if m.FaultsActive > 0 {
		facts = append(facts, fmt.Sprintf("%d still active", m.FaultsActive))
	}
	if m.StepsFailed > 0 {
		facts = append(facts, fmt.Sprintf("%d of %s failed", m.StepsFailed, counted(m.Steps, "step")))
	}
	last := len(facts) - 1
	if last == 0 {
		return word + ": " + facts[0] + "."
	}
	return word + ": " + strings.Join(facts[:last], ", ") + " and " + facts[last] + "."
}
