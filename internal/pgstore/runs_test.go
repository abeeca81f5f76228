package pgstore_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// The times of producers have nanoseconds and a zone; the columns hold
// microseconds, and give them back in UTC.
var (
	newfoundland = time.FixedZone("Newfoundland", -2*3600-1800)
	said         = time.Date(2026, 3, 31, 22, 15, 0, 123456789, newfoundland)
	kept         = said.UTC().Truncate(time.Microsecond)
)

// sameFacts compares what has unexported parts by its meaning.
var sameFacts = cmp.Options{
	cmp.Comparer(func(a, b fact.Marks) bool { return bytes.Equal(a.Bytes(), b.Bytes()) }),
	cmp.Comparer(func(a, b fact.Order) bool { return a.Compare(b) == 0 }),
}

func orderOf(n int) fact.Order {
	return fact.Order{Sequence: fact.Sequence(n), Time: said.UTC(), Key: fact.NewKey("source", "id", "subject")}
}

func marksOf(slots int) (m fact.Marks) {
	for slot := range slots {
		m.Last(slot, orderOf(slot+1))
	}
	return m
}

func pointer[T any](v T) *T { return &v }

// fullState has a value in every field, at the given time.
func fullState(at time.Time) *execution.State {
	s := &execution.State{Run: execution.Run{
		ID: "exec-1", Number: 3, RunID: "run-a", Bucket: bucket, CreatedAt: at, Version: 1,
		Status: execution.StatusFailed, ReportedOutcome: execution.StatusPassed, ScenarioID: "depeg", ScenarioVersion: "2", Environment: "staging",
		CoordinatorID: "c1", StartSource: "/c/1", Trigger: execution.Trigger{Type: "manual", Actor: "me", URI: "https://x"}, GroupID: "g",
		Attempt: pointer(int32(2)), DryRun: pointer(true), RequestedAt: at, StartedAt: at, EndedAt: at, Deadline: at, LastEventAt: at, LastHeartbeatAt: at,
		Progress: pointer(0.25), Message: "half way", CurrentPhase: "injection", PauseReason: "lunch", ExitCode: pointer(int32(-1)), ErrorMessage: "no",
		CancelRequestedAt: at, Pinned: true,
		Lifecycle: execution.StatusPaused, EndOrder: orderOf(9),
		Interruption: &execution.Interruption{Cause: execution.CauseSuperseded, RealEvents: 5, At: at, SupersededBy: 4},
		Counts: execution.Counts{
			Events: 1, OwnEvents: 2, LogLines: 3, Snapshots: 4, Phases: 5, Steps: 6, StepsFailed: 7, Faults: 8, FaultsActive: 9,
			ValidationsPassed: 10, ValidationsFailed: 11, ValidationsSkipped: 12, ValidationsError: 13,
		},
		Marks: marksOf(20),
	}}
	detail := execution.Detail{Set: true, Value: object}
	s.Details = execution.Details{Labels: detail, Parameters: detail, ConfigurationSnapshot: detail, SystemState: detail, Summary: detail}
	s.Phases = map[string]*execution.Phase{"injection": {
		Name: "injection", Ordinal: pointer(int32(1)), Description: "d", Status: "passed", StartedAt: at, FinishedAt: at, Error: "e", Marks: marksOf(4),
	}}
	k := execution.StepKey{StepID: "step", Attempt: 2}
	s.Steps = map[execution.StepKey]*execution.StepResult{k: {
		StepKey: k, Kind: "action", Phase: "injection", Service: "exchange", Action: "stop", Parameters: object, Status: "failed",
		StartedAt: at, FinishedAt: at, Duration: pointer(1500 * time.Microsecond), Error: "e", Marks: marksOf(7),
	}}
	s.Faults = map[string]*execution.Fault{"fault": {
		FaultID: "fault", FaultType: "latency", TargetService: "exchange", Parameters: object, Phase: "injection", StepID: "step", BlastRadius: "one",
		Injection: "injected", Status: "recovered", RequestedAt: at, InjectedAt: at, ClearedAt: at, RecoveredAt: at, RecoveryTime: pointer(3 * time.Second),
		Error: "e", ClearError: "c", Marks: marksOf(12),
	}}
	s.Validations = map[string]*execution.Validation{"validation": {
		ValidationRecorded: execution.ValidationRecorded{
			ValidationID: "validation", AssertionType: "alert", Status: "failed", Phase: "injection", StepID: "step", FaultID: "fault", Service: "exchange",
			Expected: "1", Actual: "2", Operator: "<", Threshold: pointer(0.5), Unit: "s", Within: pointer(time.Minute), ObservedAfter: pointer(time.Second),
			Message: "m", Evidence: object, SteadyState: "during", CorrelationID: "c",
		},
		RecordedAt: at, Order: orderOf(3),
	}}
	return s
}

// bareState has only what every row must have.
func bareState() *execution.State {
	s := execution.NewState("exec-2", 1, "")
	s.Run.Bucket, s.Run.CreatedAt, s.Run.Version = bucket, kept, 1
	s.Phases = map[string]*execution.Phase{"p": {Name: "p", Status: "pending"}}
	k := execution.StepKey{StepID: "s", Attempt: 1}
	s.Steps = map[execution.StepKey]*execution.StepResult{k: {StepKey: k, Kind: "wait", Status: "pending"}}
	s.Faults = map[string]*execution.Fault{"f": {FaultID: "f", Status: "pending"}}
	s.Validations = map[string]*execution.Validation{"v": {
		ValidationRecorded: execution.ValidationRecorded{ValidationID: "v", AssertionType: "alert", Status: "passed"}, RecordedAt: kept, Order: orderOf(1),
	}}
	return s
}

// save writes a folded state with one event, as S4e does.
func save(t testing.TB, s *pgstore.Store, st *execution.State) {
	t.Helper()
	id := string(st.Run.ID)
	e := &execution.Event{
		Header: fact.Header{
			Key: fact.NewKey("source", "event", id), Digest: fact.Digest{1}, Source: "source", ID: "event", Subject: id, Type: "test-coordination.execution.heartbeat.v1",
			Time: said, Data: object,
		},
		Payload: &execution.Heartbeat{},
	}
	must(t, s.Batch(t.Context(), now, func(tx *pgstore.Tx) error {
		if _, err := tx.LockExecutions(t.Context(), []string{id}, nil); err != nil {
			return err
		}
		placed := []pgstore.PlacedEvent{{Event: e, Run: st.Run.Number, Bucket: st.Run.Bucket, Arrival: 1, Offset: 7}}
		return tx.SaveExecutions(t.Context(), pgstore.Partition{Topic: "t"}, placed, []*execution.State{st})
	}))
}

func TestARunWithAllItsPartsComesBackAsItWas(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	for name, c := range map[string]struct{ saved, want *execution.State }{
		"with every field": {fullState(said), fullState(kept)},
		"with none":        {bareState(), bareState()},
	} {
		save(t, s, c.saved)
		run, err := s.Run(t.Context(), pgstore.RunKey{ID: c.want.Run.ID, Number: c.want.Run.Number})
		must(t, err)
		got, err := s.PartsOfRun(t.Context(), run)
		must(t, err)
		for _, v := range c.want.Validations {
			v.Stored = true
		}
		if diff := cmp.Diff(c.want, got, sameFacts); diff != "" {
			t.Errorf("%s (-saved +loaded):\n%s", name, diff)
		}
	}
}

// A field that is added to a run and forgotten in fullState would be forgotten
// in the mapper too.
func TestFullStateHasNoEmptyField(t *testing.T) {
	t.Parallel()
	s := fullState(said)
	var check func(path string, v reflect.Value)
	check = func(path string, v reflect.Value) {
		switch {
		case v.IsZero():
			t.Errorf("%s is empty", path)
		case v.Kind() == reflect.Pointer:
			check(path, v.Elem())
		case v.Kind() == reflect.Map:
			for it := v.MapRange(); it.Next(); {
				check(path, it.Value())
			}
		case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() && f.Name != "Stored" {
					check(path+"."+f.Name, v.Field(i))
				}
			}
		}
	}
	check("state", reflect.ValueOf(s))
}

func touch(id execution.ID, number execution.RunNumber, part execution.Part, name string, attempt int32, bucket time.Time) pgstore.Touch {
	return pgstore.Touch{PartKey: pgstore.PartKey{Run: pgstore.RunKey{ID: id, Number: number}, Part: part, ID: name, Attempt: attempt}, Bucket: bucket}
}

func TestTouchedPartsAreLoadedAndSavedAgain(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	full := fullState(said)
	save(t, s, full)
	run, err := s.Run(t.Context(), pgstore.RunKey{ID: "exec-1", Number: 3})
	must(t, err)
	before, err := s.PartsOfRun(t.Context(), run)
	must(t, err)

	loaded := &execution.State{Run: run}
	must(t, s.Batch(t.Context(), now, func(tx *pgstore.Tx) error {
		touches := []pgstore.Touch{
			touch("exec-1", 3, execution.PartPhase, "injection", 0, bucket),
			touch("exec-1", 3, execution.PartPhase, "unknown", 0, bucket),
			touch("exec-1", 3, execution.PartStep, "step", 2, bucket),
			touch("exec-1", 3, execution.PartStep, "step", 1, bucket),
			touch("exec-1", 3, execution.PartFault, "fault", 0, bucket),
			touch("exec-1", 3, execution.PartValidation, "validation", 0, bucket),
			touch("exec-9", 1, execution.PartFault, "fault", 0, bucket),
		}
		states := map[pgstore.RunKey]*execution.State{{ID: "exec-1", Number: 3}: loaded}
		if err := tx.LoadParts(t.Context(), touches, states); err != nil {
			return err
		}
		if len(loaded.Phases) != 1 || len(loaded.Steps) != 1 || len(loaded.Faults) != 1 || len(loaded.Validations) != 1 {
			return fmt.Errorf("loaded %d phases, %d steps, %d faults, %d validations; want one of each", len(loaded.Phases), len(loaded.Steps), len(loaded.Faults), len(loaded.Validations))
		}
		if v := loaded.Validations["validation"]; v.Status != "failed" || v.Order.Compare(orderOf(3)) != 0 || !v.Stored {
			return fmt.Errorf("loaded validation is %+v", v)
		}
		loaded.Run.Version++
		e := &execution.Event{Header: fact.Header{Key: fact.Key{2}, Subject: "exec-1", Time: said, Data: object}, Payload: &execution.Heartbeat{}}
		return tx.SaveExecutions(t.Context(), pgstore.Partition{}, []pgstore.PlacedEvent{{Event: e, Run: 3, Bucket: bucket, Arrival: 2, Offset: pgstore.OwnEvent}}, []*execution.State{loaded})
	}))
	run, err = s.Run(t.Context(), pgstore.RunKey{ID: "exec-1", Number: 3})
	must(t, err)
	after, err := s.PartsOfRun(t.Context(), run)
	must(t, err)
	before.Run.Version = 2
	if diff := cmp.Diff(before, after, sameFacts); diff != "" {
		t.Errorf("loaded and saved again (-before +after):\n%s", diff)
	}
}

// The contract bounds the name of a phase by 64 KiB, which is more than an entry
// of an index may have. Random text, which is stored as long as it is.
func TestAPhaseMayHaveALongName(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	var b strings.Builder
	for b.Len() < 64<<10-4 {
		b.WriteString(rand.Text())
	}
	long := b.String()[:64<<10-4]
	st := fullState(said)
	clear(st.Phases)
	for _, name := range []string{long + "a", long + "\u00e9", "injection"} {
		st.Phases[name] = &execution.Phase{Name: name, Status: "running", StartedAt: kept}
	}
	save(t, s, st)
	run, err := s.Run(t.Context(), pgstore.RunKey{ID: "exec-1", Number: 3})
	must(t, err)
	for _, name := range []string{long + "a", long + "\u00e9", "injection"} {
		loaded := &execution.State{Run: run}
		must(t, s.Batch(t.Context(), now, func(tx *pgstore.Tx) error {
			k := pgstore.RunKey{ID: run.ID, Number: run.Number}
			touches := []pgstore.Touch{touch(run.ID, run.Number, execution.PartPhase, name, 0, run.Bucket)}
			if err := tx.LoadParts(t.Context(), touches, map[pgstore.RunKey]*execution.State{k: loaded}); err != nil {
				return err
			}
			p := loaded.Phases[name]
			if p == nil || len(loaded.Phases) != 1 {
				return fmt.Errorf("phase %.20q... is not found alone among %d", name, len(loaded.Phases))
			}
			p.Status = "passed"
			e := &execution.Event{Header: fact.Header{Key: fact.NewKey("s", name, "exec-1"), Subject: "exec-1", Time: said, Data: object}, Payload: &execution.Heartbeat{}}
			loaded.Run.Version++
			return tx.SaveExecutions(t.Context(), pgstore.Partition{}, []pgstore.PlacedEvent{{Event: e, Run: 3, Bucket: bucket, Arrival: 2, Offset: pgstore.OwnEvent}}, []*execution.State{loaded})
		}))
	}
	all, err := s.PartsOfRun(t.Context(), run)
	must(t, err)
	if len(all.Phases) != 3 {
		t.Errorf("%d phases, want 3", len(all.Phases))
	}
	for name, p := range all.Phases {
		if p.Name != name || p.Status != "passed" {
			t.Errorf("phase %.20q... is %s, want it passed", name, p.Status)
		}
	}
}

func TestIDsKeepTheHighestRunAndEachBucketOnce(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	save(t, s, fullState(said)) // run 3
	must(t, s.Batch(t.Context(), now, func(tx *pgstore.Tx) error {
		known, err := tx.LockExecutions(t.Context(), []string{"exec-1", "exec-2"}, nil)
		if err != nil {
			return err
		}
		if latest := known["exec-1"].Latest; latest == nil || latest.Number != 3 || latest.RunID != "run-a" {
			t.Errorf("the latest run is %+v", latest)
		}
		known["exec-1"] = pgstore.KnownID{LatestRun: known["exec-1"].LatestRun, Buckets: known["exec-1"].Buckets}
		want := map[execution.ID]pgstore.KnownID{"exec-1": {LatestRun: 3, Buckets: []time.Time{bucket}}, "exec-2": {Buckets: []time.Time{}}}
		if diff := cmp.Diff(want, known); diff != "" {
			t.Errorf("known ids (-want +got):\n%s", diff)
		}
		found, err := tx.FindExecutions(t.Context(), []string{"exec-1", "exec-3"})
		if err != nil {
			return err
		}
		if len(found) != 1 || found["exec-1"].LatestRun != 3 {
			t.Errorf("found %+v", found)
		}
		return nil
	}))
}

func TestRunsArePagedByKeyAndByTheirEnd(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	save(t, s, fullState(said))
	save(t, s, bareState())
	live, err := s.LiveRunsAfter(t.Context(), pgstore.RunKey{}, 10)
	must(t, err)
	if len(live) != 1 || live[0].ID != "exec-2" {
		t.Errorf("live runs %v", live)
	}
	if live, err = s.LiveRunsAfter(t.Context(), pgstore.RunKey{ID: "exec-2", Number: 1}, 10); err != nil || len(live) != 0 {
		t.Errorf("live runs after the last %v, %v", live, err)
	}
	cursor := pgstore.SettledCursor{Since: now} // what changed at that very moment counts
	settled, cursor, err := s.SettledRunsAfter(t.Context(), cursor, 1)
	must(t, err)
	if len(settled) != 1 || settled[0].ID != "exec-1" {
		t.Errorf("settled runs %v", settled)
	}
	if settled, _, err = s.SettledRunsAfter(t.Context(), cursor, 1); err != nil || len(settled) != 0 {
		t.Errorf("settled runs after the last %v, %v", settled, err)
	}
	counts, err := s.RunsByStatus(t.Context())
	must(t, err)
	if diff := cmp.Diff(map[execution.Status]int64{execution.StatusFailed: 1, execution.StatusPending: 1}, counts); diff != "" {
		t.Errorf("runs by status (-want +got):\n%s", diff)
	}
}

// What was asked for with the locks is at hand, and is not asked for again; a
// guess that was wrong is.
func TestPartsComeWithTheLocks(t *testing.T) {
	t.Parallel()
	key := pgstore.RunKey{ID: "exec-1", Number: 3}
	needed := []pgstore.Touch{
		touch("exec-1", 3, execution.PartPhase, "injection", 0, bucket),
		touch("exec-1", 3, execution.PartPhase, "unknown", 0, bucket),
		touch("exec-1", 3, execution.PartStep, "step", 2, bucket),
		touch("exec-1", 3, execution.PartFault, "fault", 0, bucket),
		touch("exec-1", 3, execution.PartValidation, "validation", 0, bucket),
	}
	for name, tc := range map[string]struct {
		likely []pgstore.Touch
		atHand bool
	}{
		"all":                    {needed, true},
		"nothing":                {nil, false},
		"those of another run":   {[]pgstore.Touch{touch("exec-1", 2, execution.PartFault, "fault", 0, bucket), touch("exec-1", 2, execution.PartStep, "step", 2, bucket)}, false},
		"those of another day":   {[]pgstore.Touch{touch("exec-1", 3, execution.PartFault, "fault", 0, bucket.AddDate(0, 0, 1)), touch("exec-1", 3, execution.PartStep, "step", 2, bucket.AddDate(0, 0, 1))}, false},
		"more than is asked for": {append([]pgstore.Touch{touch("exec-1", 3, execution.PartStep, "step", 1, bucket), touch("exec-1", 4, execution.PartPhase, "injection", 0, bucket)}, needed...), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := testenv.Postgres(t)
			s := openStore(t, db)
			save(t, s, fullState(said)) // run 3
			run, err := s.Run(t.Context(), key)
			must(t, err)
			rename := func(faultType string) {
				_, err := db.Pool(t).Exec(t.Context(), "UPDATE test_coordination.fault_injections SET fault_type = $1 WHERE execution_id = 'exec-1'", faultType)
				must(t, err)
			}
			load := func(meanwhile func()) *execution.State {
				loaded := &execution.State{Run: run}
				must(t, s.Trial(t.Context(), now, func(tx *pgstore.Tx) error {
					if _, err := tx.LockExecutions(t.Context(), []string{"exec-1"}, tc.likely); err != nil {
						return err
					}
					meanwhile()
					return tx.LoadParts(t.Context(), needed, map[pgstore.RunKey]*execution.State{key: loaded})
				}))
				return loaded
			}
			loaded := load(func() {})
			if len(loaded.Phases) != 1 || len(loaded.Steps) != 1 || len(loaded.Faults) != 1 || len(loaded.Validations) != 1 {
				t.Errorf("loaded %d phases, %d steps, %d faults, %d validations; want one of each", len(loaded.Phases), len(loaded.Steps), len(loaded.Faults), len(loaded.Validations))
			}
			rename("before")
			loaded = load(func() { rename("after") }) // nobody does so without the lock: it shows when it was asked
			if atHand := loaded.Faults["fault"].FaultType == "before"; atHand != tc.atHand {
				t.Errorf("the fault was at hand: %t, want %t", atHand, tc.atHand)
			}
		})
	}
}
