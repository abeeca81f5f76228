package outbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// soon has a publisher announce runs that were quiet for a moment.
func soon(s *settings) { s.config.SettledAfter = time.Millisecond }

// startSettling runs a publisher and returns when its loop has begun: what ended
// before is not announced.
func (w *world) startSettling(change ...func(*settings)) (stop func()) {
	w.Helper()
	counted := func(s *settings) {
		s.parts.Log = s.parts.Log.Level(zerolog.DebugLevel).Hook(zerolog.HookFunc(w.countLook))
	}
	stop = w.start(w.publisher("a", append([]func(*settings){soon, counted}, change...)...))
	w.eventually("the loop has begun", func() bool {
		_, err := w.store.SettledCursor(w.Context())
		return err == nil
	})
	return stop
}

// saveRun writes a run as ingest does: the time of the change is read when the
// transaction has begun to write, whenever it ends.
const saveRun = `INSERT INTO test_coordination.executions (execution_id, run, bucket, version, status, lifecycle, marks, created_at, updated_at, settled_change_at, scenario_id, run_id, started_at)
	VALUES ($1, 1, current_date, $2, $3, 'running', '', now(), now(), CASE WHEN $3 NOT IN ('pending', 'running', 'paused') THEN clock_timestamp() END, 'scenario-1', 'run-a', '2026-05-01 12:00:00.5+00')
	ON CONFLICT (execution_id, run) DO UPDATE SET version = excluded.version, status = excluded.status, settled_change_at = excluded.settled_change_at`

func (w *world) saveRun(id string, version int, status string) {
	w.Helper()
	tx := w.savingRun(id, version, status)
	if err := tx.Commit(w.Context()); err != nil {
		w.Fatal(err)
	}
}

// savingRun is a transaction that has written a run and not ended.
func (w *world) savingRun(id string, version int, status string) pgx.Tx {
	w.Helper()
	tx, err := w.sql.Begin(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	if _, err := tx.Exec(w.Context(), "SELECT pg_current_xact_id()"); err != nil {
		w.Fatal(err)
	}
	if _, err := tx.Exec(w.Context(), saveRun, id, version, status); err != nil {
		w.Fatal(err)
	}
	return tx
}

// settled are the settled events of a topic, as "version status", by execution,
// repeats included.
func settled(t testing.TB, records []*kgo.Record) map[string][]string {
	t.Helper()
	of := map[string][]string{}
	for _, r := range records {
		var data struct {
			Version int64  `json:"version"`
			Status  string `json:"status"`
		}
		if err := json.Unmarshal(r.Value, &data); err != nil {
			t.Fatalf("%s: %v", r.Value, err)
		}
		of[string(r.Key)] = append(of[string(r.Key)], fmt.Sprint(data.Version, " ", data.Status))
	}
	return of
}

// Each settled version of a run is announced once: when the run ends, when it
// changes afterwards, and when it ends again after it was revived. What ended before
// the loop began is not.
func TestEachSettledVersionIsAnnouncedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.saveRun("history", 1, "passed")
	w.startSettling()
	w.start(w.publisher("b", soon))
	r := w.reader(pgstore.OutboxReports)
	w.saveRun("exec-1", 7, "passed")
	w.saveRun("exec-2", 3, "interrupted")
	w.saveRun("exec-3", 1, "running")
	r.await("two ends", atLeast(2))
	w.saveRun("exec-1", 8, "failed")  // a late validation
	w.saveRun("exec-2", 4, "running") // a sign of life
	r.await("a change after the end", atLeast(3))
	w.saveRun("exec-2", 5, "passed")
	w.saveRun("last", 1, "error")
	records := r.await("the last end", func(r []*kgo.Record) bool { return len(settled(t, r)["last"]) > 0 && len(r) >= 5 })
	want := map[string][]string{"exec-1": {"7 passed", "8 failed"}, "exec-2": {"3 interrupted", "5 passed"}, "last": {"1 error"}}
	if diff := cmp.Diff(want, settled(t, records)); diff != "" {
		t.Errorf("announced (-want +got):\n%s", diff)
	}
	first := records[0]
	got := map[string]string{"value": string(first.Value)}
	for _, name := range []string{"ce_type", "ce_source", "ce_subject", "ce_runid", "ce_id"} {
		got[name] = header(first, name)
	}
	wantFirst := map[string]string{
		"ce_type": "test-coordination.execution.settled.v1", "ce_source": "/tcda/" + source(first), "ce_subject": "exec-1", "ce_runid": "run-a",
		"ce_id": event.OutboundID("settled", "exec-1", "1", "7"),
		"value": `{"execution_id":"exec-1","run":1,"version":7,"run_id":"run-a","status":"passed","scenario_id":"scenario-1","started_at":"2026-05-01T12:00:00.5Z","counts":{}}`,
	}
	if diff := cmp.Diff(wantFirst, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

// source is the instance that announced: either.
func source(r *kgo.Record) string { return header(r, "ce_source")[len("/tcda/"):] }

// A run whose transaction lasts, and that turns up behind others of a later time, is
// not passed over.
func TestARunThatIsCommittedLateIsAnnounced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startSettling()
	r := w.reader(pgstore.OutboxReports)
	for round := range 3 {
		late := w.savingRun(fmt.Sprint("late-", round), 1, "passed")
		w.saveRun(fmt.Sprint("early-", round), 1, "passed")
		// Passes go by that could see the early one and go on behind the late one.
		w.passes(5)
		if err := late.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.await("both runs", atLeast(2*round+2))
	}
	want := map[string][]string{}
	for round := range 3 {
		want[fmt.Sprint("late-", round)], want[fmt.Sprint("early-", round)] = []string{"1 passed"}, []string{"1 passed"}
	}
	if diff := cmp.Diff(want, settled(t, r.read)); diff != "" {
		t.Errorf("announced (-want +got):\n%s", diff)
	}
}

// The run that turns up late may be of the latest transaction of all: none above it
// has ended, so that a snapshot does not show that it has begun. On a server of its
// own, where no others end.
func TestARunOfTheLatestTransactionIsAnnounced(t *testing.T) {
	t.Parallel()
	_, db := testenv.PostgresServer(t)
	w := newWorldIn(t, db, testenv.Broker(t))
	w.startSettling()
	r := w.reader(pgstore.OutboxReports)
	early, err := w.sql.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := early.Exec(t.Context(), "SELECT pg_current_xact_id()"); err != nil {
		t.Fatal(err)
	}
	late := w.savingRun("late", 1, "passed")
	w.passes(2) // that much earlier is its change
	if _, err := early.Exec(t.Context(), saveRun, "early", 1, "passed"); err != nil {
		t.Fatal(err)
	}
	if err := early.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.passes(5)
	if err := late.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	records := r.await("both", atLeast(2))
	if diff := cmp.Diff(map[string][]string{"early": {"1 passed"}, "late": {"1 passed"}}, settled(t, records)); diff != "" {
		t.Errorf("announced (-want +got):\n%s", diff)
	}
}

// Instances that end runs have clocks of their own. One is an hour behind that by
// which runs are announced, or ahead.
func TestARunThatAnotherClockEndedIsAnnounced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startSettling()
	r := w.reader(pgstore.OutboxReports)
	decoder, err := event.NewDecoder(event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	for n, off := range []time.Duration{0, -time.Hour, time.Hour, 0} {
		id := execution.ID(fmt.Sprint("exec-", n))
		c := command.New(command.Parts{Store: w.store, Decoder: decoder, Limits: scenario.DefaultLimits(), Source: "/tcda/b", Now: func() time.Time { return time.Now().Add(off) }})
		once := func(name string, work func(context.Context, *command.Tx) error) {
			t.Helper()
			_, err := c.Once(t.Context(), command.Request{ID: fmt.Sprint(name, n), Procedure: name}, func(ctx context.Context, tx *command.Tx) ([]byte, error) {
				return nil, work(ctx, tx)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		once("publish", func(ctx context.Context, tx *command.Tx) error {
			_, err := tx.PublishScenario(ctx, &contract.ScenarioPublished{ScenarioId: "s", Definition: "free"})
			return err
		})
		once("request", func(ctx context.Context, tx *command.Tx) error {
			_, _, err := tx.RequestExecution(ctx, &contract.ExecutionRequested{ExecutionId: string(id), ScenarioId: "s"}, nil)
			return err
		})
		run, err := w.store.LatestRun(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if said, err := c.InterruptSilent(t.Context(), pgstore.RunKey{ID: id, Number: run.Number}, run.Counts.Events); err != nil || !said {
			t.Fatal("not interrupted", err)
		}
		r.await(string(id), func(records []*kgo.Record) bool { return len(settled(t, records)[string(id)]) > 0 })
	}
}

// passes waits until the loop has looked so often.
func (w *world) passes(n int) {
	w.Helper()
	whole := w.looks.Load() + int64(n) + 1 // one may be under way
	w.eventually("the loop has looked", func() bool { return w.looks.Load() >= whole })
}

// countLook hooks into the log of a publisher.
func (w *world) countLook(e *zerolog.Event, _ zerolog.Level, said string) {
	if said == "looked for settled runs" {
		w.looks.Add(1)
		e.Discard()
	}
}

// A leader that dies after it has announced, and before its cursor is known to have
// moved, is followed by one that announces the same: no event is doubled.
func TestACursorThatIsPutBackDoublesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.startSettling()
	r := w.reader(pgstore.OutboxReports)
	for n := range 1200 { // several pages
		w.saveRun(fmt.Sprint("exec-", n), 1, "passed")
	}
	r.await("all runs", atLeast(1200))
	w.eventually("all are marked", func() bool { return w.statuses()["published"] == 1200 })
	stop()
	if _, err := w.sql.Exec(t.Context(), "UPDATE test_coordination.loop_cursors SET changed_at = changed_at - interval '1 hour'"); err != nil {
		t.Fatal(err)
	}
	w.startSettling()
	w.saveRun("last", 1, "passed")
	records := r.await("the last run", func(r []*kgo.Record) bool { return len(settled(t, r)["last"]) > 0 })
	if len(records) != 1201 {
		t.Errorf("%d events of 1201 runs", len(records))
	}
}
