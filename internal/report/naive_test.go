package report_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution/executiontest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// TestAgreesWithANaiveReading holds the facts of a report against what a reader of
// the sorted events would write down, by other means than the fold's.
func TestAgreesWithANaiveReading(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := inOrder(executiontest.Events(t, anID, 40))
		r := build(t, report.Context{}, events...)

		var recorded []execution.RecordedEvent
		results := map[string]execution.ValidationStatus{}
		ends, others, heard := 0, int64(0), [32]byte{}
		var outcome execution.Status
		late, conflicting, suspect, shown, lines := 0, 0, 0, 0, int64(0)
		for _, e := range events {
			recorded = append(recorded, execution.RecordedEvent{Event: e})
			heard = sha256.Sum256(append(append(heard[:], e.Key[:]...), e.Digest[:]...))
			if e.Suspect {
				suspect++
			}
			_, own := e.Payload.(*execution.Interrupted)
			if !own {
				others++
			}
			finished, end := e.Payload.(*execution.Finished)
			switch {
			case ends > 0 && end && finished.Outcome != outcome:
				conflicting++
			case ends > 0 && !end && !own:
				late++
			}
			if end {
				if ends++; ends == 1 {
					outcome = finished.Outcome
				}
			}
			switch p := e.Payload.(type) {
			case *execution.ValidationRecorded:
				results[p.ValidationID] = p.Status
			case *execution.LogAppended:
				lines += int64(p.Count)
			}
			switch e.Payload.(type) {
			case *execution.Heartbeat, *execution.LogAppended, *execution.SnapshotCaptured: // all drawn ones are periodic
			default:
				shown++
			}
		}
		var tally report.Tally
		for _, status := range results {
			switch status {
			case execution.ValidationPassed:
				tally.Passed++
			case execution.ValidationFailed:
				tally.Failed++
			case execution.ValidationSkipped:
				tally.Skipped++
			case execution.ValidationError:
				tally.Error++
			}
		}
		x := execution.Explain(recorded, time.Time{})
		want := report.Metrics{
			Events: others, LogLines: lines, Validations: tally, Late: late, Conflicting: conflicting, Suspect: suspect,
		}
		got := r.Metrics
		if got.Events != want.Events || got.LogLines != want.LogLines || got.Validations != want.Validations ||
			got.Late != want.Late || got.Conflicting != want.Conflicting || got.Suspect != want.Suspect {
			t.Fatalf("metrics %+v, want %+v", got, want)
		}
		if r.Verdict.Status != x.Status || r.Verdict.Reported != outcome || len(r.Verdict.Decisions) != len(x.Decisions) {
			t.Fatalf("verdict %+v, explained %+v", r.Verdict, x)
		}
		if r.Provisional == x.Status.Terminal() {
			t.Fatalf("provisional %v of status %s", r.Provisional, x.Status)
		}
		if len(r.Timeline.Entries) != shown || len(r.Validations) != len(results) {
			t.Fatalf("%d entries and %d validations, want %d and %d", len(r.Timeline.Entries), len(r.Validations), shown, len(results))
		}
		if r.Inputs.Events != int64(len(events)) || len(events) > 0 && r.Inputs.Chain != hex.EncodeToString(heard[:]) {
			t.Fatalf("inputs %+v of %d events, want chain %x", r.Inputs, len(events), heard)
		}
		for i, e := range r.Timeline.Entries {
			if e.At.Nanosecond()%1000 != 0 || e.At.Location() != time.UTC {
				t.Fatalf("entry %d at %s", i, e.At)
			}
		}
	})
}
