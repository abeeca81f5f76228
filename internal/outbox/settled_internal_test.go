package outbox

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// What is decided after each look, in minutes of PostgreSQL's clock, and which
// warnings are given.
func TestWhatLooksAtRunningTransactionsDecide(t *testing.T) {
	t.Parallel()
	const wentBack, stuck = "went back", "has not ended for long"
	type look struct {
		at           int
		oldest, next int64
		decided      int // 0: nothing
		warned       string
	}
	for name, looks := range map[string][]look{
		"nothing runs":                      {{1, 10, 10, 1, ""}, {2, 11, 11, 2, ""}, {3, 30, 30, 3, ""}},
		"one runs, and ends":                {{1, 9, 10, 0, ""}, {2, 9, 11, 0, ""}, {3, 11, 12, 2, ""}, {4, 13, 13, 4, ""}},
		"the next one does not hold up":     {{1, 9, 10, 0, ""}, {2, 10, 15, 1, ""}, {3, 14, 16, 1, ""}, {4, 15, 17, 2, ""}},
		"one lasts, and is told of once":    {{1, 9, 10, 0, ""}, {11, 9, 11, 0, ""}, {12, 9, 12, 0, stuck}, {13, 9, 13, 0, ""}, {30, 14, 14, 30, ""}},
		"two last, one after the other":     {{1, 9, 10, 0, ""}, {12, 9, 20, 0, stuck}, {13, 15, 30, 1, ""}, {24, 15, 31, 1, stuck}, {25, 15, 32, 1, ""}},
		"nobody looked for long":            {{1, 10, 10, 1, ""}, {60, 11, 11, 60, ""}},
		"the clock is put back":             {{10, 10, 10, 10, ""}, {5, 10, 11, 0, wentBack}, {6, 12, 12, 6, ""}},
		"it is put back behind what waits":  {{10, 9, 10, 0, ""}, {9, 11, 11, 9, wentBack}, {10, 12, 12, 10, ""}},
		"numbers go back":                   {{1, 50, 50, 1, ""}, {2, 40, 41, 0, wentBack}, {3, 42, 42, 3, ""}},
		"numbers stand still":               {{1, 50, 50, 1, ""}, {2, 49, 50, 0, wentBack}, {3, 51, 51, 3, ""}},
		"numbers go back while one is open": {{1, 49, 50, 0, ""}, {2, 20, 21, 0, wentBack}, {3, 22, 22, 3, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			s := &settler{Publisher: &Publisher{Parts: Parts{Log: zerolog.New(&log)}}}
			noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
			for _, l := range looks {
				log.Reset()
				s.observe(pgstore.RunningTransactions{Oldest: l.oldest, Next: l.next, At: noon.Add(time.Duration(l.at) * time.Minute)})
				var want time.Time
				if l.decided > 0 {
					want = noon.Add(time.Duration(l.decided) * time.Minute)
				}
				if diff := cmp.Diff(want, s.decided); diff != "" {
					t.Errorf("minute %d: decided (-want +got):\n%s", l.at, diff)
				}
				said := log.String()
				if l.warned == "" && said != "" || !strings.Contains(said, l.warned) || strings.Count(said, "\n") > 1 {
					t.Errorf("minute %d: warned %q, want %q", l.at, said, l.warned)
				}
			}
		})
	}
}
