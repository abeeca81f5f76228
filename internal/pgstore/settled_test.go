package pgstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

func cursorOf(since time.Time, id execution.ID) pgstore.SettledCursor {
	return pgstore.SettledCursor{Since: since, After: pgstore.RunKey{ID: id, Number: 1}}
}

// Whoever walks the runs by their last change must not meet the clocks of those who
// wrote them: the clock of PostgreSQL counts, and the place of who walks, where that
// clock was put back.
func TestTheTimeOfALastChangeComesAfterWhatWasWalked(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	before, err := s.RunningTransactions(t.Context())
	must(t, err)
	state := fullState(said)
	save(t, s, state) // now is months ago
	after, err := s.RunningTransactions(t.Context())
	must(t, err)
	runs, err := s.SettledRunsUpTo(t.Context(), pgstore.SettledCursor{}, after.At, 2)
	must(t, err)
	if len(runs) != 1 || !runs[0].ChangedAt.After(before.At) || runs[0].ChangedAt.After(after.At) {
		t.Fatalf("%+v, want one between %s and %s", runs, before.At, after.At)
	}

	ahead := after.At.Add(time.Hour).Truncate(time.Microsecond)
	must(t, s.Batch(t.Context(), now, func(tx *pgstore.Tx) error { return tx.BeginSettled(t.Context(), ahead) }))
	state.Run.ID = "exec-2"
	save(t, s, state)
	runs, err = s.SettledRunsUpTo(t.Context(), pgstore.SettledCursor{Since: ahead}, ahead.Add(time.Second), 2)
	must(t, err)
	if len(runs) != 1 || !runs[0].ChangedAt.After(ahead) {
		t.Fatalf("%+v, want one after %s", runs, ahead)
	}
}

// An instance that was frozen between its look and its word, and replaced meanwhile,
// would say an older version after a newer one.
func TestWhoWasReplacedAnnouncesNothing(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	announce := func(from, to pgstore.SettledCursor) error {
		return s.Batch(t.Context(), now, func(tx *pgstore.Tx) error { return tx.AdvanceSettled(t.Context(), from, to) })
	}
	begin := func(since time.Time) {
		must(t, s.Batch(t.Context(), now, func(tx *pgstore.Tx) error { return tx.BeginSettled(t.Context(), since) }))
	}
	begin(now)
	begin(now.Add(time.Hour)) // another, that did not know
	first, second := cursorOf(now.Add(time.Second), "a"), cursorOf(now.Add(2*time.Second), "b")
	must(t, announce(pgstore.SettledCursor{Since: now}, second))
	for name, from := range map[string]pgstore.SettledCursor{"where it began": {Since: now}, "another run": cursorOf(second.Since, "a"), "another time": cursorOf(first.Since, "b")} {
		if err := announce(from, first); !errors.Is(err, pgstore.ErrCursorMoved) {
			t.Errorf("from %s: %v, want ErrCursorMoved", name, err)
		}
	}
	got, err := s.SettledCursor(t.Context())
	must(t, err)
	if got != second {
		t.Errorf("cursor %+v, want %+v", got, second)
	}
	must(t, announce(second, cursorOf(now.Add(3*time.Second), "c")))
}
