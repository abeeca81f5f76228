package checker

import (
	"crypto/sha256"

	"google.golang.org/protobuf/types/known/structpb"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// part reads an event about a part of the run.
func (f *folded) part(e *placed) {
	switch m := e.message.(type) {
	case *contract.ExecutionPhaseStarted:
		f.run["current_phase"] = m.GetPhase()
		p := f.phase(m.GetPhase())
		if m.Ordinal != nil {
			p["ordinal"] = int64(m.GetOrdinal())
		}
		p.say("description", m.GetDescription())
		p.once("started_at", e.when)
		if p["finished_at"] == nil {
			p["status"] = "running"
		}
	case *contract.ExecutionPhaseFinished:
		if p := f.phase(m.GetPhase()); p["finished_at"] == nil {
			p["status"], p["error"], p["finished_at"] = m.GetStatus(), m.GetError(), e.when
		}
	case *contract.ExecutionStepStarted:
		s := f.step(m.GetStepId(), m.GetAttempt())
		s.describeStep(m.GetKind(), m.GetPhase(), m.GetService(), m.GetAction(), m.Parameters)
		// What a finished event says of the beginning is second-hand.
		if k := keyOfStep(m.GetStepId(), m.GetAttempt()); !f.started[k] {
			f.started[k], s["started_at"] = true, e.when
		}
		if s["finished_at"] == nil {
			s["status"] = "running"
		}
	case *contract.ExecutionStepFinished:
		s := f.step(m.GetStepId(), m.GetAttempt())
		s.describeStep(m.GetKind(), m.GetPhase(), m.GetService(), m.GetAction(), m.Parameters)
		if s["finished_at"] == nil {
			s["status"], s["finished_at"], s["duration_seconds"], s["error"] = m.GetStatus(), e.when, secondsOf(m.Duration), m.GetError()
			if !f.started[keyOfStep(m.GetStepId(), m.GetAttempt())] {
				s["started_at"] = timeOf(m.StartedAt)
			}
		}
	case *contract.ExecutionFaultInjected, *contract.ExecutionFaultCleared, *contract.ExecutionFaultRecovered:
		f.fault(e)
	case *contract.ExecutionValidationRecorded:
		f.validations[m.GetValidationId()] = validation(e, m)
	case *contract.ExecutionSnapshotCaptured:
		s := Row{
			"snapshot_id": m.GetSnapshotId(), "arrival": e.arrival, "order_key": []byte(e.order), "kind": m.GetKind(), "service": m.GetService(), "phase": m.GetPhase(),
			"captured_at": e.when, "health": m.GetHealth(), "state": nil, "metrics": nil,
		}
		s.sayJSON("state", m.State)
		if len(m.GetMetrics()) > 0 {
			metrics := map[string]any{}
			for name, value := range m.GetMetrics() {
				metrics[name] = value
			}
			s["metrics"] = anyJSON{metrics}
		}
		f.snapshots[e.arrival] = s
	case *contract.ExecutionLogAppended:
		for n, l := range m.GetLines() {
			line := Row{
				"arrival": e.arrival, "line": int64(n), "logged_at": e.when, "level": l.GetLevel(), "service": l.GetService(), "phase": l.GetPhase(),
				"step_id": l.GetStepId(), "message": l.GetMessage(), "attributes": nil,
			}
			if l.Time != nil {
				line["logged_at"] = l.GetTime().AsTime()
			}
			line.sayJSON("attributes", l.Attributes)
			f.lines[[2]int64{e.arrival, int64(n)}] = line
		}
	}
}

func (f *folded) phase(name string) Row {
	p := f.phases[name]
	if p == nil {
		hash := sha256.Sum256([]byte(name))
		p = Row{"phase": name, "phase_hash": hash[:], "ordinal": nil, "description": "", "status": "pending", "started_at": nil, "finished_at": nil, "error": ""}
		f.phases[name] = p
	}
	return p
}

func (f *folded) step(id string, attempt int32) Row {
	k := keyOfStep(id, attempt)
	s := f.steps[k]
	if s == nil {
		s = Row{
			"step_id": id, "attempt": k.attempt, "kind": "", "phase": "", "service": "", "action": "", "parameters": nil, "status": "pending",
			"started_at": nil, "finished_at": nil, "duration_seconds": nil, "error": "",
		}
		f.steps[k] = s
	}
	return s
}

func (r Row) describeStep(kind, phase, service, action string, parameters *structpb.Struct) {
	r["kind"] = kind
	r.say("phase", phase)
	r.say("service", service)
	r.say("action", action)
	r.sayJSON("parameters", parameters)
}

func (f *folded) fault(e *placed) {
	id := ""
	switch m := e.message.(type) {
	case *contract.ExecutionFaultInjected:
		id = m.GetFaultId()
	case *contract.ExecutionFaultCleared:
		id = m.GetFaultId()
	case *contract.ExecutionFaultRecovered:
		id = m.GetFaultId()
	}
	x := f.faults[id]
	if x == nil {
		x = Row{
			"fault_id": id, "fault_type": "", "target_service": "", "parameters": nil, "phase": "", "step_id": "", "blast_radius": "", "status": "pending",
			"requested_at": nil, "injected_at": nil, "cleared_at": nil, "recovered_at": nil, "recovery_seconds": nil, "error": "", "clear_error": "", "injection": nil,
		}
		f.faults[id] = x
	}
	switch m := e.message.(type) {
	case *contract.ExecutionFaultInjected:
		word := m.GetStatus()
		if word == "" {
			word = "injected"
		}
		x["fault_type"], x["target_service"], x["injection"], x["error"] = m.GetFaultType(), m.GetTargetService(), word, m.GetError()
		x.sayJSON("parameters", m.Parameters)
		x.say("phase", m.GetPhase())
		x.say("step_id", m.GetStepId())
		x.say("blast_radius", m.GetBlastRadius())
		x.once("requested_at", e.when)
		if word != "pending" && word != "failed" {
			x.once("injected_at", e.when)
		}
	case *contract.ExecutionFaultCleared:
		if m.GetError() != "" {
			x["clear_error"] = m.GetError()
		} else {
			x.once("cleared_at", e.when)
		}
	case *contract.ExecutionFaultRecovered:
		if x["recovered_at"] == nil {
			x["recovered_at"], x["recovery_seconds"] = e.when, secondsOf(m.RecoveryTime)
		}
	}
	switch {
	case x["injection"] == "failed": // whatever is cleaned up after it
		x["status"] = "failed"
	case x["recovered_at"] != nil:
		x["status"] = "recovered"
	case x["cleared_at"] != nil:
		x["status"] = "cleared"
	case x["injection"] != nil:
		x["status"] = x["injection"]
	}
}

func validation(e *placed, m *contract.ExecutionValidationRecorded) Row {
	v := Row{
		"validation_id": m.GetValidationId(), "order_key": []byte(e.order), "assertion_type": m.GetAssertionType(), "status": m.GetStatus(), "recorded_at": e.when,
		"phase": m.GetPhase(), "step_id": m.GetStepId(), "fault_id": m.GetFaultId(), "service": m.GetService(), "expected": m.GetExpected(), "actual": m.GetActual(),
		"operator": m.GetOperator(), "threshold": nil, "unit": m.GetUnit(), "within_seconds": secondsOf(m.Within), "observed_after_seconds": secondsOf(m.ObservedAfter),
		"message": m.GetMessage(), "evidence": nil, "steady_state": m.GetSteadyState(), "correlation_id": m.GetCorrelationId(),
	}
	if m.Threshold != nil {
		v["threshold"] = m.GetThreshold()
	}
	v.sayJSON("evidence", m.Evidence)
	return v
}
