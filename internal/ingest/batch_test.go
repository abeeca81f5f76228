package ingest_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/ingest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario/examples"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// Which records share a transaction is chance, so it must not change what
// becomes of any.
func TestBatchesDoNotDecide(t *testing.T) {
	t.Parallel()
	x := func(o *event.Outgoing) { o.ID = "x" }
	for name, c := range map[string]struct {
		before  func(w *world) []kafkarecord.Record // stored before
		records func(w *world) []kafkarecord.Record
		sums    [3]int64 // applied, duplicates, quarantined
		reasons []fact.Reason
	}{
		"a refused event has not taken its identity": {
			records: func(w *world) []kafkarecord.Record {
				closes := w.say(declared("b", "a"), x)
				return []kafkarecord.Record{w.say(declared("a", "b")), closes, closes, w.say(declared("b"), x)}
			},
			sums: [3]int64{2, 0, 2}, reasons: []fact.Reason{fact.ReasonCycle, fact.ReasonCycle},
		},
		"a duplicate behind a conflict is a duplicate": {
			before: func(w *world) []kafkarecord.Record {
				return []kafkarecord.Record{w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"}), w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1", Message: "one"}, x, at(w.clock))}
			},
			records: func(w *world) []kafkarecord.Record {
				return []kafkarecord.Record{
					w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1", Message: "another"}, x),
					w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1", Message: "one"}, x, at(w.clock.Add(-2*time.Second))),
				}
			},
			sums: [3]int64{2, 1, 1}, reasons: []fact.Reason{fact.ReasonIDConflict},
		},
		"repeated and contradicted in the batch": {
			records: func(w *world) []kafkarecord.Record {
				beat := w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}, x)
				return []kafkarecord.Record{beat, beat, w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1", Message: "another"}, x), beat}
			},
			sums: [3]int64{1, 2, 1}, reasons: []fact.Reason{fact.ReasonIDConflict},
		},
		"runs and definitions have identities apart": {
			records: func(w *world) []kafkarecord.Record {
				return []kafkarecord.Record{
					w.say(&contract.ScenarioPublished{ScenarioId: "same", Definition: "text"}, x), w.say(&contract.ExecutionHeartbeat{ExecutionId: "same"}, x),
				}
			},
			sums: [3]int64{2, 0, 0},
		},
		"a template by the number that it just got": {
			records: func(w *world) []kafkarecord.Record {
				return []kafkarecord.Record{
					w.say(&contract.TemplatePublished{TemplateId: "t", Definition: examples.ExchangeDisruption}),
					w.say(made(t, "good", "t", "1", map[string]any{"exchange": "x", "duration": "1h"})),
					w.say(made(t, "bad", "t", "1", map[string]any{"exchange": "x", "duration": "10h"})),
					w.say(made(t, "to-come", "t", "2", nil)),
				}
			},
			sums: [3]int64{3, 0, 1}, reasons: []fact.Reason{fact.ReasonParameters},
		},
		"numbers follow acceptance, not the producer's clock": {
			records: func(w *world) []kafkarecord.Record {
				later := w.clock.Add(time.Hour)
				return []kafkarecord.Record{
					w.say(&contract.TemplatePublished{TemplateId: "t", Definition: examples.ExchangeDisruption}, at(later)),
					w.say(&contract.TemplatePublished{TemplateId: "t", Definition: looser}),
					w.say(made(t, "bad", "t", "1", map[string]any{"exchange": "x", "duration": "10h"})),
					w.say(made(t, "good", "t", "2", map[string]any{"exchange": "x", "duration": "10h"})),
				}
			},
			sums: [3]int64{3, 0, 1}, reasons: []fact.Reason{fact.ReasonParameters},
		},
		"a base that changes under its heir": {
			before: func(w *world) []kafkarecord.Record {
				return []kafkarecord.Record{
					w.say(&contract.TemplatePublished{TemplateId: "exchange-disruption", Definition: examples.ExchangeDisruption}),
					w.say(&contract.TemplatePublished{TemplateId: "heir", Definition: strings.Replace(examples.ExchangeOutage, "kind: Scenario", "kind: Template", 1)}),
				}
			},
			records: func(w *world) []kafkarecord.Record {
				return []kafkarecord.Record{
					w.say(made(t, "before", "heir", "", map[string]any{"exchange": "x", "duration": "10h"})),
					w.say(&contract.TemplatePublished{TemplateId: "exchange-disruption", Definition: looser}),
					w.say(made(t, "after", "heir", "", map[string]any{"exchange": "x", "duration": "10h"})),
				}
			},
			sums: [3]int64{4, 0, 1}, reasons: []fact.Reason{fact.ReasonParameters},
		},
	} {
		for _, size := range []int{1, 1000} {
			t.Run(fmt.Sprintf("%s, %d at a time", name, size), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				if c.before != nil {
					w.produce(c.before(w)...)
					w.run()
				}
				w.produce(c.records(w)...)
				w.run(func(s *settings) { s.config.Read.BatchRecords = size })
				w.wantSums(c.sums[0], c.sums[1], c.sums[2])
				w.wantReasons(c.reasons...)
				w.verify()
			})
		}
	}
}

// looser is a second version of the template, which allows a longer duration.
var looser = strings.Replace(examples.ExchangeDisruption, "max: 6h", "max: 12h", 1)

func at(t time.Time) func(*event.Outgoing) { return func(o *event.Outgoing) { o.Time = t } }

func declared(id string, on ...string) *contract.ScenarioDependenciesDeclared {
	d := &contract.ScenarioDependenciesDeclared{ScenarioId: id}
	for _, other := range on {
		d.Dependencies = append(d.Dependencies, &contract.Dependency{DependsOn: other, Kind: "requires_run"})
	}
	return d
}

// made is a scenario that was made with a template.
func made(t testing.TB, id, template, version string, parameters map[string]any) *contract.ScenarioPublished {
	t.Helper()
	p, err := structpb.NewStruct(parameters)
	if err != nil {
		t.Fatal(err)
	}
	return &contract.ScenarioPublished{ScenarioId: id, Definition: "text", Template: &contract.TemplateUse{TemplateId: template, Version: version, Parameters: p}}
}

// slowDeclarations makes each declaration of a dependency take 0.2 s, and gives
// a store that allows no statement more than 1 s: what stands for anything that
// is slow for many and not for few.
func (w *world) slowDeclarations() *pgstore.Store {
	w.Helper()
	w.exec(`CREATE FUNCTION test_coordination.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.2); RETURN NEW; END $$`)
	w.exec(`CREATE TRIGGER slow BEFORE INSERT ON test_coordination.scenario_dependencies FOR EACH ROW EXECUTE FUNCTION test_coordination.slow()`)
	hurried, err := pgstore.Open(w.Context(), pgstore.Config{URL: w.db.URL, MaxConns: 6, StatementTimeout: time.Second, LockTimeout: time.Second, IdleTimeout: time.Second})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(hurried.Close)
	return hurried
}

// Some declarations are bad, and one is refused by the database.
func TestABatchThatTakesTooLongIsTriedInHalves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hurried := w.slowDeclarations()
	w.exec(`ALTER TABLE test_coordination.scenario_dependencies ADD CONSTRAINT scenario_dependencies_kind_check2 CHECK (scenario_id <> 's-17') NOT VALID`)
	w.exec(`ALTER TABLE test_coordination.scenario_dependencies DROP CONSTRAINT scenario_dependencies_kind_check`)
	w.exec(`ALTER TABLE test_coordination.scenario_dependencies RENAME CONSTRAINT scenario_dependencies_kind_check2 TO scenario_dependencies_kind_check`)
	var records []kafkarecord.Record
	for i := range 20 {
		records = append(records, w.say(declared(fmt.Sprint("s-", i), "other")))
	}
	w.produce(records...)
	w.run(func(s *settings) {
		s.parts.Store = hurried
		// Enough for the tries of one part, not for those of all.
		s.config.StallLimit, s.config.ApplyBudget = 3*time.Second, time.Second
	})
	w.wantSums(19, 0, 1)
	w.wantReasons(fact.ReasonDatabase)
	if n := w.count("SELECT count(*) FROM scenario_dependencies"); n != 19 {
		t.Errorf("%d dependencies stored, want 19", n)
	}
}

// The halves share the budget of the batch in hand.
func TestHalvesEndWithinTheApplyBudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hurried := w.slowDeclarations()
	var records []kafkarecord.Record
	for i := range 100 {
		records = append(records, w.say(declared(fmt.Sprint("s-", i), "other")))
	}
	w.produce(records...)
	reached := make(chan struct{}, 1)
	stop := w.start("a", func(s *settings) {
		s.parts.Store = hurried
		s.config.ApplyBudget = 3 * time.Second // enough for the whole to be given up, not for its halves
		s.parts.Probe = func(m ingest.Moment) {
			if m.Step == telemetry.StepCommit && !m.After {
				select {
				case reached <- struct{}{}:
				default:
				}
			}
		}
	})
	<-reached
	stop()
	if p := w.partition(0); p.Next == 100 {
		t.Error("all halves were committed after the stop")
	}
}

// Between two small batches records gather; nothing waits after one that came
// alone.
func TestRecordsGatherInASteadyFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var decoded, passes atomic.Int32
	gathering := func(s *settings) {
		s.config.Gather = time.Hour
		s.config.Group.SessionTimeout, s.config.Group.RebalanceTimeout = time.Minute, time.Minute // a new tenure would fetch at once
		s.parts.Probe = func(m ingest.Moment) {
			switch {
			case m.Step == telemetry.StepDecode && !m.After:
				decoded.Add(1)
			case m.Step == telemetry.StepReconcile && m.After:
				passes.Add(1)
			}
		}
	}
	beat := func() kafkarecord.Record { return w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}) }
	stop := w.start("a", gathering)
	for range 3 {
		w.produce(beat())
		w.drain()
	}
	stop()

	w.produce(beat(), beat())
	decoded.Store(0)
	stop = w.start("a", gathering)
	w.drain()
	before := passes.Load()
	w.produce(beat())
	testenv.Eventually(t, "there was time to fetch it", func() bool { return passes.Load() > before+5 })
	if n := decoded.Load(); n != 1 {
		t.Errorf("%d batches were decoded, want 1: the next does not wait for records to gather", n)
	}
	stop()
	w.run()
	w.wantSums(6, 0, 0)
}

// Batches of a backlog are small where its records are large. They follow each
// other at once.
func TestABacklogDoesNotGather(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 12 { // each in a record batch of its own
		var text strings.Builder
		for text.Len() < 40_000 { // nothing that compression makes smaller
			text.WriteString(rand.Text())
		}
		w.produce(w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1", Message: text.String()}))
	}
	w.run(func(s *settings) {
		s.config.Gather = time.Hour
		s.config.Read.FetchBytes = 100_000
	})
	w.wantSums(12, 0, 0)
}
