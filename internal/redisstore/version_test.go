package redisstore_test

import (
	"cmp"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

func TestVersionForm(t *testing.T) {
	t.Parallel()
	tests := []struct {
		timeline uint32
		run      execution.RunNumber
		row      int64
		want     redisstore.Version
	}{
		{1, 1, 1, "00000001-0000000001-0000000000000000001"},
		{0xAB, 12, 26_000, "000000AB-0000000012-0000000000000026000"},
		{math.MaxUint32, math.MaxInt32, math.MaxInt64, "FFFFFFFF-2147483647-9223372036854775807"},
		{1, 0, 1, ""},
		{1, 1, 0, ""},
		{1, -1, -1, ""},
	}
	for _, test := range tests {
		if got := redisstore.NewVersion(test.timeline, test.run, test.row); got != test.want {
			t.Errorf("NewVersion(%d, %d, %d) = %q, want %q", test.timeline, test.run, test.row, got, test.want)
		}
	}
}

func TestVersionsCompareAsTheirParts(t *testing.T) {
	t.Parallel()
	type parts struct {
		timeline uint32
		run      execution.RunNumber
		row      int64
	}
	draw := rapid.Custom(func(t *rapid.T) parts {
		return parts{
			timeline: rapid.Uint32().Draw(t, "timeline"),
			run:      execution.RunNumber(rapid.Int32Min(1).Draw(t, "run")),
			row:      rapid.Int64Min(1).Draw(t, "row"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		v := redisstore.NewVersion(a.timeline, a.run, a.row)
		w := redisstore.NewVersion(b.timeline, b.run, b.row)
		want := cmp.Or(cmp.Compare(a.timeline, b.timeline), cmp.Compare(a.run, b.run), cmp.Compare(a.row, b.row))
		if got := strings.Compare(string(v), string(w)); got != want {
			t.Fatalf("compare %s with %s = %d, want %d", v, w, got, want)
		}
		timeline, run, row, ok := v.Parts()
		if got := (parts{timeline, run, row}); !ok || got != a {
			t.Fatalf("parts of %s = %+v, %t, want %+v", v, got, ok, a)
		}
	})
}

func TestMalformedVersionHasNoParts(t *testing.T) {
	t.Parallel()
	for _, v := range []redisstore.Version{
		"", "7", "00000001-0000000001-000000000000000000", "0000000g-0000000001-0000000000000000001",
		"00000001-9999999999-0000000000000000001", "00000001-0000000001-9999999999999999999",
		"00000001-0000000000-0000000000000000001", " 0000001-0000000001-0000000000000000001",
	} {
		if _, _, _, ok := v.Parts(); ok {
			t.Errorf("Parts(%q) succeeded", v)
		}
	}
}
