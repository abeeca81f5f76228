package evidence_test

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/evidence"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// heap is the most memory that was in use when it was asked for.
type heap struct {
	from   io.ReaderAt
	asked  int
	before uint64
	most   uint64
}

func newHeap() *heap {
	h := &heap{}
	h.before = inUse()
	return h
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func (h *heap) look() {
	if h.asked++; h.asked%50 == 0 {
		h.most = max(h.most, inUse())
	}
}

// ReadAt looks at the memory each time that a part of a file is read.
func (h *heap) ReadAt(b []byte, at int64) (int, error) {
	h.look()
	return h.from.ReadAt(b, at)
}

func (h *heap) atMost(t testing.TB, what string, limit uint64) {
	t.Helper()
	used := max(h.most, h.before) - h.before
	t.Logf("%s: %d KiB in %d looks", what, used>>10, h.asked/50)
	if h.asked < 1000 || used > limit {
		t.Errorf("%s: %d KiB are in use, want at most %d; asked %d times", what, used>>10, limit>>10, h.asked)
	}
}

// storm is a long run: a start, heartbeats, log lines and an end.
func storm(t testing.TB, heartbeats, logs, lines int) iter.Seq2[*evidence.Event, error] {
	t.Helper()
	return func(yield func(*evidence.Event, error) bool) {
		r := newRecorder(t)
		n := 0
		say := func(typ fact.Type, data string) bool {
			n++
			at := n
			r.events = r.events[:0]
			r.say(typ, data, func(o *event.Outgoing) {
				o.ID, o.Sequence, o.Time = fmt.Sprintf("evt-%d", at), fact.Sequence(at), begin.Add(time.Duration(at)*time.Second)
			})
			r.events[0].Arrival = int64(at)
			return yield(r.events[0], nil)
		}
		all := make([]map[string]any, lines)
		for i := range all {
			all[i] = map[string]any{"message": fmt.Sprintf("order %d was refused by the risk monitor", i), "level": "warn", "service": "risk-monitor"}
		}
		text, err := json.Marshal(all)
		if err != nil {
			t.Error(err)
			return
		}
		if !say(fact.TypeStarted, `"scenario_id":"market-crash"`) {
			return
		}
		for i := range heartbeats {
			if !say(fact.TypeHeartbeat, fmt.Sprintf(`"progress":%g,"system_state":{"exchange":"degraded","tick":%d}`, float64(i)/float64(heartbeats), i)) {
				return
			}
			if logs > 0 && i%(heartbeats/logs) == 0 && !say(fact.TypeLogAppended, `"lines":`+string(text)) {
				return
			}
		}
		say(fact.TypeFinished, `"outcome":"passed"`)
	}
}

// A run of 36 hours with a flood of log lines is written and verified in memory
// that does not grow with it.
func TestLongRunInBoundedMemory(t *testing.T) { //nolint:paralleltest // the memory of others would count
	if testing.Short() {
		t.Skip("26,000 heartbeats and 200,000 lines")
	}
	const limit = 48 << 20
	events := storm(t, 26_000, 200, 1000)
	built, err := evidence.Build(id, 2, "run-7", report.Context{}, events)
	if err != nil {
		t.Fatal(err)
	}
	body, err := built.Encode()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "evidence.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()

	writing := newHeap()
	manifest, err := evidence.Write(t.Context(), file, evidence.Source{Report: body, Events: func(yield func(*evidence.Event, error) bool) {
		for e, err := range events {
			writing.look()
			if !yield(e, err) {
				return
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	writing.atMost(t, "written", limit)

	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	verifying := newHeap()
	verifying.from = file
	r, err := evidence.Verify(t.Context(), verifying, size, evidence.Expected{Manifest: manifest.SHA256()})
	if err != nil || !r.Verified || r.Events != 26_202 {
		t.Fatalf("result %+v, error %v", r, err)
	}
	verifying.atMost(t, "verified", limit)
	t.Logf("the file has %d KiB, its events %d", size>>10, manifest.Entries[len(manifest.Entries)-1].Size>>10)
}
