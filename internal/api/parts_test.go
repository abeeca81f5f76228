package api_test

import (
	"fmt"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

func TestPartsOfARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"})
	for i, phase := range []string{"setup", "injection", "recovery"} {
		w.say(&contract.ExecutionPhaseStarted{ExecutionId: "exec-1", Phase: phase, Ordinal: proto.Int32(int32(i + 1)), Description: "d"})
	}
	w.say(&contract.ExecutionPhaseFinished{ExecutionId: "exec-1", Phase: "setup", Status: "failed", Error: "no"})
	for _, id := range []string{"b", "a"} {
		for attempt := range int32(2) {
			w.say(&contract.ExecutionStepFinished{
				ExecutionId: "exec-1", StepId: id, Attempt: attempt + 1, Kind: "action", Phase: "injection", Service: "exchange", Action: "delay",
				Parameters: parameters(w, map[string]any{"ms": 5}), Status: "passed", Duration: durationpb.New(1500 * time.Millisecond),
			})
		}
	}
	for i := range 3 {
		w.say(&contract.ExecutionFaultInjected{ExecutionId: "exec-1", FaultId: fmt.Sprint("f", i), FaultType: "latency", TargetService: "exchange", Parameters: parameters(w, map[string]any{"ms": i}), BlastRadius: "one"})
		w.say(&contract.ExecutionValidationRecorded{
			ExecutionId: "exec-1", ValidationId: fmt.Sprint("v", i), AssertionType: "latency", Status: []string{"passed", "failed", "error"}[i], Threshold: proto.Float64(0), Unit: "ms",
			Within: durationpb.New(time.Second), Evidence: structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{structpb.NewNumberValue(1)}}), SteadyState: "during",
		})
		call(w, w.executions.AnnotateExecution, &contract.AnnotateExecutionRequest{RequestId: w.request(), ExecutionId: "exec-1", Text: fmt.Sprint("note ", i)})
	}
	w.say(&contract.ExecutionFaultCleared{ExecutionId: "exec-1", FaultId: "f0"})
	w.say(&contract.ExecutionFaultRecovered{ExecutionId: "exec-1", FaultId: "f0", RecoveryTime: durationpb.New(2 * time.Second)})

	for _, size := range []int32{0, 1, 2} {
		var phases, steps, faults, validations, notes []string
		for _, p := range all(w, w.executions.ListPhases, &contract.ListPhasesRequest{ExecutionId: "exec-1", PageSize: size}, (*contract.ListPhasesResponse).GetPhases) {
			phases = append(phases, fmt.Sprint(p.GetOrdinal(), " ", p.GetPhase(), " ", p.GetStatus(), p.GetError()))
		}
		for _, s := range all(w, w.executions.ListSteps, &contract.ListStepsRequest{ExecutionId: "exec-1", Run: 1, PageSize: size}, (*contract.ListStepsResponse).GetSteps) {
			steps = append(steps, fmt.Sprint(s.GetStepId(), s.GetAttempt(), " ", s.GetDuration().AsDuration(), " ", s.GetParameters().GetFields()["ms"].GetNumberValue()))
		}
		for _, f := range all(w, w.executions.ListFaults, &contract.ListFaultsRequest{ExecutionId: "exec-1", PageSize: size}, (*contract.ListFaultsResponse).GetFaults) {
			faults = append(faults, fmt.Sprint(f.GetFaultId(), " ", f.GetStatus(), " ", f.GetActive(), " ", f.GetRecoveryTime().AsDuration(), " ", f.GetParameters().GetFields()["ms"].GetNumberValue()))
		}
		for _, v := range all(w, w.executions.ListValidations, &contract.ListValidationsRequest{ExecutionId: "exec-1", PageSize: size}, (*contract.ListValidationsResponse).GetValidations) {
			validations = append(validations, fmt.Sprint(v.GetValidationId(), " ", v.GetStatus(), " ", v.Threshold != nil, " ", v.GetWithin().AsDuration(), " ", v.GetEvidence().GetListValue().GetValues()[0].GetNumberValue(), v.GetSteadyState()))
		}
		for _, a := range all(w, w.executions.ListAnnotations, &contract.ListAnnotationsRequest{ExecutionId: "exec-1", PageSize: size}, (*contract.ListAnnotationsResponse).GetAnnotations) {
			notes = append(notes, fmt.Sprint(a.GetRun(), " ", a.GetText(), " ", a.GetAuthor(), " ", a.GetTime() != nil))
		}
		if size != 0 { // the order of phases holds within a page
			phases = nil
		} else if diff := cmp.Diff([]string{"1 setup failedno", "2 injection running", "3 recovery running"}, phases); diff != "" {
			t.Errorf("phases (-want +got):\n%s", diff)
		}
		for _, c := range []struct {
			name      string
			want, got []string
		}{
			{"steps", []string{"a1 1.5s 5", "a2 1.5s 5", "b1 1.5s 5", "b2 1.5s 5"}, steps},
			{"faults", []string{"f0 recovered false 2s 0", "f1 injected true 0s 1", "f2 injected true 0s 2"}, faults},
			{"validations", []string{"v0 passed true 1s 1during", "v1 failed true 1s 1during", "v2 error true 1s 1during"}, validations},
			{"annotations", []string{"1 note 0 anonymous true", "1 note 1 anonymous true", "1 note 2 anonymous true"}, notes},
		} {
			if diff := cmp.Diff(c.want, c.got); diff != "" {
				t.Errorf("%s by pages of %d (-want +got):\n%s", c.name, size, diff)
			}
		}
	}
	if phases := all(w, w.executions.ListPhases, &contract.ListPhasesRequest{ExecutionId: "exec-1", PageSize: 1}, (*contract.ListPhasesResponse).GetPhases); len(phases) != 3 {
		t.Errorf("%d phases by pages of one, want 3", len(phases))
	}
	none := connect.CodeNotFound
	refused(w, w.executions.ListPhases, &contract.ListPhasesRequest{ExecutionId: "none"}, none, "execution_not_found", "execution_id")
	refused(w, w.executions.ListSteps, &contract.ListStepsRequest{ExecutionId: "exec-1", Run: 2}, none, "execution_not_found", "run")
	refused(w, w.executions.ListFaults, &contract.ListFaultsRequest{ExecutionId: "none"}, none, "execution_not_found", "execution_id")
	refused(w, w.executions.ListValidations, &contract.ListValidationsRequest{ExecutionId: "none"}, none, "execution_not_found", "execution_id")
	refused(w, w.executions.ListAnnotations, &contract.ListAnnotationsRequest{ExecutionId: "none"}, none, "execution_not_found", "execution_id")
}

func TestListActiveFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"c", "a", "b"} {
		w.say(&contract.ExecutionStarted{ExecutionId: id, ScenarioId: "slow", Environment: "lab"})
		for _, fault := range []string{"f2", "f1", "f3"} {
			w.say(&contract.ExecutionFaultInjected{ExecutionId: id, FaultId: fault, FaultType: "latency", TargetService: "exchange"})
		}
		w.say(&contract.ExecutionFaultCleared{ExecutionId: id, FaultId: "f3"})
	}
	w.say(&contract.ExecutionFinished{ExecutionId: "b", Outcome: "error"})
	for _, orphaned := range []bool{false, true} {
		want := []string{"a/1 f1 running", "a/1 f2 running", "b/1 f1 error", "b/1 f2 error", "c/1 f1 running", "c/1 f2 running"}
		if orphaned {
			want = want[2:4]
		}
		for _, size := range []int32{0, 1, 3} {
			var got []string
			for _, f := range all(w, w.executions.ListActiveFaults, &contract.ListActiveFaultsRequest{Orphaned: orphaned, PageSize: size}, (*contract.ListActiveFaultsResponse).GetFaults) {
				got = append(got, fmt.Sprintf("%s/%d %s %s", f.GetExecutionId(), f.GetRun(), f.GetFault().GetFaultId(), f.GetExecutionStatus()))
				if !f.GetFault().GetActive() || f.GetFault().GetTargetService() != "exchange" || f.GetScenarioId() != "slow" || f.GetEnvironment() != "lab" {
					t.Errorf("fault %v", f)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("orphaned %t by pages of %d (-want +got):\n%s", orphaned, size, diff)
			}
		}
	}
}
