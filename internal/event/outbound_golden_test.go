package event_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/reporttest"
)

// outboundGolden is a file: an event that only leaves the service, in the one form
// that it has.
type outboundGolden struct {
	Type    fact.Type      `json:"type"`
	Records []goldenRecord `json:"records"`
}

// What the service says to others stays as it is, byte for byte: the same fact has
// the same id, and readers find what they have always found.
func TestGoldenOutboundEvents(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 4, 1, 12, 0, 0, 123456000, time.UTC)
	r := reporttest.Report(t, "overruled-by-validation")
	frozen, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	published, err := event.NewReportPublished("/tcda/a", r, event.Publication{
		Revision: 2, Size: len(frozen), At: at, Path: "/reports/" + string(r.Run.ExecutionID) + "/1?revision=2",
	})
	if err != nil {
		t.Fatal(err)
	}
	settled, err := event.NewSettled("/tcda/a", &execution.Run{
		ID: executionID, Number: 3, Version: 42, RunID: "run-a", Status: execution.StatusFailed, ReportedOutcome: execution.StatusPassed,
		ScenarioID: "stablecoin-depeg", ScenarioVersion: "2", Environment: "staging",
		RequestedAt: at.Add(-3 * time.Minute), StartedAt: at.Add(-2 * time.Minute), EndedAt: at.Add(-time.Minute),
		Counts: execution.Counts{Events: 13, LogLines: 3, Snapshots: 2, Phases: 1, Steps: 2, StepsFailed: 1, Faults: 1, ValidationsPassed: 1, ValidationsFailed: 1},
	}, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		out     event.Outbound
		message proto.Message
	}{{published, &contract.ReportPublished{}}, {settled, &contract.ExecutionSettled{}}} {
		if err := protojson.Unmarshal(c.out.Record.Value, c.message); err != nil {
			t.Errorf("%s: %v", c.out.Type, err)
		}
		record := goldenRecord{Form: forms[0].String(), Key: string(c.out.Record.Key), Headers: map[string]string{}, Text: string(c.out.Record.Value)}
		for _, h := range c.out.Record.Headers {
			record.Headers[h.Key] = string(h.Value)
		}
		var got bytes.Buffer
		e := json.NewEncoder(&got)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(outboundGolden{c.out.Type, []goldenRecord{record}}); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(goldenDir, string(c.out.Type)+".json")
		if *update {
			if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s (-file +now):\n%s", file, diff)
		}
	}
}
