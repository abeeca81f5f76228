package evidence_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/evidence"
)

// Whatever size the manifest states, an entry of another one is found to differ.
func TestHostileSizesInTheManifest(t *testing.T) {
	t.Parallel()
	good, _ := write(t, sourceOf(t, crash(t)))
	for _, size := range []int64{math.MaxInt64, math.MaxInt64 - 1, 1 << 40, 0, -1, -2, math.MinInt64} {
		for _, name := range []string{"events.jsonl", "report.json", "report.html", "definition.yaml"} {
			f := unpack(t, good)
			m := f.manifest(t)
			i := slices.IndexFunc(m.Entries, func(e evidence.Entry) bool { return e.Name == name })
			m.Entries[i].Size = size
			f.setManifest(t, m)
			r := verify(t, f.pack(t), evidence.Expected{})
			if !slices.ContainsFunc(r.Findings, func(f evidence.Finding) bool {
				return f.Check == evidence.CheckEntries && f.Entry == name && f.Problem == "size" || f.Check == evidence.CheckArchive && size < 0
			}) {
				t.Errorf("%s of %d bytes: findings %v", name, size, r.Findings)
			}
		}
	}
}

// wide is a ZIP with numbers of 64 bits in the directory for an entry: the size, that
// of what is packed, and the offset.
func wide(t testing.TB, b []byte, name string, numbers [3]uint64) []byte {
	t.Helper()
	le := binary.LittleEndian
	value := make([]byte, 24)
	b = packed(t, unpack(t, b), name, []byte(extra(0x0001, string(value))), nil, "")
	record := directory(t, b, name)
	for i, place := range []int{24, 20, 42} {
		n := numbers[i]
		if n == 0 {
			n = uint64(le.Uint32(record[place:]))
		}
		le.PutUint64(record[46+len(name)+4+8*i:], n)
		le.PutUint32(record[place:], math.MaxUint32)
	}
	return b
}

// Numbers of 64 bits with which sums end before the file, or behind it.
func TestHostileNumbersOfTheArchive(t *testing.T) {
	t.Parallel()
	good, _ := write(t, sourceOf(t, crash(t)))
	count := uint64(len(unpack(t, good).names))
	hostile := []uint64{1<<16 + count, 1<<32 + count, math.MaxUint64, math.MaxUint64 - 100, 1<<63 + 100, 1 << 63, math.MaxInt64, math.MaxInt64 - 100, 1 << 40}
	for _, n := range hostile {
		for _, name := range []string{"README.txt", "events.jsonl", "manifest.json"} {
			for place, says := range []string{"", "ends behind byte", "does not begin at byte"} {
				numbers := [3]uint64{}
				numbers[place] = n
				b := wide(t, good, name, numbers)
				r, err := evidence.Verify(t.Context(), bytes.NewReader(b), int64(len(b)), evidence.Expected{})
				var unreadable *evidence.UnreadableError
				switch {
				case err == nil && (r.Verified || says != ""), err != nil && !errors.As(err, &unreadable), err != nil && !strings.Contains(err.Error(), says):
					t.Errorf("%s, number %d is %d: result %+v, error %v", name, place, n, r, err)
				}
			}
		}
		for _, at := range []int{-56 + 32, -56 + 40, -56 + 48, 8} { // count, length, place; of the locator
			b := in64(good)
			binary.LittleEndian.PutUint64(b[end(b)-20+at:], n)
			var unreadable *evidence.UnreadableError
			if r, err := evidence.Verify(t.Context(), bytes.NewReader(b), int64(len(b)), evidence.Expected{}); !errors.As(err, &unreadable) {
				t.Errorf("the end says %d at %d: result %+v, error %v", n, at, r, err)
			}
		}
	}
}
