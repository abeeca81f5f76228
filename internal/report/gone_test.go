package report_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution/executiontest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// Nothing is said of what is gone: not that snapshots were alike, and not that there
// were no alerts.
func TestNothingIsSaidOfWhatIsGone(t *testing.T) {
	t.Parallel()
	snapshot := func(id string, kind execution.SnapshotKind, health string, state string) *execution.SnapshotCaptured {
		return &execution.SnapshotCaptured{SnapshotID: id, Kind: kind, Service: "exchange", Health: health, State: json.RawMessage(state)}
	}
	events := func(before, after string) []*execution.Event {
		return []*execution.Event{
			event(0, &execution.Started{}),
			event(1*time.Second, snapshot("a", execution.SnapshotBaseline, "healthy", before)),
			event(2*time.Second, &execution.LogAppended{Count: 3}),
			event(3*time.Second, snapshot("b", execution.SnapshotRecovery, "degraded", after)),
			event(4*time.Second, &execution.Finished{Outcome: execution.StatusPassed}),
		}
	}
	gone := &report.Gone{Kinds: []string{report.GoneLogs, report.GoneSnapshots}, Policy: "old", At: executiontest.Base.Add(1500 * time.Nanosecond), Revision: 2, SHA256: "aa"}
	whole, rest := build(t, report.Context{}, events(`{"n":1}`, `{"n":2}`)...), build(t, report.Context{Gone: gone}, events("", "")...)
	if len(whole.Snapshots) != 1 || whole.Inputs.Gone != nil || whole.Inputs.Gone.Lacks(report.GoneLogs) {
		t.Errorf("whole: %+v, gone %+v", whole.Snapshots, whole.Inputs.Gone)
	}
	if len(rest.Snapshots) != 0 || rest.Metrics.Snapshots != 2 || rest.Metrics.LogLines != 3 || rest.Inputs.Chain != whole.Inputs.Chain {
		t.Errorf("rest: %+v, metrics %+v", rest.Snapshots, rest.Metrics)
	}
	if len(rest.Impact) != 1 || rest.Impact[0].HealthLast != "degraded" {
		t.Errorf("health, which events tell, is gone: %+v", rest.Impact)
	}
	if g := rest.Inputs.Gone; g == gone || !g.At.Equal(executiontest.Base.Add(time.Microsecond)) || g.Policy != "old" || g.Revision != 2 || g.SHA256 != "aa" || !g.Lacks(report.GoneLogs) {
		t.Errorf("gone: %+v", g)
	}
	frozen(t, whole)
	frozen(t, rest)
	for _, figure := range []string{"alerts", "circuit_breakers"} {
		all := report.Compare(whole, rest).Figures
		at := slices.IndexFunc(all, func(f report.FigureChange) bool { return f.Name == figure })
		if f := all[at]; f.A == nil || f.B != nil || f.Change != nil {
			t.Errorf("%s: %+v", figure, f)
		}
	}
}
