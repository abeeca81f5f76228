package event_test

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event/eventtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// judge decides what can be decided about a record without anything stored.
func judge(d *event.Decoder, record kafkarecord.Record, now time.Time) (event.Decoded, *fact.Rejection) {
	decoded, rejection := d.Decode(record, now)
	if rejection == nil && decoded.Scenario != nil {
		rejection = decoded.Scenario.Check(scenario.DefaultLimits())
	}
	return decoded, rejection
}

// mostMemory is what judging a record may allocate, garbage included, beside
// some of it for each of its bytes.
const mostMemory = 4 << 20

// TestHostileRecordsAreJudgedAtABoundedCost has the whole table; what needs
// stored events to be judged is judged in package ingest, with them.
func TestHostileRecordsAreJudgedAtABoundedCost(t *testing.T) { //nolint:paralleltest // measures the memory of the process
	d := newDecoder(t)
	stored := []fact.Reason{fact.ReasonIDConflict, fact.ReasonParameters, fact.ReasonCycle, fact.ReasonLimit}
	names := map[string]bool{}
	for _, line := range eventtest.Hostiles(t) {
		t.Run(line.Class+"/"+line.Name, func(t *testing.T) {
			if names[line.Name] {
				t.Error("the name is taken")
			}
			names[line.Name] = true
			for i, r := range line.Before {
				if _, rejection := judge(d, r, sampleNow); rejection != nil {
					t.Errorf("record %d before it: %v", i, rejection)
				}
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, rejection := judge(d, line.Record, sampleNow)
			runtime.ReadMemStats(&after)
			if used, size := after.TotalAlloc-before.TotalAlloc, len(line.Record.Value)+len(line.Record.Key); used > uint64(mostMemory+200*size) {
				t.Errorf("%d KiB allocated for a record of %d KiB", used>>10, size>>10)
			}
			switch {
			case rejection == nil && line.Reason != "" && !slices.Contains(stored, line.Reason):
				t.Errorf("accepted, want %s", line.Reason)
			case rejection != nil && rejection.Reason != line.Reason:
				t.Errorf("refused as %v, want reason %q", rejection, line.Reason)
			}
			if rejection == nil {
				return
			}
			checkLine(t, rejection)
		})
	}
}
