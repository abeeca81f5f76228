package ingest_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/ingest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// The fault table, our own process and versions. What goes wrong, and the test
// that says what becomes of it. Those of package e2e are of the built program.
//
//	killed before and after each step               TestNothingIsLostOrDoubledWhenTheProcessDies (crash_test.go)
//	killed at random moments, again and again       TestKilledServiceLosesAndDoublesNothing (e2e)
//	killed while idle                               TestServiceKilledWhileIdleBlamesNoRecord (e2e)
//	killed by a record, thrice                      TestADeadlyRecordIsLeftOutAndItsNeighboursAreApplied and others (crash_test.go)
//	frozen, then awake as a zombie                  TestFrozenServiceIsFencedWhenItWakes (e2e)
//	two that are sure to own a partition            TestTwoOwnersOfOnePartitionBothGoOn
//	overtaken, again and again, before it decoded   TestBeingOvertakenIsNoDeath
//	the same, fenced once                           TestAZombieIsFencedAndTheOwnerClaimsAgain (fault_test.go)
//	bombs in little memory                          TestServiceSurvivesBombsInLittleMemory (e2e)
//	out of memory, killed for it, again and again   TestServiceThatDiesOfARecordLeavesItOut (e2e)
//	stopped in the middle, goroutines left          TestAnEngineThatStoppedLeavesNoGoroutine (leak_test.go)
//	a stop that takes too long                      TestStopWithinTheDeadline (package service)
//	schema newer or older than the program          TestSchemaOfAnotherVersionIsRefused, TestServiceRefusesToStart (e2e)
//	schema migrated beneath a running service       TestServiceGoesOnWhileItsSchemaIsMigrated (e2e)
//	rolling upgrade from the previous program       TestRollingUpgradeUnderLoad (e2e), and the way back

// Two engines, in groups apart, are each given every partition, so that nothing
// but the fence in PostgreSQL stands between them. Both run at full speed.
func TestTwoOwnersOfOnePartitionBothGoOn(t *testing.T) {
	t.Parallel()
	w := newFaultWorld(t)
	registries := map[string]*prometheus.Registry{}
	for _, name := range []string{"a", "b"} {
		stop := w.start(name, w.underFault(&fault{}), func(s *settings) { s.config.Group.ID = "tcda-" + name })
		defer stop()
		registries[name] = w.metrics
	}
	of := func(name, metric string) float64 {
		t.Helper()
		return w.metricOf(registries[name], metric)
	}
	const fenced = "tcda_fenced_total"
	testenv.Eventually(t, "each has overtaken the other", func() bool { return of("a", fenced) > 0 && of("b", fenced) > 0 })
	before := map[string]float64{"a": of("a", fenced), "b": of("b", fenced)}
	const records = 4000
	batch := make([]kafkarecord.Record, 0, records/2)
	for number := range int32(2) {
		batch = batch[:0]
		for range records / 2 {
			batch = append(batch, w.say(&contract.ExecutionHeartbeat{ExecutionId: string(executionNumber(w.counted % 7))}))
		}
		w.produceTo(number, batch...)
	}
	w.drain()
	w.wantSums(records, 0, 0)
	for name := range registries {
		applied, times := of(name, `tcda_records_applied_total{topic="`+topic+`"}`), of(name, fenced)-before[name]
		t.Logf("%s has applied %v of %d records and was fenced %v times", name, applied, records, times)
		if applied == 0 {
			t.Errorf("%s got nothing done", name)
		}
		if times == 0 {
			t.Errorf("%s was never fenced: it was alone", name)
		}
	}
	w.verify()
}

// Another has claimed the partition of an engine that had nothing to write since, and
// so learns it only when it gives the partition back.
func TestWhoIsOvertakenWhileIdleSaysSoWhenItStops(t *testing.T) {
	t.Parallel()
	w := newFaultWorld(t)
	w.produce(w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}))
	stop := w.start("a", w.underFault(&fault{}), func(s *settings) {
		s.config.StopPoll = time.Hour                                                             // it does not look whether it was overtaken,
		s.config.Group.SessionTimeout, s.config.Group.RebalanceTimeout = time.Minute, time.Minute // and has no new tenure
	})
	w.drain()
	if _, err := w.store.Claim(t.Context(), pgstore.ClaimRequest{Topic: topic, Owner: "other", CarefulRecords: 10, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if deaths := w.partition(0).Attempts; deaths != 1 {
		t.Fatalf("the claim counts %d deaths, want the one that was none", deaths)
	}
	stop()
	if at := w.partition(0); at.Attempts != 0 || at.Owner != "other" {
		t.Errorf("the partition is of %s with %d deaths, want it of other without", at.Owner, at.Attempts)
	}
	if fenced := w.metric("tcda_fenced_total"); fenced != 1 {
		t.Errorf("fenced %v times, want once", fenced)
	}
}

// Another claims the partition each time that the engine has begun to read at a
// position, and nobody dies: no record may be left out for that.
func TestBeingOvertakenIsNoDeath(t *testing.T) {
	t.Parallel()
	w := newFaultWorld(t)
	w.produce(w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}))
	w.readAndDie(pgstore.ClaimRequest{Topic: topic, Owner: "dead", CarefulRecords: 10, Now: time.Now()}) // one death there was
	const times = 6
	var overtaken atomic.Int32
	stop := w.start("a", w.underFault(&fault{}), func(s *settings) {
		s.parts.Probe = func(m ingest.Moment) {
			if m.Step != telemetry.StepFetch || m.After || w.partition(0).Owner != "a" || overtaken.Load() == times {
				return
			}
			overtaken.Add(1)
			_, err := w.store.Claim(t.Context(), pgstore.ClaimRequest{Topic: topic, Owner: "other", CarefulRecords: 10, Now: time.Now()})
			if err != nil {
				t.Error(err)
			}
		}
	})
	testenv.Eventually(t, "it is overtaken often enough", func() bool { return overtaken.Load() == times })
	w.drain()
	stop()
	w.wantSums(1, 0, 0)
	w.verify()
}
