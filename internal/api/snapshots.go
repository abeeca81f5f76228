package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

func (s *executions) ListSnapshots(ctx context.Context, r *connect.Request[contract.ListSnapshotsRequest]) (*connect.Response[contract.ListSnapshotsResponse], error) {
	run, err := s.run(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	l := listing[pgstore.Snapshot, string, *contract.Snapshot]{
		run: run, read: ofRun(run, s.Store.Snapshots), bite: largestPage,
		place: func(v *pgstore.Snapshot) string { return v.ID }, message: snapshotMessage,
	}
	snapshots, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.ListSnapshotsResponse{Snapshots: snapshots, NextPageToken: next}), nil
}

func snapshotMessage(v *pgstore.Snapshot) *contract.Snapshot {
	return &contract.Snapshot{
		SnapshotId: v.ID, Kind: string(v.Kind), Service: v.Service, Phase: v.Phase, CapturedAt: moment(v.CapturedAt), Health: v.Health, State: string(v.State),
	}
}

// snapshot is the snapshot that a field of a request names; it must be there.
func (s *executions) snapshot(ctx context.Context, field string, name *contract.SnapshotName) (pgstore.Snapshot, error) {
	run, err := s.run(ctx, name)
	if err != nil {
		var f *failure
		if errors.As(err, &f) {
			f.field = field + "." + f.field
		}
		return pgstore.Snapshot{}, err
	}
	found, err := s.Store.Snapshot(ctx, run, name.GetSnapshotId())
	if errors.Is(err, pgstore.ErrNotFound) {
		return pgstore.Snapshot{}, &failure{
			code: connect.CodeNotFound, reason: "snapshot_not_found", message: fmt.Sprintf("run %d of %s has no snapshot %s", run.Number, run.ID, name.GetSnapshotId()),
			field: field + ".snapshot_id", rule: "a snapshot of that run",
		}
	}
	return found, err
}

func (s *executions) GetSnapshot(ctx context.Context, r *connect.Request[contract.GetSnapshotRequest]) (*connect.Response[contract.GetSnapshotResponse], error) {
	found, err := s.snapshot(ctx, "name", r.Msg.GetName())
	if err != nil {
		return nil, err
	}
	m := snapshotMessage(&found)
	if found.Metrics != nil {
		if err := json.Unmarshal(found.Metrics, &m.Metrics); err != nil {
			return nil, fmt.Errorf("read the metrics of snapshot %s: %w", found.ID, err)
		}
	}
	return connect.NewResponse(&contract.GetSnapshotResponse{Snapshot: m}), nil
}

// mostDifferences bounds how many differences of two snapshots are told.
const mostDifferences = 1000

func (s *executions) DiffSnapshots(ctx context.Context, r *connect.Request[contract.DiffSnapshotsRequest]) (*connect.Response[contract.DiffSnapshotsResponse], error) {
	from, err := s.snapshot(ctx, "from", r.Msg.GetFrom())
	if err != nil {
		return nil, err
	}
	to, err := s.snapshot(ctx, "to", r.Msg.GetTo())
	if err != nil {
		return nil, err
	}
	d, err := execution.DiffSnapshots(from.SnapshotContent, to.SnapshotContent, mostDifferences)
	if err != nil {
		return nil, err
	}
	answer := &contract.DiffSnapshotsResponse{Added: int32(d.Added), Removed: int32(d.Removed), Changed: int32(d.Changed), Truncated: d.Truncated}
	for _, c := range d.Changes {
		answer.Changes = append(answer.Changes, &contract.SnapshotChange{
			Path: c.Path, Kind: string(c.Kind), From: c.Before, To: c.After, Delta: c.Delta, Relative: c.Relative,
		})
	}
	return connect.NewResponse(answer), nil
}

func (s *executions) ValidateSystemState(ctx context.Context, r *connect.Request[contract.ValidateSystemStateRequest]) (*connect.Response[contract.ValidateSystemStateResponse], error) {
	check, problems := execution.NewStateCheck(stateRules(r.Msg))
	if len(problems) > 0 {
		return nil, rulesRefused(problems)
	}
	baseline, err := s.snapshot(ctx, "baseline", r.Msg.GetBaseline())
	if err != nil {
		return nil, err
	}
	actual, err := s.snapshot(ctx, "snapshot", r.Msg.GetSnapshot())
	if err != nil {
		return nil, err
	}
	v, err := check.Check(baseline.SnapshotContent, actual.SnapshotContent, mostDifferences)
	if err != nil {
		return nil, err
	}
	answer := &contract.ValidateSystemStateResponse{
		Valid: v.Within, Deviating: int32(v.Deviating), Compared: int32(v.Compared), Ignored: int32(v.Ignored), Truncated: v.Truncated, UnusedRules: v.UnusedRules,
	}
	for _, d := range v.Deviations {
		answer.Deviations = append(answer.Deviations, &contract.StateDeviation{
			Path: d.Path, Kind: string(d.Kind), Baseline: d.Baseline, Actual: d.Actual, Deviation: d.Deviation, Relative: d.Relative, Allowed: d.Allowed, Rule: d.Rule,
		})
	}
	return connect.NewResponse(answer), nil
}

func stateRules(r *contract.ValidateSystemStateRequest) execution.StateRules {
	rules := execution.StateRules{Default: tolerance(r.GetDefaultTolerance()), Missing: execution.PathPolicy(r.GetMissing()), Extra: execution.PathPolicy(r.GetExtra())}
	for _, rule := range r.GetRules() {
		rules.Rules = append(rules.Rules, execution.StateRule{
			Path: rule.GetPath(), Tolerance: tolerance(rule.GetTolerance()), Ignore: rule.GetIgnore(), MustEqual: rule.GetMustEqual(),
		})
	}
	return rules
}

func tolerance(t *contract.StateTolerance) execution.Tolerance {
	return execution.Tolerance{Absolute: t.GetAbsolute(), Relative: t.GetRelative()}
}

// rulesRefused names everything that is wrong with the rules of a request, whose
// fields are named as the domain names them.
func rulesRefused(problems []execution.RuleProblem) *failure {
	all := &errdetails.BadRequest{}
	f := &failure{code: connect.CodeInvalidArgument, reason: "invalid_argument"}
	for i, p := range problems {
		all.FieldViolations = append(all.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: p.Field, Description: p.Message, Reason: "state_rule"})
		if i > 0 {
			f.message += "; "
		}
		f.message += named(p.Field, p.Value, p.Message)
	}
	f.details = []proto.Message{all}
	return f
}
