package api_test

import (
	"fmt"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/lock"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

func (w *world) schedule(m *contract.ScheduleSet) *contract.Schedule {
	w.Helper()
	if m.GetScenarioId() == "" {
		m.ScenarioId = "slow"
	}
	return call(w, w.schedules.SetSchedule, &contract.SetScheduleRequest{RequestId: w.request(), Schedule: m}).GetSchedule()
}

// once is a schedule that has just come due.
func once(id string) *contract.ScheduleSet {
	return &contract.ScheduleSet{ScheduleId: id, Kind: "once", RunAt: timestamppb.New(time.Now().Add(-time.Second).Truncate(time.Microsecond))}
}

func TestASetScheduleIsReadAndListedAndRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	parameters, err := structpb.NewStruct(map[string]any{"latency_ms": 250.0})
	if err != nil {
		t.Fatal(err)
	}
	nightly := &contract.ScheduleSet{
		ScheduleId: "nightly", ScenarioId: "slow", Kind: "cron", Cron: "30 2 * * *", TimeZone: "Europe/Berlin", Enabled: proto.Bool(true), ConcurrencyPolicy: "forbid",
		StartingDeadline: durationpb.New(time.Hour), NotAfter: timestamppb.New(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)), Parameters: parameters,
	}
	ask := &contract.SetScheduleRequest{RequestId: w.request(), Schedule: nightly}
	set := call(w, w.schedules.SetSchedule, ask)
	if diff := cmp.Diff(nightly, set.GetSchedule().GetSetting(), protocmp.Transform()); diff != "" {
		t.Errorf("setting (-asked +answered):\n%s", diff)
	}
	if next := set.GetSchedule().GetNextDueAt().AsTime(); !next.After(time.Now()) || next.Minute() != 30 {
		t.Errorf("it is due next at %v", next)
	}
	// The same request again, and one of the same id that wants something else.
	if diff := cmp.Diff(set, call(w, w.schedules.SetSchedule, ask), protocmp.Transform()); diff != "" {
		t.Errorf("answers (-first +second):\n%s", diff)
	}
	refused(w, w.schedules.SetSchedule, &contract.SetScheduleRequest{RequestId: ask.GetRequestId(), Schedule: once("nightly")}, connect.CodeInvalidArgument, "invalid_argument")
	other := proto.CloneOf(nightly)
	other.Cron = "0 3 * * *"
	refused(w, w.schedules.SetSchedule, &contract.SetScheduleRequest{RequestId: ask.GetRequestId(), Schedule: other}, connect.CodeAlreadyExists, "request_id_conflict", "request_id")

	got := call(w, w.schedules.GetSchedule, &contract.GetScheduleRequest{ScheduleId: "nightly"})
	if diff := cmp.Diff(nightly, got.GetSchedule().GetSetting(), protocmp.Transform()); diff != "" {
		t.Errorf("setting (-set +read):\n%s", diff)
	}
	for _, id := range []string{"a", "b", "z"} {
		m := once(id)
		m.ScenarioId = "other"
		w.schedule(m)
	}
	list := func(of string, size int32) (ids []string) {
		r := &contract.ListSchedulesRequest{ScenarioId: of, PageSize: size}
		for {
			page := call(w, w.schedules.ListSchedules, r)
			line := ""
			for _, s := range page.GetSchedules() {
				line += s.GetSetting().GetScheduleId() + " "
			}
			ids = append(ids, line)
			if r.PageToken = page.GetNextPageToken(); r.GetPageToken() == "" {
				return ids
			}
		}
	}
	if diff := cmp.Diff([]string{"a b nightly ", "z "}, list("", 3)); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"nightly "}, list("slow", 3)); diff != "" {
		t.Errorf("pages of one scenario (-want +got):\n%s", diff)
	}
	refused(w, w.schedules.ListSchedules, &contract.ListSchedulesRequest{PageToken: "x"}, connect.CodeInvalidArgument, "invalid_argument", "page_token")

	remove := &contract.RemoveScheduleRequest{RequestId: w.request(), ScheduleId: "nightly"}
	call(w, w.schedules.RemoveSchedule, remove)
	call(w, w.schedules.RemoveSchedule, remove)
	refused(w, w.schedules.RemoveSchedule, &contract.RemoveScheduleRequest{RequestId: w.request(), ScheduleId: "nightly"}, connect.CodeNotFound, "schedule_not_found")
	refused(w, w.schedules.GetSchedule, &contract.GetScheduleRequest{ScheduleId: "nightly"}, connect.CodeNotFound, "schedule_not_found")
	refused(w, w.schedules.PreviewSchedule, &contract.PreviewScheduleRequest{Which: &contract.PreviewScheduleRequest_ScheduleId{ScheduleId: "nightly"}}, connect.CodeNotFound, "schedule_not_found")
	refused(w, w.schedules.ListOccurrences, &contract.ListOccurrencesRequest{ScheduleId: "never"}, connect.CodeNotFound, "schedule_not_found")
	if list := call(w, w.schedules.ListOccurrences, &contract.ListOccurrencesRequest{ScheduleId: "nightly"}); len(list.GetOccurrences()) != 0 {
		t.Errorf("occurrences %v of one that never was due", list.GetOccurrences())
	}
}

func TestAScheduleThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*contract.ScheduleSet)
		reason string
		field  string
	}{
		"no kind":        {func(m *contract.ScheduleSet) { m.Kind = "" }, "invalid_argument", "schedule.kind"},
		"a kind of ours": {func(m *contract.ScheduleSet) { m.Kind = "weekly" }, "invalid_argument", "schedule.kind"},
		"no cron":        {func(m *contract.ScheduleSet) { m.Cron = "" }, "schema", "schedule.cron"},
		"bad cron":       {func(m *contract.ScheduleSet) { m.Cron = "61 * * * *" }, "schema", "schedule.cron"},
		"bad zone":       {func(m *contract.ScheduleSet) { m.TimeZone = "Mars/Base" }, "schema", "schedule.time_zone"},
		"bad id":         {func(m *contract.ScheduleSet) { m.ScheduleId = "-" }, "invalid_argument", "schedule.schedule_id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &contract.ScheduleSet{ScheduleId: "s", ScenarioId: "slow", Kind: "cron", Cron: "0 * * * *"}
			c.change(m)
			refused(w, w.schedules.SetSchedule, &contract.SetScheduleRequest{RequestId: w.request(), Schedule: m}, connect.CodeInvalidArgument, c.reason, c.field)
			refused(w, w.schedules.PreviewSchedule, &contract.PreviewScheduleRequest{Which: &contract.PreviewScheduleRequest_Schedule{Schedule: m}}, connect.CodeInvalidArgument, c.reason, c.field)
		})
	}
}

func TestPreviewSchedule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := &contract.ScheduleSet{ScheduleId: "s", ScenarioId: "slow", Kind: "cron", Cron: "30 2 * * *", TimeZone: "Europe/Berlin", Enabled: proto.Bool(false)}
	w.schedule(m)
	stored := &contract.PreviewScheduleRequest{
		Which: &contract.PreviewScheduleRequest_ScheduleId{ScheduleId: "s"}, After: timestamppb.New(time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)), Count: 1,
	}
	thought := proto.CloneOf(stored)
	thought.Which = &contract.PreviewScheduleRequest_Schedule{Schedule: m}
	want := &contract.PreviewScheduleResponse{
		Upcoming:          []*contract.UpcomingOccurrence{{DueAt: timestamppb.New(time.Date(2026, 3, 30, 0, 30, 0, 0, time.UTC)), LocalTime: "2026-03-30T02:30:00+02:00"}},
		SkippedLocalTimes: []string{"2026-03-29T02:30:00"},
	}
	for _, r := range []*contract.PreviewScheduleRequest{stored, thought} {
		if diff := cmp.Diff(want, call(w, w.schedules.PreviewSchedule, r), protocmp.Transform()); diff != "" {
			t.Errorf("spring (-want +got):\n%s", diff)
		}
	}
	stored.After, stored.Count = timestamppb.New(time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC)), 0
	autumn := call(w, w.schedules.PreviewSchedule, stored).GetUpcoming()
	if len(autumn) != 10 || !autumn[0].GetTwice() || !autumn[1].GetTwice() || autumn[2].GetTwice() || autumn[1].GetLocalTime() != "2026-10-25T02:30:00+01:00" {
		t.Errorf("autumn: %v", autumn)
	}
	refused(w, w.schedules.PreviewSchedule, &contract.PreviewScheduleRequest{}, connect.CodeInvalidArgument, "invalid_argument")
	refused(w, w.schedules.PreviewSchedule, &contract.PreviewScheduleRequest{Which: stored.GetWhich(), Count: 1001}, connect.CodeInvalidArgument, "invalid_argument", "count")
}

// claimDue claims what is due.
func (w *world) claimDue(limit int32, lease time.Duration) *contract.ClaimDueOccurrencesResponse {
	w.Helper()
	return call(w, w.schedules.ClaimDueOccurrences, &contract.ClaimDueOccurrencesRequest{RequestId: w.request(), Claimer: "coordinator-1", Limit: limit, Lease: durationpb.New(lease)})
}

func (w *world) completion(o *contract.Occurrence) *contract.CompleteClaimRequest {
	return &contract.CompleteClaimRequest{
		RequestId: w.request(), ScheduleId: o.GetScheduleId(), OccurrenceId: o.GetOccurrenceId(), Token: o.GetToken(), Outcome: "started", ExecutionId: "exec-" + o.GetScheduleId(), Run: 1,
	}
}

func TestDueOccurrencesAreClaimedAndCompleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	parameters, err := structpb.NewStruct(map[string]any{"latency_ms": 250.0})
	if err != nil {
		t.Fatal(err)
	}
	ask := &contract.ClaimDueOccurrencesRequest{RequestId: w.request(), Claimer: "coordinator-1", Lease: durationpb.New(time.Minute)}
	if none := call(w, w.schedules.ClaimDueOccurrences, ask); len(none.GetClaimed()) != 0 {
		t.Errorf("claimed %v of nothing", none)
	}
	for i := range 3 {
		m := once(fmt.Sprint("s", i))
		m.Parameters = parameters
		w.schedule(m)
	}
	first := call(w, w.schedules.ClaimDueOccurrences, ask)
	if len(first.GetClaimed()) != 1 {
		t.Fatalf("%d claimed, want one by default", len(first.GetClaimed()))
	}
	claimed := first.GetClaimed()[0]
	o := claimed.GetOccurrence()
	if o.GetScheduleId() != "s0" || o.GetKind() != "once" || o.GetStatus() != "claimed" || o.GetToken() != 1 || o.GetClaimedBy() != "coordinator-1" || claimed.GetScenarioId() != "slow" {
		t.Errorf("claimed %v", claimed)
	}
	if diff := cmp.Diff(parameters, claimed.GetParameters(), protocmp.Transform()); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(first, call(w, w.schedules.ClaimDueOccurrences, ask), protocmp.Transform()); diff != "" {
		t.Errorf("answers (-first +second):\n%s", diff)
	}
	if rest := w.claimDue(10, time.Minute).GetClaimed(); len(rest) != 2 {
		t.Errorf("%d claimed by another request, want the other two", len(rest))
	}
	if none := w.claimDue(10, time.Minute); len(none.GetClaimed()) != 0 {
		t.Errorf("claimed again: %v", none)
	}

	renew := &contract.RenewClaimRequest{ScheduleId: "s0", OccurrenceId: o.GetOccurrenceId(), Token: 1, Lease: durationpb.New(time.Hour)}
	if until := call(w, w.schedules.RenewClaim, renew).GetLeaseExpiresAt().AsTime(); until.Before(o.GetLeaseExpiresAt().AsTime().Add(30 * time.Minute)) {
		t.Errorf("renewed until %v", until)
	}
	complete := w.completion(o)
	done := call(w, w.schedules.CompleteClaim, complete)
	want := &contract.OccurrenceRun{ExecutionId: "exec-s0", Run: 1}
	if diff := cmp.Diff(want, done.GetOccurrence().GetRun(), protocmp.Transform()); diff != "" || done.GetOccurrence().GetStatus() != "completed" || done.GetOccurrence().GetOutcome() != "started" {
		t.Errorf("completed as %v", done)
	}
	// The same request again, and the same intention under another id.
	again := w.completion(o)
	for _, r := range []*contract.CompleteClaimRequest{complete, again} {
		if diff := cmp.Diff(done, call(w, w.schedules.CompleteClaim, r), protocmp.Transform()); diff != "" {
			t.Errorf("answers (-first +later):\n%s", diff)
		}
	}
	otherwise := w.completion(o)
	otherwise.Run = 2
	refused(w, w.schedules.CompleteClaim, otherwise, connect.CodeAlreadyExists, "claim_completed", "outcome")
	refused(w, w.schedules.RenewClaim, renew, connect.CodeAborted, "claim_lost", "token")
	listed := call(w, w.schedules.ListOccurrences, &contract.ListOccurrencesRequest{ScheduleId: "s0"}).GetOccurrences()
	if diff := cmp.Diff([]*contract.Occurrence{done.GetOccurrence()}, listed, protocmp.Transform()); diff != "" {
		t.Errorf("occurrences (-completed +listed):\n%s", diff)
	}
}

func TestAClaimThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.schedule(once("s"))
	o := w.claimDue(1, time.Minute).GetClaimed()[0].GetOccurrence()
	for name, c := range map[string]struct {
		change func(*contract.CompleteClaimRequest)
		code   connect.Code
		reason string
		field  string
	}{
		"an older token":     {func(m *contract.CompleteClaimRequest) { m.Token = 7 }, connect.CodeAborted, "claim_lost", "token"},
		"no token":           {func(m *contract.CompleteClaimRequest) { m.Token = 0 }, connect.CodeInvalidArgument, "invalid_argument", "token"},
		"another occurrence": {func(m *contract.CompleteClaimRequest) { m.OccurrenceId = "at:never" }, connect.CodeNotFound, "occurrence_not_found", "occurrence_id"},
		"another schedule":   {func(m *contract.CompleteClaimRequest) { m.ScheduleId = "x" }, connect.CodeNotFound, "occurrence_not_found", "occurrence_id"},
		"no execution":       {func(m *contract.CompleteClaimRequest) { m.ExecutionId, m.Run = "", 0 }, connect.CodeInvalidArgument, "invalid_argument", ""},
		"not started, but an execution": {
			func(m *contract.CompleteClaimRequest) { m.Outcome = "not_started" }, connect.CodeInvalidArgument, "invalid_argument", "",
		},
		"a detail that no row can keep": {func(m *contract.CompleteClaimRequest) { m.Detail = "a\x00" }, connect.CodeInvalidArgument, "invalid_argument", "detail"},
		"a lock that was never given":   {func(m *contract.CompleteClaimRequest) { m.Lock = &contract.LockToken{Name: "staging", Token: 7} }, connect.CodeAborted, "lock_not_held", ""},
		"an outcome of ours":            {func(m *contract.CompleteClaimRequest) { m.Outcome = "passed" }, connect.CodeInvalidArgument, "invalid_argument", "outcome"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := w.completion(o)
			c.change(m)
			var fields []string
			if c.field != "" {
				fields = []string{c.field}
			}
			refused(w, w.schedules.CompleteClaim, m, c.code, c.reason, fields...)
		})
	}
	refused(w, w.schedules.ClaimDueOccurrences, &contract.ClaimDueOccurrencesRequest{RequestId: w.request(), Claimer: "c", Lease: durationpb.New(time.Millisecond)}, connect.CodeInvalidArgument, "invalid_argument", "lease")
	refused(w, w.schedules.RenewClaim, &contract.RenewClaimRequest{ScheduleId: "s", OccurrenceId: "at:never", Token: 1, Lease: durationpb.New(time.Minute)}, connect.CodeNotFound, "occurrence_not_found", "occurrence_id")
}

// What came of an occurrence may rest on a lock: who lost it completes nothing.
func TestACompletionIsGuardedByALock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.schedule(once("s"))
	o := w.claimDue(1, time.Minute).GetClaimed()[0].GetOccurrence()
	held, err := w.store.AcquireLock(t.Context(), lock.Ask{Name: "staging", Holder: "coordinator-1", Lease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	wrong, right := w.completion(o), w.completion(o)
	wrong.Lock = &contract.LockToken{Name: "staging", Token: int64(held.Token) + 1}
	right.Lock = &contract.LockToken{Name: "staging", Token: int64(held.Token)}
	refused(w, w.schedules.CompleteClaim, wrong, connect.CodeAborted, "lock_not_held")
	if listed := call(w, w.schedules.ListOccurrences, &contract.ListOccurrencesRequest{ScheduleId: "s"}).GetOccurrences(); listed[0].GetStatus() != "claimed" {
		t.Errorf("it is %s although the lock was not held", listed[0].GetStatus())
	}
	call(w, w.schedules.CompleteClaim, right)
}

// dueAgain is a schedule of policy replace whose run exec-s is active, and that is
// due again.
func (w *world) dueAgain() {
	w.Helper()
	w.publish("slow", definition("100"))
	m := once("s")
	m.ConcurrencyPolicy = "replace"
	w.schedule(m)
	first := w.claimDue(1, time.Minute).GetClaimed()[0]
	run := call(w, w.executions.RequestExecution, &contract.RequestExecutionRequest{
		RequestId: w.request(), Execution: &contract.ExecutionRequested{ExecutionId: "exec-s", ScenarioId: "slow", Environment: "test"},
	}).GetExecution()
	complete := w.completion(first.GetOccurrence())
	complete.Run = run.GetRun()
	call(w, w.schedules.CompleteClaim, complete)
	again := once("s")
	again.ConcurrencyPolicy = "replace"
	w.schedule(again)
}

// An occurrence of policy replace has the run cancelled that it takes the place
// of, in the transaction that claims it.
func TestAReplacingOccurrenceCancelsTheRunningOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dueAgain()
	second := w.claimDue(1, time.Minute).GetClaimed()
	if len(second) != 1 {
		t.Fatalf("claimed %v", second)
	}
	want := []*contract.OccurrenceRun{{ExecutionId: "exec-s", Run: 1}}
	if diff := cmp.Diff(want, second[0].GetReplaces(), protocmp.Transform()); diff != "" {
		t.Errorf("replaced runs (-want +got):\n%s", diff)
	}
	stored, err := w.store.Run(t.Context(), pgstore.RunKey{ID: "exec-s", Number: 1})
	if err != nil {
		t.Fatal(err)
	}
	if stored.CancelRequestedAt.IsZero() {
		t.Error("nobody asked for the cancel of the run")
	}
}

// The run may end while its cancel is being asked for: nothing was replaced then.
func TestARunThatHasJustEndedIsNotReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dueAgain()
	pool := w.db.Pool(t)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if _, err := tx.Exec(t.Context(), "SELECT FROM test_coordination.execution_ids WHERE execution_id = 'exec-s' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	ask := &contract.ClaimDueOccurrencesRequest{RequestId: w.request(), Claimer: "coordinator-1", Lease: durationpb.New(time.Minute)}
	var claimed *connect.Response[contract.ClaimDueOccurrencesResponse]
	var claim errgroup.Group
	claim.Go(func() (err error) {
		claimed, err = w.schedules.ClaimDueOccurrences(w.Context(), connect.NewRequest(ask))
		return err
	})
	testenv.Eventually(t, "the claim waits for the run", func() bool {
		var waits bool
		err := pool.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')").Scan(&waits)
		return err == nil && waits
	})
	if _, err := tx.Exec(t.Context(), "UPDATE test_coordination.executions SET status = 'passed' WHERE execution_id = 'exec-s'"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := claim.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := claimed.Msg.GetClaimed(); len(got) != 1 || len(got[0].GetReplaces()) != 0 {
		t.Errorf("claimed %v, want one that replaces nothing", got)
	}
	if _, err := pool.Exec(t.Context(), "UPDATE test_coordination.executions SET status = 'pending'"); err != nil { // as its events say
		t.Fatal(err)
	}
}
