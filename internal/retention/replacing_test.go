package retention_test

import (
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
)

func TestWorthReplacing(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 9, 10, 12, 0, 0, 0, time.UTC)
	today := now.Truncate(24 * time.Hour)
	for name, c := range map[string]struct {
		goes, stays, bytes int64
		upper              time.Time
		want               bool
	}{
		"nothing stays":               {1000, 0, 1 << 20, today.AddDate(0, 0, -1), true},
		"a twentieth stays":           {1_300_000, 123_000, 1 << 30, today.AddDate(0, 0, -1), true},
		"half stays":                  {1000, 1000, 1 << 20, today.AddDate(0, 0, -1), true},
		"most stays":                  {1000, 1001, 1 << 20, today.AddDate(0, 0, -1), false},
		"most was deleted before":     {1000, 1001, 2001<<10 + 8<<20, today.AddDate(0, 0, -1), true},
		"too much to copy":            {1 << 40, retention.CopyRows + 1, 1 << 50, today.AddDate(0, 0, -1), false},
		"as much as is copied":        {1 << 40, retention.CopyRows, 1 << 50, today.AddDate(0, 0, -1), true},
		"runs are born in it":         {1000, 0, 1 << 20, today.AddDate(0, 0, 1), false},
		"it has ended this midnight":  {1000, 0, 1 << 20, today, false},
		"it ended before, in a month": {1000, 0, 1 << 20, today.AddDate(0, -1, 0), true},
	} {
		if got := retention.WorthReplacing(c.goes, c.stays, c.bytes, c.upper, now); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
