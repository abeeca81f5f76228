//go:build interop

package e2e_test

import (
	"bytes"
	"context"
	_ "embed" // the requirements
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv/pythonenv"
)

// A coordinator in Python, that shares nothing with us but the .proto files, is
// understood in all forms; and its events are, to the digest, those that Go's
// encoder makes of the same content.
func TestPythonCoordinatorIsUnderstood(t *testing.T) {
	t.Parallel()
	for name, broker := range map[string]func(testing.TB) *testenv.KafkaCluster{
		"Apache Kafka": testenv.ApacheKafka,
		"kfake":        func(t testing.TB) *testenv.KafkaCluster { return testenv.Kafka(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOn(t, broker(t))
			sent := filepath.Join(t.TempDir(), "ledger.jsonl")
			coordinator := w.startCoordinator(sent)
			service := w.serve()
			testenv.Eventually(t, "the service is in the middle", func() bool { return w.ingested() > 20 || !coordinator.running() })
			service.kill()
			coordinator.wantSuccess()
			service = w.serve()
			w.drain()

			said := readCoordinatorLedger(t, sent)
			ledger := newLedger()
			for i := range said {
				said[i].note(t, ledger)
			}
			w.settle(ledger)
			w.wantPythonRuns()
			start(t, w.env, "tcda-lab", "ledger", "check", "--ledger", sent).wantSuccess()

			// The same events once more, as Go writes them.
			again, places := asGoWritesThem(t, said)
			err := w.send(t.Context(), again, 0, func(r *coordsim.Record, at coordsim.Address) error {
				if place := places[r.EventKey()]; place.Topic != at.Topic || place.Partition != at.Partition {
					return fmt.Errorf("%s: %s/%d, Python chose %s/%d", r.Subject, at.Topic, at.Partition, place.Topic, place.Partition)
				}
				return ledger.note(r, at)
			})
			if err != nil {
				t.Fatal(err)
			}
			w.drain()
			w.verify()
			service.interrupt()
			service.wantSuccess()
			w.settle(ledger)
		})
	}
}

// wantPythonRuns looks at what has come of all that the coordinator said.
func (w *world) wantPythonRuns() {
	w.Helper()
	type outcome struct {
		Status, Reported execution.Status
		Counts           execution.Counts
	}
	// Each run has 15 events beside its heartbeats.
	counts := execution.Counts{Events: 15 + 40, LogLines: 25, Snapshots: 1, Phases: 1, Steps: 1, Faults: 1, ValidationsPassed: 1}
	failed, short := counts, counts
	failed.ValidationsPassed, failed.ValidationsFailed = 0, 1
	short.Events = 15 + 5
	want := map[pgstore.RunKey]outcome{
		{ID: "py-exec-001", Number: 1}:    {execution.StatusPassed, execution.StatusPassed, counts},
		{ID: "py-exec-002", Number: 1}:    {execution.StatusFailed, execution.StatusPassed, failed},
		{ID: "py-exec-reused", Number: 1}: {execution.StatusCancelled, execution.StatusCancelled, short},
		{ID: "py-exec-reused", Number: 2}: {execution.StatusPassed, execution.StatusPassed, short},
	}
	runs, err := w.store.RunsAfter(w.Context(), pgstore.RunKey{}, len(want)+1)
	if err != nil {
		w.Fatal(err)
	}
	got := map[pgstore.RunKey]outcome{}
	for i := range runs {
		r := &runs[i]
		got[pgstore.RunKey{ID: r.ID, Number: r.Number}] = outcome{r.Status, r.ReportedOutcome, r.Counts}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("runs (-said +stored):\n%s", diff)
	}
	definitions, err := w.store.AggregatesAfter(w.Context(), pgstore.Aggregate{}, 100)
	if err != nil {
		w.Fatal(err)
	}
	wantDefinitions := []pgstore.Aggregate{
		{Kind: "scenario", ID: "py-latency"},
		{Kind: "scenario", ID: "py-opaque"},
		{Kind: "scenario", ID: "py-outage"},
		{Kind: "schedule", ID: "py-nightly"},
		{Kind: "schedule", ID: "py-once"},
		{Kind: "template", ID: "py-template"},
	}
	if diff := cmp.Diff(wantDefinitions, definitions); diff != "" {
		w.Errorf("definitions (-said +stored):\n%s", diff)
	}
}

// startCoordinator runs coordinator.py.
func (w *world) startCoordinator(ledger string) *process {
	w.Helper()
	python, err := pythonEnvironment()
	if err != nil {
		w.Fatal(err)
	}
	described, err := descriptors()
	if err != nil {
		w.Fatal(err)
	}
	file := filepath.Join(w.TempDir(), "contract.binpb")
	if err := os.WriteFile(file, described, 0o600); err != nil {
		w.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(w.Context()), python, "coordinator.py",
		"--brokers", w.kafka.Brokers[0], "--executions", w.topics.Executions, "--scenarios", w.topics.Scenarios,
		"--descriptors", file, "--ledger", ledger)
	return run(w, cmd, nil)
}

// descriptors are the .proto files as buf describes them.
var descriptors = sync.OnceValues(func() ([]byte, error) {
	cmd := exec.CommandContext(context.Background(), "go", "tool", "-modfile=internal/tools/go.mod",
		"buf", "build", "schema/proto", "--exclude-source-info", "--output", "-#format=binpb")
	cmd.Dir = repository
	var said bytes.Buffer
	cmd.Stderr = &said
	described, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("describe the contract with buf: %w\n%s", err, &said)
	}
	return described, nil
})

//go:embed requirements.txt
var requirements []byte

// pythonEnvironment is the interpreter of a virtual environment with what the
// coordinator needs. It is made once for this user, from PyPI.
var pythonEnvironment = sync.OnceValues(func() (python string, err error) { return pythonenv.Interpreter(requirements) })

// saidByPython is a line of the coordinator's ledger.
type saidByPython struct {
	coordsim.Entry
	Reason        fact.Reason     `json:"reason"`
	Time          time.Time       `json:"time"`
	Sequence      fact.Sequence   `json:"sequence"`
	RunID         string          `json:"runid"`
	CorrelationID string          `json:"correlationid"`
	Data          json.RawMessage `json:"data"`
}

func readCoordinatorLedger(t testing.TB, name string) []saidByPython {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var all []saidByPython
	forms := map[string]int{}
	for line := range bytes.Lines(text) {
		var s saidByPython
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatalf("read the coordinator's ledger: %v", err)
		}
		all = append(all, s)
		forms[s.Form]++
	}
	const malformed = 1 // has no form
	if all := 2*len(coordsim.Forms()) + malformed; len(forms) != all {
		t.Errorf("records in %d forms, want %d of each API of the SDK: %v", len(forms)-malformed, len(coordsim.Forms()), forms)
	}
	return all
}

// note puts the line into our ledger.
func (s *saidByPython) note(t testing.TB, l *ledger) {
	t.Helper()
	r := coordsim.Record{Kind: s.Kind, Identity: s.Identity, Reason: s.Reason}
	if s.Kind != coordsim.Malformed && r.EventKey().String() != s.EventKey {
		t.Errorf("Python's key of event %s is %s, ours is %s", s.ID, s.EventKey, r.EventKey())
	}
	if err := l.note(&r, s.Address); err != nil {
		t.Fatal(err)
	}
}

// asGoWritesThem are the coordinator's events by our encoder, each in one of
// the four forms, and where Python's are.
func asGoWritesThem(t testing.TB, said []saidByPython) (iter.Seq2[coordsim.Record, error], map[fact.Key]coordsim.Address) {
	t.Helper()
	decoder, err := event.NewDecoder(event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	forms := coordsim.Forms()
	var again []coordsim.Record
	places := map[fact.Key]coordsim.Address{}
	for i := range said {
		s := &said[i]
		if s.Kind != coordsim.Event {
			continue
		}
		message, err := event.NewMessage(s.Type, s.Data)
		if err != nil {
			t.Fatal(err)
		}
		form := forms[len(again)%len(forms)]
		record, err := event.Encode(event.Outgoing{
			Source: s.Source, ID: s.ID, Time: s.Time, Sequence: s.Sequence, RunID: s.RunID, CorrelationID: s.CorrelationID, Message: message,
		}, form.Mode, form.Encoding)
		if err != nil {
			t.Fatal(err)
		}
		again = append(again, judged(t, decoder, record))
		places[s.Identity.EventKey()] = s.Address
	}
	return amid(nil, again), places
}
