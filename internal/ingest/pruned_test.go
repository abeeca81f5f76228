package ingest_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pruning"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
)

// bornAt has an engine take the moment for now, so that runs are born then.
func bornAt(moment time.Time) func(*settings) {
	return func(s *settings) { s.parts.Now = func() time.Time { return moment } }
}

// history ingests records as if it were some days ago.
func (w *world) history(daysAgo int, records func() []kafkarecord.Record) []kafkarecord.Record {
	w.Helper()
	moment := time.Now().UTC().AddDate(0, 0, -daysAgo).Truncate(24 * time.Hour).Add(12 * time.Hour)
	w.clock = moment.Add(-time.Hour)
	all := records()
	w.produce(all...)
	must(w, w.newEngine("a", bornAt(moment)).PreparePartitions(w.Context())) // or rows go to default partitions
	w.run(bornAt(moment))
	return all
}

// pruner is one for which all runs have been quiet for long.
func (w *world) pruner(policies []retention.Policy, change ...func(*pruning.Config, *pruning.Parts)) *pruning.Pruner {
	cfg := pruning.Config{Rules: retention.Rules{Policies: policies, Quiet: 24 * time.Hour}, Actor: "test", Pace: 0.01, LockPause: time.Millisecond}
	parts := pruning.Parts{Store: w.store, Log: testLog(), Now: func() time.Time { return time.Now().AddDate(0, 0, 2) }}
	for _, c := range change {
		c(&cfg, &parts)
	}
	return pruning.New(cfg, parts)
}

func (w *world) prune(policies []retention.Policy, change ...func(*pruning.Config, *pruning.Parts)) pruning.Result {
	w.Helper()
	done, err := w.pruner(policies, change...).Once(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return done
}

// rowsOfRuns are all rows of all runs as texts, by run and table.
func (w *world) rowsOfRuns() map[string][]string {
	w.Helper()
	rows := map[string][]string{}
	for _, table := range []string{
		"executions", "execution_details", "execution_events", "execution_annotations", "execution_logs", "system_snapshots",
		"execution_phases", "execution_steps", "fault_injections", "validation_results",
	} {
		found, err := w.db.Pool(w).Query(w.Context(), fmt.Sprintf("SELECT execution_id || '/' || run || ' ' || '%s', t::text FROM test_coordination.%s AS t ORDER BY t::text", table, table))
		if err != nil {
			w.Fatal(err)
		}
		var key, row string
		if _, err := pgx.ForEachRow(found, []any{&key, &row}, func() error { rows[key] = append(rows[key], row); return nil }); err != nil {
			w.Fatal(err)
		}
	}
	return rows
}

// fullRun is a run that has rows in every table that events fill.
func (w *world) fullRun(id string, change ...func(*event.Outgoing)) []kafkarecord.Record {
	w.Helper()
	say := func(m contractMessage) kafkarecord.Record { return w.say(m, change...) }
	return []kafkarecord.Record{
		say(&contract.ExecutionStarted{ExecutionId: id, ScenarioId: "depeg"}),
		say(&contract.ExecutionPhaseStarted{ExecutionId: id, Phase: "p"}),
		say(&contract.ExecutionStepStarted{ExecutionId: id, StepId: "s", Kind: "action"}),
		say(&contract.ExecutionFaultInjected{ExecutionId: id, FaultId: "f", FaultType: "latency", TargetService: "x"}),
		say(&contract.ExecutionValidationRecorded{ExecutionId: id, ValidationId: "v", AssertionType: "alert", Status: "passed"}),
		say(&contract.ExecutionSnapshotCaptured{ExecutionId: id, SnapshotId: "n", Kind: "baseline"}),
		say(&contract.ExecutionLogAppended{ExecutionId: id, Lines: []*contract.LogLine{{Message: "one"}, {Message: "two"}}}),
		say(&contract.ExecutionFinished{ExecutionId: id, Outcome: "passed"}),
	}
}

var thirtyDays = retention.ForDays("thirty days", retention.Run, 30)

// What is due is gone, held runs are whole though their partitions were replaced, and
// everything that is read again is a duplicate that changes nothing.
func TestPrunedRunsAreRecognisedForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.history(95, func() []kafkarecord.Record {
		return slices.Concat(
			w.fullRun("exec-plain"), w.fullRun("exec-named", ofRun("a")), w.fullRun("exec-held"), w.fullRun("exec-pinned"),
			w.fullRun("exec-reused"), w.fullRun("exec-reused"), w.fullRun("exec-spanning"),
		)
	})
	young := w.history(3, func() []kafkarecord.Record {
		return slices.Concat(w.fullRun("exec-spanning"), w.fullRun("exec-young"), []kafkarecord.Record{w.say(&contract.ExecutionStarted{ExecutionId: "exec-live"})})
	})
	_, err := w.store.PlaceHold(t.Context(), retention.Hold{ExecutionID: "exec-held", Reason: "court", PlacedBy: "me"}, time.Now())
	must(t, err)
	w.exec("UPDATE test_coordination.executions SET pinned = true WHERE execution_id = 'exec-pinned'")
	before := w.rowsOfRuns()

	done := w.prune(thirtyDays)
	if got := done.Pruned[retention.PolicyKind{Policy: "thirty days", Kind: retention.Run}].Runs; got != 5 {
		t.Errorf("%d runs are gone, want 5", got)
	}
	if done.Replaced == 0 || done.PendingRows != 0 {
		t.Errorf("%d partitions replaced, %d rows pending", done.Replaced, done.PendingRows)
	}
	gone := map[string]bool{"exec-plain/1": true, "exec-named/1": true, "exec-reused/1": true, "exec-reused/2": true, "exec-spanning/1": true}
	want := maps.Clone(before)
	maps.DeleteFunc(want, func(key string, _ []string) bool {
		var run, table string
		_, _ = fmt.Sscan(key, &run, &table)
		return gone[run]
	})
	if diff := cmp.Diff(want, w.rowsOfRuns()); diff != "" {
		t.Errorf("what is stored of runs after a pass (-want +got):\n%s", diff)
	}

	applied, duplicates, _ := w.sums()
	after := w.checksums()
	w.produceTo(1, slices.Concat(old, young)...)
	w.run()
	if diff := cmp.Diff(after, w.checksums()); diff != "" {
		t.Errorf("a replay has changed (-before +after):\n%s", diff)
	}
	w.wantSums(applied, duplicates+int64(len(old)+len(young)), 0)
	if got := w.metric(`tcda_records_duplicate_total{found_by="pruned"}`); got != 5*8 {
		t.Errorf("%v duplicates of pruned runs, want 40", got)
	}

	// What was never seen cannot be told from what was.
	w.produce(w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-plain"}), w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-named"}, ofRun("a")))
	w.run()
	if diff := cmp.Diff(after, w.checksums()); diff != "" {
		t.Errorf("a late event of a pruned run has changed (-before +after):\n%s", diff)
	}
	// A start that is dated later begins the next run, and so does a new runid.
	w.produce(slices.Concat(w.fullRun("exec-reused"), w.fullRun("exec-named", ofRun("b")), w.fullRun("exec-spanning"))...)
	w.run()
	for _, k := range []pgstore.RunKey{{ID: "exec-reused", Number: 3}, {ID: "exec-named", Number: 2}, {ID: "exec-spanning", Number: 3}} {
		if r, err := w.store.Run(t.Context(), k); err != nil || r.Status != execution.StatusPassed || r.Counts.Events != 8 {
			t.Errorf("run %v: %+v, error %v", k, r.Status, err)
		}
	}
	w.exec("UPDATE test_coordination.executions SET pinned = false WHERE pinned") // no event has said so
	w.verify()
}

// Random histories, policies and holds: a pass that is cut off anywhere is finished by
// the next, what had to go is gone, the rest is as it was, and a replay changes nothing.
func TestPassesThatAreCutOffAreFinished(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 7))
			w := newWorld(t)
			var all []kafkarecord.Record
			for _, daysAgo := range []int{130, 100, 70, 5} {
				all = append(all, w.history(daysAgo, func() (records []kafkarecord.Record) {
					for n := range 6 {
						id := fmt.Sprintf("exec-%d", rng.IntN(8))
						switch rng.IntN(3) {
						case 0:
							records = append(records, w.fullRun(id, ofRun(fmt.Sprint(id, daysAgo, n)))...)
						case 1:
							records = append(records, w.fullRun(id)...)
						default: // dies without a word
							records = append(records, w.fullRun(id, withSequence(n+1))[:4]...)
						}
					}
					return records
				})...)
			}
			policies := [][]retention.Policy{
				thirtyDays,
				{{Name: "logs", Keep: retention.Keep{Age: 80 * 24 * time.Hour}, Data: retention.Logs | retention.Snapshots}, {Name: "runs", Keep: retention.Keep{Age: 110 * 24 * time.Hour}, Data: retention.Run}},
				{{Name: "events", Keep: retention.Keep{Age: 60 * 24 * time.Hour}, Data: retention.Events | retention.Results}},
				{{Name: "count", Keep: retention.Keep{Count: 3}, Data: retention.Run}},
			}[seed]
			held := execution.ID(fmt.Sprintf("exec-%d", rng.IntN(8)))
			_, err := w.store.PlaceHold(t.Context(), retention.Hold{ExecutionID: held, Reason: "court", PlacedBy: "me"}, time.Now())
			must(t, err)
			before := w.rowsOfRuns()
			plan, _, err := w.pruner(policies).Plan(t.Context())
			must(t, err)
			if len(plan.Due) == 0 {
				t.Fatal("nothing is due")
			}
			steps := 0
			small := func(cut int) func(*pruning.Config, *pruning.Parts) {
				return func(c *pruning.Config, p *pruning.Parts) {
					c.PageRuns = 2
					p.Probe = func(string) error {
						if steps++; steps == cut {
							return errCut
						}
						return nil
					}
				}
			}
			for cut := 1; ; cut++ { // each pass gets one step further than the one before
				steps = 0
				_, err := w.pruner(policies, small(cut)).Once(t.Context())
				if err == nil {
					break
				}
				if err.Error() != errCut.Error() {
					t.Fatal(err)
				}
			}
			want, kinds := maps.Clone(before), 0
			for _, d := range plan.Due {
				for _, kind := range d.Go.Each() {
					kinds++
					for _, table := range pgstore.TablesOf(kind) {
						delete(want, fmt.Sprintf("%s/%d %s", d.ExecutionID, d.Number, table))
					}
					if kind == retention.Run {
						delete(want, fmt.Sprintf("%s/%d executions", d.ExecutionID, d.Number))
						delete(want, fmt.Sprintf("%s/%d execution_details", d.ExecutionID, d.Number))
					}
				}
				if d.ExecutionID == held {
					t.Errorf("%s is held", held)
				}
			}
			if diff := cmp.Diff(want, w.rowsOfRuns()); diff != "" {
				t.Errorf("what is stored of runs (-want +got):\n%s", diff)
			}
			const audited = `SELECT sum((line->>'runs')::int) FROM test_coordination.audit_log, jsonb_array_elements(details->'pruned') AS line WHERE action = 'retention.prune'`
			if got := w.count(audited); got != kinds {
				t.Errorf("the audit log tells of %d kinds of data of runs, want %d: each once", got, kinds)
			}
			after := w.checksums()
			rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			w.produceTo(1, all...)
			w.run()
			if diff := cmp.Diff(after, w.checksums()); diff != "" {
				t.Errorf("a replay has changed (-before +after):\n%s", diff)
			}
			w.verify()
		})
	}
}

var errCut = fmt.Errorf("cut off")

// A late event that comes before the tombstone is applied and keeps its run; one that
// comes while the tombstone is written waits, and is a duplicate.
func TestLateEventsOfRunsThatGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.history(95, func() []kafkarecord.Record { return slices.Concat(w.fullRun("exec-1"), w.fullRun("exec-2")) })
	plan, holds, err := w.pruner(thirtyDays).Plan(t.Context())
	must(t, err)
	late := func(id string) kafkarecord.Record {
		return w.say(&contract.ExecutionLogAppended{ExecutionId: id, Lines: []*contract.LogLine{{Message: "late"}}})
	}
	w.produce(late("exec-1"))
	w.run()
	pruned, err := w.store.PruneRuns(t.Context(), pgstore.PruneRequest{Due: plan.Due, Holds: holds, Now: time.Now()})
	must(t, err)
	if len(pruned) != 1 || pruned[0].ExecutionID != "exec-2" {
		t.Fatalf("pruned %+v, want exec-2 alone: exec-1 has changed", pruned)
	}
	// Its rows lie in their tables still, and it is gone all the same.
	w.produce(late("exec-2"))
	w.run()
	if got := w.metric(`tcda_records_duplicate_total{found_by="pruned"}`); got != 1 {
		t.Errorf("%v duplicates of pruned runs, want 1", got)
	}
	w.verify()
	w.prune(thirtyDays, func(_ *pruning.Config, p *pruning.Parts) { p.Now = time.Now }) // only what was begun: exec-1 is not quiet
	w.verify()
	run, err := w.store.Run(t.Context(), pgstore.RunKey{ID: "exec-1", Number: 1})
	if err != nil || run.Counts.LogLines != 3 {
		t.Errorf("exec-1: %d lines, error %v; want 3", run.Counts.LogLines, err)
	}
}

// Nothing goes of a run whose report is still to be built, unless that fails again
// and again, or nobody seems to build any.
func TestARunWaitsForItsReport(t *testing.T) {
	t.Parallel()
	const (
		asked  = `INSERT INTO test_coordination.report_queue (execution_id, run, version, due_at, enqueued_at, attempts) VALUES ('exec-1', 1, 1, now(), now(), $1)`
		walked = `INSERT INTO test_coordination.loop_cursors (loop, changed_at, execution_id, run, updated_at) VALUES ('settled', now() + $1 * interval '1 hour', '', 0, now())`
	)
	for name, c := range map[string]struct {
		query string
		value int
		later time.Duration
		goes  int64
	}{
		"it is asked for":                  {asked, 9, 0, 0},
		"it fails again and again":         {asked, 10, 0, 1},
		"nobody has looked at the run yet": {walked, -1, 0, 0},
		"it was looked at":                 {walked, 1, 0, 1},
		"nobody builds reports":            {asked, 0, 7 * 24 * time.Hour, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.history(95, func() []kafkarecord.Record { return w.fullRun("exec-1") })
			if _, err := w.db.Pool(t).Exec(t.Context(), c.query, c.value); err != nil {
				t.Fatal(err)
			}
			done := w.prune(thirtyDays, func(_ *pruning.Config, p *pruning.Parts) {
				p.Now = func() time.Time { return time.Now().AddDate(0, 0, 2).Add(c.later) }
			})
			if got := done.Pruned[retention.PolicyKind{Policy: "thirty days", Kind: retention.Run}].Runs; got != c.goes || done.Changed != 1-c.goes {
				t.Errorf("%d runs are gone and %d left, want %d and %d", got, done.Changed, c.goes, 1-c.goes)
			}
		})
	}
}

// A hold that is placed after it was decided what goes is in time.
func TestAHoldThatIsPlacedMeanwhileHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.history(95, func() []kafkarecord.Record { return slices.Concat(w.fullRun("exec-1"), w.fullRun("exec-2")) })
	placed := false
	done := w.prune(thirtyDays, func(_ *pruning.Config, p *pruning.Parts) {
		p.Probe = func(step string) error {
			if step != "mark" || placed {
				return nil
			}
			placed = true
			_, err := w.store.PlaceHold(t.Context(), retention.Hold{ScenarioID: "depeg", ExecutionID: "exec-1", Reason: "court", PlacedBy: "me"}, time.Now())
			return err
		}
	})
	if got := done.Pruned[retention.PolicyKind{Policy: "thirty days", Kind: retention.Run}].Runs; got != 1 {
		t.Errorf("%d runs are gone, want 1", got)
	}
	if _, err := w.store.Run(t.Context(), pgstore.RunKey{ID: "exec-1", Number: 1}); err != nil {
		t.Errorf("the held run: %v", err)
	}
	w.verify()
}

// Who reads for long keeps a partition from being dropped, and nothing else from
// going on: the try ends within a second.
func TestALongReaderPutsAPartitionOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	records := w.history(95, func() []kafkarecord.Record { return w.fullRun("exec-1") })
	reader, err := w.db.Pool(w).Begin(t.Context())
	must(t, err)
	defer func() { _ = reader.Rollback(t.Context()) }()
	_, err = reader.Exec(t.Context(), "SELECT count(*) FROM test_coordination.execution_logs")
	must(t, err)

	done := w.prune(thirtyDays, func(c *pruning.Config, _ *pruning.Parts) { c.LockTries = 2 })
	if done.Locked != 1 || done.PendingRows == 0 {
		t.Fatalf("%d partitions locked, %d rows pending, %d replaced; want 1 and some", done.Locked, done.PendingRows, done.Replaced)
	}
	w.verify() // rows of a run that is gone, and no difference
	w.produceTo(1, records...)
	w.produce(w.fullRun("exec-2")...)
	w.run() // ingest goes on
	must(t, reader.Rollback(t.Context()))

	done = w.prune(thirtyDays)
	if done.Locked != 0 || done.PendingRows != 0 || done.Replaced == 0 {
		t.Errorf("%d partitions locked, %d rows pending, %d replaced", done.Locked, done.PendingRows, done.Replaced)
	}
	w.verify()
}

// A pass is not over because the roller was at work for longer than a lock is waited
// for.
func TestAPassWaitsForTheRoller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.history(95, func() []kafkarecord.Record { return w.fullRun("exec-1") })
	roller, err := w.db.Pool(w).Begin(t.Context())
	must(t, err)
	defer func() { _ = roller.Rollback(t.Context()) }()
	_, err = roller.Exec(t.Context(), "SELECT pg_advisory_xact_lock(hashtextextended('tcda:make-rollups', 0))")
	must(t, err)

	hurried, err := pgstore.Open(t.Context(), pgstore.Config{URL: w.db.URL, MaxConns: 2, LockTimeout: 50 * time.Millisecond})
	must(t, err)
	t.Cleanup(hurried.Close)
	tries := 0
	pruner := w.pruner(thirtyDays, func(c *pruning.Config, p *pruning.Parts) {
		c.LockTries, p.Store = 2, hurried
		p.Probe = func(step string) error {
			if step == "mark" {
				if tries++; tries == 4 {
					return roller.Rollback(t.Context())
				}
			}
			return nil
		}
	})
	if _, err := pruner.Once(t.Context()); !pgstore.WaitedForLock(err) || tries != 2 {
		t.Fatalf("after %d tries: %v; want 2, and that a lock was not had in time", tries, err)
	}
	done, err := pruner.Once(t.Context())
	if err != nil || done.PendingRows != 0 || done.Replaced == 0 || tries != 4 {
		t.Errorf("after %d tries: %v, %d rows pending, %d partitions replaced; want 4, no error, 0 and some", tries, err, done.PendingRows, done.Replaced)
	}
	w.verify()
}

// A pass that has done all it was to do was not cut off, though nobody could tell then
// what is left.
func TestAPassThatCannotTellWhatIsLeftIsNotCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.history(95, func() []kafkarecord.Record { return w.fullRun("exec-1") })
	pruner := w.pruner(thirtyDays, func(c *pruning.Config, p *pruning.Parts) {
		c.Rules.Audit = 1000 * 24 * time.Hour
		p.Probe = func(step string) error {
			if step == "forget" { // the last one
				w.exec("ALTER TABLE test_coordination.pruned_runs RENAME TO away")
			}
			return nil
		}
	})
	if done, err := pruner.Once(t.Context()); err == nil || len(done.Pruned) == 0 {
		t.Fatalf("pruned %v, error %v; want some, and one", done.Pruned, err)
	}
	var cutOff bool
	must(t, w.db.Pool(w).QueryRow(t.Context(), "SELECT (details->>'cut_off')::bool FROM test_coordination.audit_log WHERE action = 'retention.prune'").Scan(&cutOff))
	if cutOff {
		t.Error("the audit log says that the pass was cut off")
	}
}
