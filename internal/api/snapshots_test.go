package api_test

import (
	"fmt"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// capture is said of a snapshot.
func (w *world) capture(id string, state map[string]any, metrics map[string]float64) {
	w.Helper()
	w.say(&contract.ExecutionSnapshotCaptured{
		ExecutionId: "exec-1", SnapshotId: id, Kind: "manual", Service: "exchange", Phase: "injection", Health: "degraded", State: structpb.NewStructValue(parameters(w, state)), Metrics: metrics,
	})
}

func nameOf(id string) *contract.SnapshotName {
	return &contract.SnapshotName{ExecutionId: "exec-1", SnapshotId: id}
}

func TestSnapshots(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"})
	for _, id := range []string{"c", "a", "b"} {
		w.capture(id, map[string]any{"orders": 1}, map[string]float64{"latency": 2.5})
	}
	// The last in order is shown, not the last to arrive.
	captured := &contract.ExecutionSnapshotCaptured{ExecutionId: "exec-1", SnapshotId: "b", Kind: "baseline", Health: "latest"}
	w.say(captured, at(time.Now().Add(time.Second)))
	captured = proto.CloneOf(captured)
	captured.Health = "earliest"
	w.say(captured, at(time.Now().Add(-time.Minute)))
	for _, size := range []int32{0, 1, 2} {
		var got []string
		for _, s := range all(w, w.executions.ListSnapshots, &contract.ListSnapshotsRequest{ExecutionId: "exec-1", PageSize: size}, (*contract.ListSnapshotsResponse).GetSnapshots) {
			got = append(got, fmt.Sprint(s.GetSnapshotId(), " ", s.GetKind(), " ", s.GetHealth(), s.GetState(), len(s.GetMetrics())))
		}
		if diff := cmp.Diff([]string{"a manual degraded0", "b baseline latest0", "c manual degraded0"}, got); diff != "" {
			t.Errorf("by pages of %d (-want +got):\n%s", size, diff)
		}
	}
	// No message can hold this text as it is; a coordinator that writes JSON can.
	const text = `{"b": 1.0,   "a":[12345678901234567890, 1E2],"a":"\u00e9é" }`
	if _, err := w.db.Pool(t).Exec(t.Context(), "UPDATE test_coordination.system_snapshots SET state = $1 WHERE snapshot_id = 'a'", text); err != nil {
		t.Fatal(err)
	}
	got := call(w, w.executions.GetSnapshot, &contract.GetSnapshotRequest{Name: nameOf("a")}).GetSnapshot()
	if got.GetState() != text || got.GetMetrics()["latency"] != 2.5 || got.GetService() != "exchange" || got.GetPhase() != "injection" || got.GetCapturedAt() == nil {
		t.Errorf("snapshot is %v, want the state %s", got, text)
	}
	if b := call(w, w.executions.GetSnapshot, &contract.GetSnapshotRequest{Name: nameOf("b")}).GetSnapshot(); b.GetHealth() != "latest" || b.GetState() != "" || b.GetMetrics() != nil {
		t.Errorf("of an id captured twice: %v", b)
	}
	refused(w, w.executions.GetSnapshot, &contract.GetSnapshotRequest{Name: nameOf("z")}, connect.CodeNotFound, "snapshot_not_found", "name.snapshot_id")
	refused(w, w.executions.GetSnapshot, &contract.GetSnapshotRequest{Name: &contract.SnapshotName{ExecutionId: "none", SnapshotId: "a"}}, connect.CodeNotFound, "execution_not_found", "name.execution_id")
	refused(w, w.executions.GetSnapshot, &contract.GetSnapshotRequest{}, connect.CodeInvalidArgument, "invalid_argument", "name")
	refused(w, w.executions.ListSnapshots, &contract.ListSnapshotsRequest{ExecutionId: "none"}, connect.CodeNotFound, "execution_not_found", "execution_id")
}

func TestDiffSnapshots(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"})
	w.capture("before", map[string]any{"orders": 10, "mode": "normal", "gone": true}, map[string]float64{"latency": 2})
	w.capture("after", map[string]any{"orders": 12, "mode": "normal", "new": []any{1}}, map[string]float64{"latency": 3, "errors": 1})
	got := call(w, w.executions.DiffSnapshots, &contract.DiffSnapshotsRequest{From: nameOf("before"), To: nameOf("after")})
	want := &contract.DiffSnapshotsResponse{
		Changes: []*contract.SnapshotChange{
			{Path: "state.gone", Kind: "removed", From: "true"},
			{Path: "state.new", Kind: "added", To: "[1]"},
			{Path: "state.orders", Kind: "changed", From: "10", To: "12", Delta: "2", Relative: proto.Float64(0.2)},
			{Path: "metrics.errors", Kind: "added", To: "1"},
			{Path: "metrics.latency", Kind: "changed", From: "2", To: "3", Delta: "1", Relative: proto.Float64(0.5)},
		},
		Added: 2, Removed: 1, Changed: 2,
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("difference (-want +got):\n%s", diff)
	}
	refused(w, w.executions.DiffSnapshots, &contract.DiffSnapshotsRequest{From: nameOf("before"), To: nameOf("z")}, connect.CodeNotFound, "snapshot_not_found", "to.snapshot_id")
	refused(w, w.executions.DiffSnapshots, &contract.DiffSnapshotsRequest{From: nameOf("z"), To: nameOf("after")}, connect.CodeNotFound, "snapshot_not_found", "from.snapshot_id")
}

func TestValidateSystemState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"})
	w.capture("baseline", map[string]any{"orders": 10, "mode": "normal", "clock": 1}, map[string]float64{"latency": 2})
	w.capture("now", map[string]any{"orders": 11, "mode": "slow", "clock": 2}, map[string]float64{"latency": 3, "errors": 1})
	r := &contract.ValidateSystemStateRequest{
		Snapshot: nameOf("now"), Baseline: nameOf("baseline"), DefaultTolerance: &contract.StateTolerance{Relative: 0.1},
		Rules: []*contract.StateRule{
			{Path: "state.clock", Ignore: true}, {Path: "metrics.*", Tolerance: &contract.StateTolerance{Absolute: 0.5}}, {Path: "state.unknown", MustEqual: true},
		},
	}
	got := call(w, w.executions.ValidateSystemState, r)
	want := &contract.ValidateSystemStateResponse{
		Deviations: []*contract.StateDeviation{
			{Path: "state.mode", Kind: "not_equal", Baseline: `"normal"`, Actual: `"slow"`},
			{Path: "metrics.errors", Kind: "extra", Actual: "1"},
			{Path: "metrics.latency", Kind: "too_far", Baseline: "2", Actual: "3", Deviation: "1", Relative: proto.Float64(0.5), Allowed: "0.5", Rule: "metrics.*"},
		},
		Deviating: 3, Compared: 3, Ignored: 1, UnusedRules: []string{"state.unknown"},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
	same := call(w, w.executions.ValidateSystemState, &contract.ValidateSystemStateRequest{Snapshot: nameOf("now"), Baseline: nameOf("now")})
	if !same.GetValid() || same.GetCompared() != 5 || len(same.GetDeviations()) != 0 {
		t.Errorf("held against itself: %v", same)
	}
	r.Extra = "ignored"
	if lax := call(w, w.executions.ValidateSystemState, r); lax.GetDeviating() != 2 || lax.GetIgnored() != 2 {
		t.Errorf("where extras are ignored: %v", lax)
	}
	r.Rules[0].MustEqual, r.Rules[1].Path = true, "metrics..x"
	refused(w, w.executions.ValidateSystemState, r, connect.CodeInvalidArgument, "invalid_argument", "rules[0]", "rules[1].path")
	r.Rules[0], r.DefaultTolerance.Absolute = nil, -1
	r.Rules = r.Rules[1:]
	refused(w, w.executions.ValidateSystemState, r, connect.CodeInvalidArgument, "invalid_argument", "default_tolerance.absolute")
	refused(w, w.executions.ValidateSystemState, &contract.ValidateSystemStateRequest{Snapshot: nameOf("now"), Baseline: nameOf("z")}, connect.CodeNotFound, "snapshot_not_found", "baseline.snapshot_id")
}
