package coordsim

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// performance is how a definition is carried out.
type performance struct {
	fails     string // type of the assertions that do not hold
	stopAfter string // name of the phase after which it breaks off
}

// openFault is a fault that was injected and not cleared yet.
type openFault struct{ id, service string }

// perform carries out a definition as a coordinator does: its phases in order,
// actions as steps and, where they harm, as faults, assertions as steps with a
// validation, and what lies between as heartbeats, logs and snapshots.
func (r *run) perform(d *scenario.Definition, p performance) {
	r.lasts = d.Spec.Duration
	var open []openFault
	for i, phase := range d.Spec.Phases {
		r.phase, r.message = phase.Name, phase.Description
		r.say(&contract.ExecutionPhaseStarted{ExecutionId: r.id, Phase: phase.Name, Ordinal: new(int32(i + 1)), Description: phase.Description}) //nolint:gosec // a handful
		if i == 0 {
			r.snapshot("baseline", execution.SnapshotBaseline)
		}
		ends := r.clock.Add(phase.Duration)
		for k, action := range phase.Actions {
			open = r.act(fmt.Sprintf("%s-action-%d", phase.Name, k+1), execution.StepAction, action, open)
		}
		for k, action := range phase.ParallelActions {
			r.passUntil(ends.Add(-phase.Duration + min(action.Delay, phase.Duration)))
			open = r.act(fmt.Sprintf("%s-parallel-%d", phase.Name, k+1), execution.StepParallelAction, action, open)
		}
		r.passUntil(ends.Add(-phase.Duration / 4))
		for k, assertion := range phase.Assertions {
			r.assert(fmt.Sprintf("%s-assertion-%d", phase.Name, k+1), assertion, p)
		}
		r.passUntil(ends)
		r.say(&contract.ExecutionPhaseFinished{ExecutionId: r.id, Phase: phase.Name, Status: "passed"})
		if phase.Name == p.stopAfter {
			return
		}
	}
	r.snapshot("end", execution.SnapshotRecovery)
}

func (r *run) passUntil(t time.Time) {
	if d := t.Sub(r.clock); d > 0 {
		r.pass(d)
	}
}

// act carries out one action, and returns the faults that are open then.
func (r *run) act(step string, kind execution.StepKind, a scenario.Action, open []openFault) []openFault {
	r.say(&contract.ExecutionStepStarted{
		ExecutionId: r.id, StepId: step, Kind: string(kind), Phase: r.phase, Service: a.Service, Action: a.Action, Parameters: parameters(a.Parameters), Attempt: 1,
	})
	began := r.clock
	r.log("info", a.Service, fmt.Sprintf("%s on %s", a.Action, a.Service))
	if strings.HasPrefix(a.Action, "clear") {
		open = r.clear(a.Service, open)
	} else {
		fault := openFault{id: "fault-" + step, service: a.Service}
		r.snapshot("before-"+fault.id, execution.SnapshotPreInjection)
		r.say(&contract.ExecutionFaultInjected{
			ExecutionId: r.id, FaultId: fault.id, FaultType: a.Action, TargetService: a.Service, Parameters: parameters(a.Parameters),
			Phase: r.phase, StepId: step, BlastRadius: "one service", Status: "injected",
		})
		open = append(open, fault)
	}
	r.say(&contract.ExecutionStepFinished{
		ExecutionId: r.id, StepId: step, Kind: string(kind), Phase: r.phase, Service: a.Service, Action: a.Action,
		Status: "passed", Duration: durationpb.New(r.clock.Sub(began)), Attempt: 1,
	})
	return open
}

// clear ends the faults of one service.
func (r *run) clear(service string, open []openFault) []openFault {
	var left []openFault
	for _, fault := range open {
		if fault.service != service {
			left = append(left, fault)
			continue
		}
		r.say(&contract.ExecutionFaultCleared{ExecutionId: r.id, FaultId: fault.id})
		took := time.Duration(1+r.script.random.IntN(9)) * time.Second
		r.pass(took)
		r.say(&contract.ExecutionFaultRecovered{ExecutionId: r.id, FaultId: fault.id, RecoveryTime: durationpb.New(took)})
	}
	return left
}

func (r *run) assert(step string, c scenario.Condition, p performance) {
	expected := string(c.Expect)
	status, actual := "passed", expected
	if c.Type == p.fails {
		status, actual = "failed", "nothing within "+c.Within.String()
		r.log("error", c.Service, c.Type+" does not hold")
	}
	r.say(&contract.ExecutionStepStarted{ExecutionId: r.id, StepId: step, Kind: string(execution.StepAssertion), Phase: r.phase, Service: c.Service, Action: c.Type, Attempt: 1})
	r.validation("validation-"+step, c.Type, c.Service, status, expected, actual)
	r.say(&contract.ExecutionStepFinished{
		ExecutionId: r.id, StepId: step, Kind: string(execution.StepAssertion), Phase: r.phase, Service: c.Service, Action: c.Type, Status: status, Attempt: 1,
	})
}
