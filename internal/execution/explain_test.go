package execution_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution/executiontest"
)

// recorded gives the events addresses and times of recording, one second apart
// from ten on, in the order given.
func recorded(events ...*execution.Event) []execution.RecordedEvent {
	all := make([]execution.RecordedEvent, len(events))
	for i, e := range events {
		all[i] = execution.RecordedEvent{Event: e, RecordedAt: ten.Add(time.Duration(i) * time.Second)}
		if e.Source != executiontest.OwnSource {
			all[i].Address = &execution.Address{Topic: "executions", Partition: 1, Offset: int64(i)}
		}
	}
	return all
}

// decisionLines are the decisions as "topic value [offsets]: reason", with "own"
// for an event of this service.
func decisionLines(x execution.Explanation) []string {
	var all []string
	for _, d := range x.Decisions {
		all = append(all, fmt.Sprintf("%s %s %v: %s", d.Topic, d.Value, offsets(d.Events), d.Reason))
	}
	return all
}

func offsets(events []execution.RecordedEvent) []string {
	at := []string{}
	for _, e := range events {
		if e.Address == nil {
			at = append(at, "own")
		} else {
			at = append(at, fmt.Sprint(e.Address.Offset))
		}
	}
	return at
}

func TestExplain(t *testing.T) {
	t.Parallel()
	type events = []*execution.Event
	own := from(executiontest.OwnSource)
	start := event(0, started("c1"))
	end := event(time.Hour, passed())
	broken := event(time.Minute, validation("v1", execution.ValidationFailed))
	superseded := event(2*time.Hour, &execution.Interrupted{Cause: execution.CauseSuperseded, RealEvents: 1, SupersededBy: 2}, own)
	for name, c := range map[string]struct {
		events events
		want   []string
	}{
		"nothing":      {nil, []string{"status pending []: no event was known"}},
		"requested":    {events{event(0, &execution.Requested{})}, []string{"status pending [0]: no event says that the run was started, paused or resumed, or has ended"}},
		"a lone child": {events{event(0, &execution.LogAppended{Count: 1})}, []string{"status pending []: no event says that the run was started, paused or resumed, or has ended"}},
		"running": {events{start}, []string{
			"status running [0]: no end was reported, and started is the last of started, paused and resumed",
			"started 2026-03-01T10:00:00.0000004Z [0]: it is the only started event",
		}},
		"paused, by a record that came first": {events{event(time.Minute, &execution.Paused{}), start, event(time.Second, started("c1"))}, []string{
			"status paused [0]: no end was reported, and paused is the last of started, paused and resumed",
			"started 2026-03-01T10:00:00.0000004Z [1]: it is the first in order of 2 started events",
		}},
		"resumed": {events{event(time.Minute, &execution.Resumed{})}, []string{"status running [0]: no end was reported, and resumed is the last of started, paused and resumed"}},
		"passed": {events{end}, []string{
			"status passed [0]: the coordinator reported passed",
			"ended 2026-03-01T11:00:00.0000004Z [0]: it is the only finished event",
		}},
		"two ends": {events{event(2*time.Hour, finished(execution.StatusError)), end}, []string{
			"status passed [1]: the coordinator reported passed",
			"ended 2026-03-01T11:00:00.0000004Z [1]: it is the first in order of 2 finished events",
		}},
		"failed by validation": {events{end, broken}, []string{
			"status failed [0 1]: the coordinator reported passed, and 1 validation failed",
			"ended 2026-03-01T11:00:00.0000004Z [0]: it is the only finished event",
			"failed_validations 1 [1]: a failed validation turns passed into failed, whenever it arrives",
		}},
		"a validation that failed, then held": {events{end, broken, event(2*time.Minute, validation("v1", execution.ValidationPassed))}, []string{
			"status passed [0]: the coordinator reported passed",
			"ended 2026-03-01T11:00:00.0000004Z [0]: it is the only finished event",
		}},
		"cancelled, with a failed validation": {events{broken, event(time.Hour, finished(execution.StatusCancelled))}, []string{
			"status cancelled [1]: the coordinator reported cancelled",
			"ended 2026-03-01T11:00:00.0000004Z [1]: it is the only finished event",
			"failed_validations 1 [0]: they decide nothing: the coordinator reported cancelled",
		}},
		"a failed validation, no end": {events{broken}, []string{
			"status pending []: no event says that the run was started, paused or resumed, or has ended",
			"failed_validations 1 [0]: they decide nothing yet: no end was reported",
		}},
		"superseded": {events{start, superseded}, []string{
			"status interrupted [own]: no end was reported, and run 2 of the same execution began",
			"started 2026-03-01T10:00:00.0000004Z [0]: it is the only started event",
			"ended 2026-03-01T12:00:00.0000004Z [own]: nobody reported an end: this is when the run was called interrupted",
			"interrupted 2026-03-01T12:00:00.0000004Z [own]: it holds: run 2 of the same execution began, and nothing has been heard of the run since",
		}},
		"silent": {events{start, event(time.Hour, interrupted(1), own)}, []string{
			"status interrupted [own]: no end was reported, and the run showed no sign of life",
			"started 2026-03-01T10:00:00.0000004Z [0]: it is the only started event",
			"ended 2026-03-01T11:00:00.0000004Z [own]: nobody reported an end: this is when the run was called interrupted",
			"interrupted 2026-03-01T11:00:00.0000004Z [own]: it holds: the run showed no sign of life, and nothing has been heard of the run since",
		}},
		"revived": {events{start, superseded, event(3*time.Hour, &execution.Heartbeat{})}, []string{
			"status running [0]: no end was reported, and started is the last of started, paused and resumed",
			"started 2026-03-01T10:00:00.0000004Z [0]: it is the only started event",
			"interrupted 2026-03-01T12:00:00.0000004Z [own]: it does not hold: it counted 1 event of others, and there are 2",
		}},
		"settled after all": {events{superseded, end}, []string{
			"status passed [1]: the coordinator reported passed",
			"ended 2026-03-01T11:00:00.0000004Z [1]: it is the only finished event",
			"interrupted 2026-03-01T12:00:00.0000004Z [own]: it does not hold: an end was reported",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, decisionLines(execution.Explain(recorded(c.events...), time.Time{}))); diff != "" {
				t.Errorf("decisions (-want +got):\n%s", diff)
			}
		})
	}
}

// What was known at a moment follows from the time of recording; that the end
// had happened long before does not count.
func TestExplainAsOf(t *testing.T) {
	t.Parallel()
	events := recorded(event(0, started("c1")), event(time.Minute, &execution.Paused{}), event(-time.Hour, passed()))
	for after, want := range map[time.Duration]struct {
		status     execution.Status
		considered int
	}{
		-1:                    {execution.StatusPending, 0},
		0:                     {execution.StatusRunning, 1},
		2*time.Second - 1:     {execution.StatusPaused, 2},
		2 * time.Second:       {execution.StatusPassed, 3},
		1000 * time.Hour * 24: {execution.StatusPassed, 3},
	} {
		got := execution.Explain(events, ten.Add(after))
		if got.Status != want.status || got.Considered != want.considered || got.LeftOut != 3-want.considered {
			t.Errorf("%s after: %s of %d events, %d left out; want %s of %d", after, got.Status, got.Considered, got.LeftOut, want.status, want.considered)
		}
	}
}

func TestExplainListsWhatCameAfterTheEnd(t *testing.T) {
	t.Parallel()
	events := []*execution.Event{
		event(time.Hour, passed()), event(2*time.Hour, passed()), event(3*time.Hour, finished(execution.StatusError)),
		event(4*time.Hour, &execution.Resumed{}), event(time.Minute, &execution.Paused{}),
	}
	for i := range 70 {
		events = append(events, event(5*time.Hour+time.Duration(i), &execution.Heartbeat{}))
	}
	got := execution.Explain(recorded(events...), time.Time{})
	if got.ConflictingCount != 1 || !slices.Equal(offsets(got.Conflicting), []string{"2"}) {
		t.Errorf("%d conflict: %v", got.ConflictingCount, offsets(got.Conflicting))
	}
	if got.LateCount != 71 || len(got.Late) != 50 || got.Late[0].Address.Offset != 3 {
		t.Errorf("%d late, %d listed: %v", got.LateCount, len(got.Late), offsets(got.Late))
	}
}

// TestExplainAgreesWithTheFold: the status is that of the fold and of the
// oracle, at any moment; the events that are said to have decided it are enough
// to give it; and late and conflicting are as the contract has them.
func TestExplainAgreesWithTheFold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := recorded(rapid.Permutation(executiontest.Events(t, anID, 25)).Draw(t, "arrival")...)
		known := rapid.IntRange(0, len(events)).Draw(t, "known")
		asOf := ten.Add(time.Duration(known-1) * time.Second)
		if known == len(events) && rapid.Bool().Draw(t, "now") {
			asOf = time.Time{}
		}
		var then []*execution.Event
		for _, e := range events[:known] {
			then = append(then, e.Event)
		}
		got := execution.Explain(events, asOf)
		folded, read := fold(then...).Run, readWhole(anID, 1, then).Run
		if got.Status != folded.Status || got.Status != read.Status || got.ReportedOutcome != read.ReportedOutcome {
			t.Fatalf("explained %s (%s), folded %s, read %s (%s)", got.Status, got.ReportedOutcome, folded.Status, read.Status, read.ReportedOutcome)
		}

		why := map[execution.Topic]execution.Decision{}
		for _, d := range got.Decisions {
			why[d.Topic] = d
			if d.Reason == "" || d.Topic != execution.TopicStatus && len(d.Events) == 0 {
				t.Fatalf("decision %+v", d)
			}
		}
		var deciding []*execution.Event
		for _, e := range why[execution.TopicStatus].Events {
			deciding = append(deciding, e.Event)
		}
		if got.Status == execution.StatusInterrupted {
			p, ok := deciding[0].Payload.(*execution.Interrupted)
			if !ok || p.RealEvents != read.Counts.Events {
				t.Fatalf("interrupted by %+v, with %d events of others", deciding[0], read.Counts.Events)
			}
		} else if alone := fold(deciding...).Run.Status; alone != got.Status {
			t.Fatalf("the deciding events give %s, not %s", alone, got.Status)
		}
		for topic, at := range map[execution.Topic]time.Time{execution.TopicStarted: read.StartedAt, execution.TopicEnded: read.EndedAt} {
			d, decided := why[topic]
			if decided != !at.IsZero() || decided && !d.Events[0].Time.Equal(at) {
				t.Fatalf("%s: %+v, read %s", topic, d, at)
			}
		}
		if _, decided := why[execution.TopicInterrupted]; decided != (read.Interruption != nil) {
			t.Fatalf("interruption decided: %v", decided)
		}
		if n := len(why[execution.TopicFailedValidations].Events); n != int(read.Counts.ValidationsFailed) {
			t.Fatalf("%d failed validations named, %d counted", n, read.Counts.ValidationsFailed)
		}

		late, conflicting := 0, 0
		for _, e := range then {
			p, ends := e.Payload.(*execution.Finished)
			switch {
			case read.EndOrder.IsZero() || !e.Order().After(read.EndOrder):
			case !ends:
				late++
			case p.Outcome != read.ReportedOutcome:
				conflicting++
			}
		}
		if got.LateCount != late || got.ConflictingCount != conflicting {
			t.Fatalf("%d late and %d conflicting, want %d and %d", got.LateCount, got.ConflictingCount, late, conflicting)
		}
	})
}

// An Explainer may be asked between events: it says what Explain says of those so far,
// and goes on as if it had not been asked.
func TestExplainerSaysAtAnyTimeWhatExplainSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := executiontest.Events(t, anID, 25)
		slices.SortFunc(events, func(a, b *execution.Event) int { return a.Order().Compare(b.Order()) })
		known := recorded(events...)
		x := execution.NewExplainer(execution.NewState("", 0, ""))
		for i, e := range known {
			x.Add(e)
			if diff := cmp.Diff(execution.Explain(known[:i+1], time.Time{}), x.Explain(), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("after event %d (-at once +one by one):\n%s", i, diff)
			}
		}
	})
}
