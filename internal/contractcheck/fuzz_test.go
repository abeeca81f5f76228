package contractcheck_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/contractcheck"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event/eventtest"
)

// FuzzLines grades any bytes: each line that is not empty is counted once, a
// record is refused only by a violation, and the report can be written.
func FuzzLines(f *testing.F) {
	for _, line := range eventtest.Hostiles(f) {
		var text []byte
		for _, r := range append(line.Before, line.Record) {
			if len(r.Value) < 1000 {
				text = append(append(text, r.Value...), '\n')
			}
		}
		f.Add(text)
	}
	f.Add(append(bytes.Repeat([]byte("x"), 3000), "\r\n{}"...))
	f.Fuzz(func(t *testing.T, text []byte) {
		g := newGrader(t, func(c *contractcheck.Config) { c.Memory = contractcheck.Memory{Events: 4, Runs: 4, Definitions: 500} })
		for line, err := range contractcheck.Lines(bytes.NewReader(text), 2000) {
			if err != nil {
				t.Fatal(err)
			}
			g.Add(line.Record, line.Place)
		}
		want := int64(0)
		for line := range bytes.SplitSeq(text, []byte("\n")) {
			if len(bytes.TrimSpace(line)) > 0 {
				want++
			}
		}
		r := g.Report()
		if r.Records != want || r.Accepted+r.Duplicates+r.Refused != want || r.Violations < r.Refused || r.RunsEnded > r.Runs || (r.Verdict == contractcheck.Nothing) != (want == 0) {
			t.Errorf("%d lines: %+v", want, r)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	})
}
