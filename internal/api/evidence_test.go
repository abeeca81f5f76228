package api_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/evidence"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1/testcoordinationv1connect"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
)

// export asks for a bundle, and gives the file and the last answer.
func (w *world) export(m *contract.ExportEvidenceRequest) ([]byte, *contract.ExportEvidenceResponse, error) {
	w.Helper()
	client := testcoordinationv1connect.NewEvidenceServiceClient(w.Client, w.url)
	stream, err := client.ExportEvidence(w.Context(), connect.NewRequest(m))
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = stream.Close() }()
	var file bytes.Buffer
	last := &contract.ExportEvidenceResponse{}
	for n := 0; stream.Receive(); n++ {
		last = stream.Msg()
		file.Write(last.GetChunk())
		if (n == 0) != (last.GetFileName() != "") {
			w.Errorf("answer %d is of a file %q", n, last.GetFileName())
		}
	}
	return file.Bytes(), last, stream.Err()
}

// verified is a bundle that must hold together.
func (w *world) verified(m *contract.ExportEvidenceRequest) *evidence.Result {
	w.Helper()
	file, last, err := w.export(m)
	if err != nil {
		w.Fatal(err)
	}
	r, err := evidence.Verify(w.Context(), bytes.NewReader(file), int64(len(file)), evidence.Expected{Report: last.GetReportSha256(), Manifest: last.GetManifestSha256()})
	if err != nil {
		w.Fatal(err)
	}
	for _, f := range r.Findings {
		w.Error(f)
	}
	return r
}

// ended is a run with everything that is stored in rows of its own, said out of order
// and in many forms.
func (w *world) ended(id, version string) {
	w.Helper()
	began := time.Now().UTC().Add(-time.Minute)
	at := func(n int) func(*event.Outgoing) {
		return func(o *event.Outgoing) {
			o.Sequence, o.Time, o.RunID = fact.Sequence(n), began.Add(time.Duration(n)*time.Second), "run-1"
			o.CorrelationID, o.Extensions = "order 66", map[string]string{"tenant": "t1"}
		}
	}
	line := func(message string, time *timestamppb.Timestamp, attributes map[string]any) *contract.LogLine {
		l := &contract.LogLine{Message: message, Time: time, Level: "WARN", Service: "exchange"}
		if attributes != nil {
			l.Attributes = parameters(w, attributes)
		}
		return l
	}
	w.say(&contract.ExecutionLogAppended{ExecutionId: id, Lines: []*contract.LogLine{
		line("to the nanosecond", timestamppb.New(began.Truncate(time.Second).Add(123_456_789)), nil),
		line("without a time\n\x1b[2J", nil, map[string]any{"b": 1e20, "a": []any{nil, true, "x"}, "": -0.5}),
		line("to the microsecond", timestamppb.New(began.Truncate(time.Second).Add(5*time.Microsecond)), map[string]any{}),
	}}, at(5))
	w.say(&contract.ExecutionStarted{ExecutionId: id, ScenarioId: "slow", ScenarioVersion: version, Environment: "staging", CoordinatorId: "c-1"}, at(1))
	w.say(&contract.ExecutionSnapshotCaptured{ExecutionId: id, SnapshotId: "s", Kind: "baseline", State: value(w, `{"b":[1,1e20,-0.0],"a":null}`), Metrics: map[string]float64{"p99": 12.5, "n": 5e-324}}, at(3))
	w.say(&contract.ExecutionSnapshotCaptured{ExecutionId: id, SnapshotId: "s", Kind: "periodic"}, at(4))
	w.say(&contract.ExecutionHeartbeat{ExecutionId: id, SystemState: parameters(w, map[string]any{"exchange": "up"})}, at(2))
	for n := range 120 {
		w.say(&contract.ExecutionLogAppended{ExecutionId: id, Lines: []*contract.LogLine{line(fmt.Sprintf("line %d", n), nil, nil), line("and", timestamppb.New(began.Add(time.Duration(n%7)*time.Hour)), nil)}}, at(10+n))
	}
	w.say(&contract.ExecutionFinished{ExecutionId: id, Outcome: "passed", Summary: value(w, `{"a":1e-7}`)}, at(500))
}

func TestExportedEvidenceIsVerified(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("slow", definition("100"))
	w.ended("exec-1", "1")
	call(w, w.executions.AnnotateExecution, &contract.AnnotateExecutionRequest{RequestId: w.request(), ExecutionId: "exec-1", Text: "seen"})
	call(w, w.executions.PinExecution, &contract.PinExecutionRequest{RequestId: w.request(), ExecutionId: "exec-1", Pinned: true})
	w.freeze("exec-1")
	r := w.verified(&contract.ExportEvidenceRequest{ExecutionId: "exec-1"})
	for _, c := range r.Checks {
		if c.Outcome != evidence.Holds {
			t.Errorf("%s: %s, %s", c.Check, c.Outcome, c.Detail)
		}
	}
	if r.Events != 127 || r.Inexact != 0 || r.Run != 1 || r.Status != "passed" {
		t.Errorf("result %+v", r)
	}
	first, _, err := w.export(&contract.ExportEvidenceRequest{ExecutionId: "exec-1", Run: 1})
	if err != nil {
		t.Fatal(err)
	}
	if again, _, err := w.export(&contract.ExportEvidenceRequest{ExecutionId: "exec-1"}); err != nil || !bytes.Equal(first, again) {
		t.Errorf("exported again: error %v, the same %t", err, bytes.Equal(first, again))
	}
}

// What was altered in the database shows in the bundle.
func TestEvidenceShowsWhatWasAltered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct{ alter, undo string }{
		"line": {
			`UPDATE test_coordination.execution_logs SET message = 'other' WHERE execution_id = $1 AND message = 'line 7'`,
			`UPDATE test_coordination.execution_logs SET message = 'line 7' WHERE execution_id = $1 AND message = 'other'`,
		},
		"snapshot": {
			`UPDATE test_coordination.system_snapshots SET metrics = '{"p99": 1}' WHERE execution_id = $1 AND kind = 'baseline'`,
			`UPDATE test_coordination.system_snapshots SET metrics = '{"n": 5e-324, "p99": 12.5}' WHERE execution_id = $1 AND kind = 'baseline'`,
		},
		"event": {
			`UPDATE test_coordination.execution_events SET data = jsonb_set(data, '{environment}', '"prod"') WHERE execution_id = $1 AND type LIKE '%.started.v1'`,
			`UPDATE test_coordination.execution_events SET data = jsonb_set(data, '{environment}', '"staging"') WHERE execution_id = $1 AND type LIKE '%.started.v1'`,
		},
	} {
		id := "exec-" + name
		w.ended(id, "")
		pool := w.db.Pool(t)
		change := func(statement string) {
			if tag, err := pool.Exec(t.Context(), statement, id); err != nil || tag.RowsAffected() != 1 {
				t.Fatalf("%s: altered %d rows, error %v", name, tag.RowsAffected(), err)
			}
		}
		change(c.alter)
		w.freeze(id)
		file, _, err := w.export(&contract.ExportEvidenceRequest{ExecutionId: id})
		if err != nil {
			t.Fatal(err)
		}
		r, err := evidence.Verify(t.Context(), bytes.NewReader(file), int64(len(file)), evidence.Expected{})
		if err != nil || len(r.Findings) != 1 || r.Findings[0].Check != evidence.CheckEvents || !strings.Contains(r.Findings[0].Problem, "does not give the digest") {
			t.Errorf("%s: error %v, result %+v", name, err, r)
		}
		change(c.undo)
		w.freeze(id)
		if r := w.verified(&contract.ExportEvidenceRequest{ExecutionId: id}); !r.Verified {
			t.Errorf("%s: what was restored differs", name)
		}
	}
}

// Evidence is of a frozen report, with the reports that it speaks of as far as they
// are kept; one that later events have outdated has none.
func TestEvidenceOfFrozenReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("slow", definition("100"))
	w.ended("exec-0", "1")
	earlier := w.freeze("exec-0")
	w.ended("exec-1", "1")
	_, _, err := w.export(&contract.ExportEvidenceRequest{ExecutionId: "exec-1"})
	w.refusal("no report", err, connect.CodeNotFound, "report_not_found", "revision")

	first := w.freeze("exec-1")
	r := w.verified(&contract.ExportEvidenceRequest{ExecutionId: "exec-1", Revision: 1})
	if r.Revision != 1 || r.Report != first.GetSha256() {
		t.Errorf("revision %d, report %s", r.Revision, r.Report)
	}
	file, _, err := w.export(&contract.ExportEvidenceRequest{ExecutionId: "exec-1"})
	if err != nil {
		t.Fatal(err)
	}
	holds := filesIn(t, file)
	for _, name := range []string{"report.html", "compared/" + earlier.GetSha256() + ".json"} {
		if !holds[name] {
			t.Errorf("the bundle has no %s: %v", name, holds)
		}
	}
	_, _, err = w.export(&contract.ExportEvidenceRequest{ExecutionId: "exec-1", Revision: 7})
	w.refusal("an unknown revision", err, connect.CodeNotFound, "report_not_found", "revision")

	call(w, w.executions.AnnotateExecution, &contract.AnnotateExecutionRequest{RequestId: w.request(), ExecutionId: "exec-1", Text: "late"})
	_, last, err := w.export(&contract.ExportEvidenceRequest{ExecutionId: "exec-1"})
	w.refusal("an outdated report", err, connect.CodeFailedPrecondition, "report_outdated")
	if last.GetManifestSha256() != "" {
		t.Error("a file that is none is called whole")
	}
	if _, err := w.db.Pool(t).Exec(t.Context(), `DELETE FROM test_coordination.reports WHERE execution_id = 'exec-0'`); err != nil {
		t.Fatal(err)
	}
	w.freeze("exec-1")
	if r := w.verified(&contract.ExportEvidenceRequest{ExecutionId: "exec-1"}); r.Revision != 2 {
		t.Errorf("revision %d", r.Revision)
	}
}

// freeze has the report of a run built now.
func (w *world) freeze(id string) *contract.ReportInfo {
	w.Helper()
	return call(w, w.reports.GenerateReport, &contract.GenerateReportRequest{RequestId: w.request(), ExecutionId: id}).GetReport()
}

// filesIn are the names of the files in a bundle.
func filesIn(t *testing.T, bundle []byte) map[string]bool {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range archive.File {
		names[f.Name] = true
	}
	return names
}

func TestEvidenceIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"})
	for _, c := range []struct {
		ask    *contract.ExportEvidenceRequest
		code   connect.Code
		reason string
		field  string
	}{
		{&contract.ExportEvidenceRequest{ExecutionId: "exec-2"}, connect.CodeNotFound, "execution_not_found", "execution_id"},
		{&contract.ExportEvidenceRequest{ExecutionId: "exec-1", Run: 2}, connect.CodeNotFound, "execution_not_found", "run"},
		{&contract.ExportEvidenceRequest{ExecutionId: "exec-1"}, connect.CodeFailedPrecondition, "not_ended", "execution_id"},
	} {
		_, _, err := w.export(c.ask)
		w.refusal(fmt.Sprint(c.ask), err, c.code, c.reason, c.field)
	}
	w.ended("exec-1", "")
	_, _, err := w.export(&contract.ExportEvidenceRequest{ExecutionId: "exec-1", Revision: 1})
	w.refusal("a revision where there is no report", err, connect.CodeNotFound, "report_not_found", "revision")
	w.freeze("exec-1")

	pool := w.db.Pool(t)
	exec := func(statement string) {
		if _, err := pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE TABLE test_coordination.kept AS SELECT * FROM test_coordination.execution_logs`)
	exec(`DELETE FROM test_coordination.execution_logs WHERE message = 'line 7'`)
	_, _, err = w.export(&contract.ExportEvidenceRequest{ExecutionId: "exec-1"})
	w.refusal("a pruned line", err, connect.CodeFailedPrecondition, "pruned")
	exec(`DELETE FROM test_coordination.execution_logs`)
	_, _, err = w.export(&contract.ExportEvidenceRequest{ExecutionId: "exec-1"})
	w.refusal("pruned lines", err, connect.CodeFailedPrecondition, "pruned")
	exec(`INSERT INTO test_coordination.execution_logs SELECT * FROM test_coordination.kept`)
	exec(`DROP TABLE test_coordination.kept`)
}

// Of a run of which something is gone there is no evidence, even while rows of it are
// still there. A report of the rest is made for whoever asks.
func TestNoEvidenceOfTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"})
	w.say(&contract.ExecutionLogAppended{ExecutionId: "exec-1", Lines: []*contract.LogLine{{Message: "one"}}})
	w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"})
	w.freeze("exec-1")
	w.prune("exec-1", retention.Logs)
	if r := w.freeze("exec-1"); r.GetRevision() != 1 {
		t.Errorf("revision %d of a run that has nothing new to say", r.GetRevision())
	}
	call(w, w.executions.AnnotateExecution, &contract.AnnotateExecutionRequest{RequestId: w.request(), ExecutionId: "exec-1", Text: "seen"})
	if r := w.freeze("exec-1"); r.GetRevision() != 2 {
		t.Errorf("revision %d after a note", r.GetRevision())
	}
	_, _, err := w.export(&contract.ExportEvidenceRequest{ExecutionId: "exec-1"})
	w.refusal("the rest of a run", err, connect.CodeFailedPrecondition, "pruned")
	file := call(w, w.reports.GetReport, &contract.GetReportRequest{ExecutionId: "exec-1", Format: "markdown"}).GetFile().GetContent()
	if !strings.Contains(string(file), "removed by retention, last by policy old") {
		t.Errorf("the report does not say what is gone:\n%s", file)
	}
}

// prune has retention mark what goes of a run, whose rows stay there for a while.
func (w *world) prune(id execution.ID, kinds retention.Kinds) *execution.Run {
	w.Helper()
	run, err := w.store.FindRun(w.Context(), pgstore.RunKey{ID: id})
	if err != nil {
		w.Fatal(err)
	}
	due := retention.Due{ExecutionID: run.ID, Number: run.Number, Version: run.Version, Bucket: run.Bucket, Go: kinds, Policy: "old"}
	if pruned, err := w.store.PruneRuns(w.Context(), pgstore.PruneRequest{Due: []retention.Due{due}, Now: time.Now()}); err != nil || len(pruned) != 1 {
		w.Fatalf("%d runs pruned, error %v", len(pruned), err)
	}
	return &run
}

// Of a run whose events go before its report there is no evidence, from when that is
// decided, and no newer report is promised.
func TestNoEvidenceWithoutEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"})
	w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"})
	w.freeze("exec-1")
	run := w.prune("exec-1", retention.Events)
	refused := func(when string) {
		t.Helper()
		for _, revision := range []int32{0, 1} {
			_, _, err := w.export(&contract.ExportEvidenceRequest{ExecutionId: "exec-1", Revision: revision})
			w.refusal(when, err, connect.CodeFailedPrecondition, "pruned")
			if err != nil && !strings.Contains(err.Error(), "events, log lines or snapshots") {
				t.Errorf("%s: %v", when, err)
			}
		}
	}
	refused("while rows are still there")
	if n, err := w.store.RemovePending(t.Context(), retention.MonthKind{Month: retention.MonthOf(run.Bucket), Kind: retention.Events}, 1000, time.Now()); err != nil || n != 1 {
		t.Fatalf("events of %d runs removed, error %v", n, err)
	}
	refused("when they are gone")
}

// value is any JSON of a message.
func value(w *world, text string) *structpb.Value {
	w.Helper()
	v := &structpb.Value{}
	if err := v.UnmarshalJSON([]byte(text)); err != nil {
		w.Fatal(err)
	}
	return v
}
