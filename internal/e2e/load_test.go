package e2e_test

import (
	"iter"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
)

// load makes records of many runs, in all four forms; events of one instance
// are unlike those of another.
func load(t testing.TB, instance string, records int) []coordsim.Record {
	t.Helper()
	var all []coordsim.Record
	for r, err := range loadOf(instance, records) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func loadOf(instance string, records int) iter.Seq2[coordsim.Record, error] {
	return coordsim.Load{Seed: 1, Instance: instance, Start: now().Add(-time.Hour), Records: records, Parallel: 10, Length: 40}.Generate()
}

// mustSend sends records as fast as it goes.
func (w *world) mustSend(records []coordsim.Record, acknowledged func(*coordsim.Record, coordsim.Address) error) {
	w.Helper()
	if err := w.send(w.Context(), amid(nil, records), 0, acknowledged); err != nil {
		w.Fatal(err)
	}
}

// chunks are the parts of records, n of them each.
func chunks(records []coordsim.Record, n int) iter.Seq[[]coordsim.Record] {
	return func(yield func([]coordsim.Record) bool) {
		for len(records) > 0 {
			if !yield(records[:min(n, len(records))]) {
				return
			}
			records = records[min(n, len(records)):]
		}
	}
}
