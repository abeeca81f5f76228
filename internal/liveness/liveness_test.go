package liveness_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/accept"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/liveness"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// world is a loop over a real store, with a clock of its own.
type world struct {
	testing.TB
	db      *testenv.DB
	store   *pgstore.Store
	decoder *event.Decoder
	metrics prometheus.Gatherer // of the loop that was made last
	now     time.Time
	said    int64
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, db: testenv.Postgres(t), now: time.Now().UTC().Truncate(time.Second)}
	var err error
	if w.store, err = pgstore.Open(t.Context(), pgstore.Config{URL: w.db.URL, MaxConns: 4}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.store.Close)
	if w.decoder, err = event.NewDecoder(event.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	return w
}

// loop is that of an instance; it counts silence from its first pass on.
func (w *world) loop(instance string) *liveness.Loop { return w.deafLoop(instance, nil) }

func (w *world) deafLoop(instance string, deaf func(context.Context) error) *liveness.Loop {
	w.Helper()
	registry := prometheus.NewRegistry()
	w.metrics = registry
	metrics, err := telemetry.NewMetrics(registry, telemetry.Build{})
	if err != nil {
		w.Fatal(err)
	}
	clock := func() time.Time { return w.now }
	return liveness.New(liveness.Config{Every: time.Hour, Silence: 10 * time.Minute, Grace: time.Minute}, liveness.Parts{
		Store: w.store, Limits: scenario.DefaultLimits(), Metrics: metrics, Log: zerolog.New(zerolog.NewTestWriter(w)), Now: clock, Deaf: deaf,
		Commands: w.commandsOf(instance),
	})
}

func (w *world) commandsOf(instance string) *command.Commands {
	return command.New(command.Parts{
		Store: w.store, Decoder: w.decoder, Limits: scenario.DefaultLimits(), Source: "/tcda/" + instance, Now: func() time.Time { return w.now },
	})
}

func (w *world) pass(l *liveness.Loop, later time.Duration) {
	w.Helper()
	w.now = w.now.Add(later)
	if err := l.Pass(w.Context()); err != nil {
		w.Fatal(err)
	}
}

// say accepts what a coordinator says now.
func (w *world) say(m proto.Message) {
	w.Helper()
	w.said++
	record, err := event.Encode(event.Outgoing{Source: "/coordinator", ID: "e-" + time.Duration(w.said).String(), Time: w.now, Message: m}, event.Binary, event.JSON)
	if err != nil {
		w.Fatal(err)
	}
	decoded, rejection := w.decoder.Decode(record, w.now)
	if rejection != nil {
		w.Fatal(rejection)
	}
	err = w.store.Batch(w.Context(), w.now, func(tx *pgstore.Tx) error {
		if decoded.Scenario != nil {
			d, err := tx.LoadDefinitions(w.Context(), []*scenario.Event{decoded.Scenario})
			if err != nil {
				return err
			}
			d.Apply(decoded.Scenario)
			return tx.SaveDefinitions(w.Context(), pgstore.Partition{}, []pgstore.AcceptedDefinition{{Event: decoded.Scenario, Offset: w.said}}, d)
		}
		e := decoded.Execution
		known, err := tx.LockExecutions(w.Context(), []string{e.Subject}, nil)
		if err != nil {
			return err
		}
		f := accept.NewFold("/tcda/test", tx.Now(), known, 1)
		if err := f.Load(w.Context(), tx, []*execution.Event{e}); err != nil {
			return err
		}
		f.Apply(e, w.said)
		return tx.SaveExecutions(w.Context(), pgstore.Partition{}, f.Rows(), f.Changed())
	})
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) wantStatus(id execution.ID, want execution.Status) {
	w.Helper()
	r, err := w.store.LatestRun(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	if r.Status != want {
		w.Errorf("%s is %s, want %s", id, r.Status, want)
	}
}

// commands are the types of what waits for the coordinator.
func (w *world) commands() (types []string) {
	w.Helper()
	rows, err := w.db.Pool(w).Query(w.Context(), "SELECT type FROM test_coordination.outbox WHERE topic_role = 'commands' ORDER BY id")
	if err != nil {
		w.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var typ string
		if err := rows.Scan(&typ); err != nil {
			w.Fatal(err)
		}
		types = append(types, typ)
	}
	return types
}

const patient = `apiVersion: chaos.trading/v1
kind: Scenario
metadata: {name: depeg}
spec: {timeout: 40h, phases: [{name: wait, actions: [{service: clock, action: wait}]}]}
`

func TestSilentRunsAreInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(&contract.ScenarioPublished{ScenarioId: "depeg", Definition: patient})
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-silent"})
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-patient", ScenarioId: "depeg"})
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-loud"})

	l := w.loop("a")
	w.pass(l, time.Hour) // the service was away: nothing could be heard
	w.wantStatus("exec-silent", execution.StatusRunning)
	w.pass(l, 9*time.Minute)
	w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-loud"})
	w.pass(l, 2*time.Minute)
	w.wantStatus("exec-silent", execution.StatusInterrupted)
	w.wantStatus("exec-patient", execution.StatusRunning)
	w.wantStatus("exec-loud", execution.StatusRunning)

	w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-silent"})
	w.wantStatus("exec-silent", execution.StatusRunning)
	w.pass(w.loop("b"), 11*time.Minute) // another instance leads now: it has heard no silence yet
	w.wantStatus("exec-silent", execution.StatusRunning)
	w.pass(l, 0) // the first one hears of the heartbeat now
	w.wantStatus("exec-silent", execution.StatusRunning)
	w.pass(l, 11*time.Minute)
	w.wantStatus("exec-silent", execution.StatusInterrupted)
	w.say(&contract.ExecutionFinished{ExecutionId: "exec-silent", Outcome: "passed"})
	w.wantStatus("exec-silent", execution.StatusPassed)
	w.pass(l, 41*time.Hour)
	w.wantStatus("exec-patient", execution.StatusInterrupted)
}

// What the service says of a run, for a caller or of its own accord, does not
// show that its coordinator is alive.
func TestWordsOfOurOwnAreNoSignOfLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"})
	l := w.loop("a")
	w.pass(l, 0)
	w.pass(l, 9*time.Minute)
	err := w.commandsOf("a").Do(w.Context(), func(ctx context.Context, tx *command.Tx) error {
		_, err := tx.PinExecution(ctx, "exec-1", 1, true, "evidence")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.pass(l, 2*time.Minute)
	w.wantStatus("exec-1", execution.StatusInterrupted)
}

// While nothing can be heard nobody is silent, and silence counts anew after it.
func TestNobodyIsSilentToTheDeaf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"})
	var why error
	l := w.deafLoop("a", func(context.Context) error { return why })
	w.pass(l, 0)
	w.pass(l, 9*time.Minute)
	why = errors.New("a partition is stopped")
	w.pass(l, time.Hour)
	why = nil
	w.pass(l, time.Minute)
	w.pass(l, 9*time.Minute)
	w.wantStatus("exec-1", execution.StatusRunning)
	w.pass(l, 2*time.Minute)
	w.wantStatus("exec-1", execution.StatusInterrupted)
}

// A producer whose clock is ahead ends its run in our future: what we ask of it
// is dated after that, and asked for once, and other runs are looked after too.
func TestFaultsOfRunsThatEndInTheFutureAreAskedForOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"exec-1", "exec-2"} {
		w.say(&contract.ExecutionStarted{ExecutionId: id})
		w.say(&contract.ExecutionFaultInjected{ExecutionId: id, FaultId: "latency", FaultType: "network", TargetService: "exchange"})
	}
	now := w.now
	w.now = now.Add(4 * time.Minute)
	w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"})
	w.now = now
	w.say(&contract.ExecutionFinished{ExecutionId: "exec-2", Outcome: "passed"})
	l := w.loop("a")
	for range 5 {
		w.pass(l, 2*time.Minute)
	}
	if got := w.commands(); len(got) != 2 {
		t.Errorf("the coordinator is told %v, want to clear the fault of each", got)
	}
}

func TestOrphanedFaultsAreAskedToBeCleared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"})
	for _, id := range []string{"latency", "partition"} {
		w.say(&contract.ExecutionFaultInjected{ExecutionId: "exec-1", FaultId: id, FaultType: "network", TargetService: "exchange"})
	}
	w.say(&contract.ExecutionFaultCleared{ExecutionId: "exec-1", FaultId: "partition"})
	l := w.loop("a")
	w.pass(l, 0)
	w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"})
	w.pass(l, 30*time.Second) // its clearing may be on its way
	if got := w.commands(); len(got) != 0 {
		t.Fatalf("within the grace the coordinator is told %v", got)
	}
	w.pass(l, time.Minute)
	w.pass(l, time.Minute)
	w.pass(w.loop("b"), time.Minute) // another instance leads
	if got := w.commands(); len(got) != 1 || got[0] != "test-coordination.fault.clear_requested.v1" {
		t.Fatalf("the coordinator is told %v, want to clear the one fault, once", got)
	}
	w.wantStatus("exec-1", execution.StatusPassed)
	w.say(&contract.ExecutionFaultCleared{ExecutionId: "exec-1", FaultId: "latency"})
	w.pass(l, time.Hour)
	if got := w.commands(); len(got) != 1 {
		t.Errorf("after all was cleared the coordinator is told %v", got)
	}
}

// A run that dies with a fault: it is interrupted, and the fault orphaned. Revived
// and dead again, it is asked for again.
func TestTheFaultsOfASilentRunAreOrphaned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"})
	w.say(&contract.ExecutionFaultInjected{ExecutionId: "exec-1", FaultId: "latency", FaultType: "network", TargetService: "exchange"})
	l := w.loop("a")
	w.pass(l, 0)
	w.pass(l, 11*time.Minute)
	w.pass(l, 2*time.Minute)
	w.wantStatus("exec-1", execution.StatusInterrupted)
	if got := w.commands(); len(got) != 1 {
		t.Fatalf("the coordinator is told %v, want to clear the fault", got)
	}
	w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"})
	w.pass(l, time.Minute)
	if got := w.commands(); len(got) != 1 {
		t.Fatalf("of a run that lives the coordinator is told %v", got)
	}
	w.pass(l, 11*time.Minute)
	w.pass(l, 2*time.Minute)
	if got := w.commands(); len(got) != 2 {
		t.Errorf("after its second death the coordinator is told %v, want to clear the fault again", got)
	}
}

// Faults that nobody clears are passed over at each look, without a transaction
// for each run, and are counted all the same. What changes is asked for.
func TestFaultsThatWereAskedForCostNoTransactionAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"exec-1", "exec-2", "exec-3"} {
		w.say(&contract.ExecutionStarted{ExecutionId: id})
		w.say(&contract.ExecutionFaultInjected{ExecutionId: id, FaultId: "latency", FaultType: "network", TargetService: "exchange"})
		w.say(&contract.ExecutionFinished{ExecutionId: id, Outcome: "passed"})
	}
	l := w.loop("a")
	asked := func(after string, commands, faults int) {
		t.Helper()
		if got := w.commands(); len(got) != commands {
			t.Errorf("%s the coordinator is told %v, want %d", after, got, commands)
		}
		if got := w.orphanedFaults(); got != faults {
			t.Errorf("%s %d faults count as orphaned, want %d", after, got, faults)
		}
	}
	w.pass(l, 2*time.Minute)
	asked("at first", 3, 3)
	w.pass(l, time.Minute) // sees that all was asked for
	locked, err := w.db.Pool(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := locked.Exec(t.Context(), "LOCK TABLE test_coordination.execution_ids"); err != nil { // every transaction about a run begins with it
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := l.Pass(ctx); err != nil {
		t.Errorf("a pass over what was asked for waits for the lock of a run: %v", err)
	}
	if err := locked.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked("when nothing has changed", 3, 3)

	w.say(&contract.ExecutionFaultInjected{ExecutionId: "exec-2", FaultId: "late", FaultType: "network", TargetService: "exchange"})
	w.pass(l, time.Minute)
	asked("after a fault that came late", 4, 4)
	w.say(&contract.ExecutionFaultCleared{ExecutionId: "exec-1", FaultId: "latency"})
	w.pass(l, time.Minute)
	asked("after one was cleared", 4, 3)

	// A failover loses what was written last: the version is that of before.
	if _, err := w.db.Pool(t).Exec(t.Context(), `WITH lost AS (DELETE FROM test_coordination.fault_injections WHERE execution_id = 'exec-2' AND fault_id = 'late')
		UPDATE test_coordination.executions SET version = version - 2, faults_active = 1 WHERE execution_id = 'exec-2'`); err != nil {
		t.Fatal(err)
	}
	w.say(&contract.ExecutionFaultInjected{ExecutionId: "exec-2", FaultId: "later", FaultType: "network", TargetService: "exchange"})
	w.pass(l, time.Minute)
	asked("after a failover", 5, 3)
}

// orphanedFaults is the gauge.
func (w *world) orphanedFaults() int {
	w.Helper()
	families, err := w.metrics.Gather()
	if err != nil {
		w.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "tcda_orphaned_faults" {
			return int(f.GetMetric()[0].GetGauge().GetValue())
		}
	}
	w.Fatal("there is no gauge of orphaned faults")
	return 0
}
