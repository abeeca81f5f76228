package outbox_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// claim claims and holds back once, as a publisher does, and publishes what it
// gets, or parks that. It tells the ids of its events, and behind how many parked
// rows it has found others.
func (w *world) claim(park bool) (events []string, behind int) {
	w.Helper()
	err := w.store.Batch(w.Context(), time.Now(), func(tx *pgstore.Tx) error {
		claimed, err := tx.ClaimOutbox(w.Context(), pgstore.OutboxClaim{Topic: pgstore.OutboxCommands, Most: 100, Bytes: 1 << 20})
		if err != nil {
			return err
		}
		behind = len(claimed.Behind)
		var published []pgstore.Published
		var refused []pgstore.Refused
		for _, e := range claimed.Entries {
			events = append(events, e.EventID)
			if park {
				refused = append(refused, pgstore.Refused{ID: e.ID, Reason: "too large"})
			} else {
				published = append(published, pgstore.Published{ID: e.ID})
			}
		}
		return errors.Join(tx.MarkPublished(w.Context(), "t", published), tx.Park(w.Context(), refused), tx.HoldBack(w.Context(), claimed.Behind))
	})
	if err != nil {
		w.Fatal(err)
	}
	return events, behind
}

func (w *world) wantClaim(what string, park bool, behind int, events ...string) {
	w.Helper()
	got, found := w.claim(park)
	if diff := cmp.Diff(events, got); diff != "" || found != behind {
		w.Errorf("%s: behind %d parked rows, want %d; claimed (-want +got):\n%s", what, found, behind, diff)
	}
}

// parkFirst parks the first of three events of one run.
func (w *world) parkFirst() (id int64) {
	w.Helper()
	w.enqueue(w.command("exec-1", 0), w.command("exec-1", 1), w.command("exec-1", 2))
	w.wantClaim("at first", true, 0, "exec-1-0")
	parked, err := w.store.ParkedRows(w.Context(), 0, 10)
	if err != nil || len(parked) != 1 {
		w.Fatalf("parked rows: %+v, %v", parked, err)
	}
	return parked[0].ID
}

// What waits behind a parked row is come upon once, and follows that row in its
// order when it is released or discarded, with what came later.
func TestWhatWaitsBehindAParkedRowIsComeUponOnce(t *testing.T) {
	t.Parallel()
	for name, settle := range map[string]func(*pgstore.Store, *world, int64) error{
		"released": func(s *pgstore.Store, w *world, id int64) error {
			return s.ReleaseParked(w.Context(), id, "operator", "mended", time.Now())
		},
		"discarded": func(s *pgstore.Store, w *world, id int64) error {
			return s.DiscardParked(w.Context(), id, "operator", "needless", time.Now())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.parkFirst()
			w.enqueue(w.command("exec-2", 0))
			w.wantClaim("with one that waits", false, 1, "exec-2-0")
			w.wantClaim("once it is held back", false, 0)
			w.enqueue(w.command("exec-1", 3))
			w.wantClaim("with one that came later", false, 1)
			w.wantClaim("once that is held back too", false, 0)
			w.enqueue(w.command("exec-1", 4))
			if state, err := w.store.OutboxState(t.Context()); err != nil || state[pgstore.OutboxCommands].Oldest.IsZero() || state[pgstore.OutboxCommands].Parked != 1 {
				t.Errorf("what waits: %+v, %v", state, err)
			}
			if err := settle(w.store, w, id); err != nil {
				t.Fatal(err)
			}
			if name == "released" {
				w.wantClaim("after the release", false, 0, "exec-1-0")
			}
			for _, event := range []string{"exec-1-1", "exec-1-2", "exec-1-3", "exec-1-4"} {
				w.wantClaim("what follows", false, 0, event)
			}
			w.wantClaim("in the end", false, 0)
		})
	}
}

// Rows that wait may be many: to free them all takes longer than a statement may.
// Other statements, of the same session, still may not.
func TestAReleaseTakesItsTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.parkFirst()
	w.wantClaim("what waits", false, 1)
	if _, err := w.sql.Exec(t.Context(), `CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.25); RETURN NEW; END $$;
		CREATE TRIGGER slow BEFORE UPDATE ON test_coordination.outbox FOR EACH ROW WHEN (OLD.held_back AND NOT NEW.held_back) EXECUTE FUNCTION public.slow()`); err != nil {
		t.Fatal(err)
	}
	impatient := w.openStore(func(c *pgstore.Config) { c.StatementTimeout, c.MaxConns = 2*time.Second, 1 })
	if err := impatient.ReleaseParked(t.Context(), id, "operator", "mended", time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.sql.Exec(t.Context(), "CREATE TRIGGER slower BEFORE INSERT ON test_coordination.outbox FOR EACH ROW EXECUTE FUNCTION public.slow()"); err != nil {
		t.Fatal(err)
	}
	err := impatient.Batch(t.Context(), time.Now(), func(tx *pgstore.Tx) error {
		return tx.Enqueue(t.Context(), []pgstore.OutboxRow{w.command("exec-2", 0), w.command("exec-2", 1), w.command("exec-2", 2)})
	})
	if err == nil || !strings.Contains(err.Error(), "statement timeout") {
		t.Errorf("a slow statement after the release: %v, want a timeout", err)
	}
	w.wantClaim("after the release", false, 0, "exec-1-0")
	w.wantClaim("what follows", false, 0, "exec-1-1")
}

// Who holds rows back does not wait for an operator who is about to release the
// one that they wait behind, and leaves nothing held back for good.
func TestRowsAreHeldBackOnlyBehindWhatIsParked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.parkFirst()
	operator, err := w.sql.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := operator.Exec(t.Context(), "UPDATE test_coordination.outbox SET status = 'pending' WHERE id = $1", id); err != nil {
		t.Fatal(err)
	}
	w.wantClaim("while it is released", false, 1)
	if err := operator.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantClaim("after the release", true, 0, "exec-1-0")

	// The other way round the operator waits, and finds what is held back.
	released := make(chan error, 1)
	err = w.store.Batch(t.Context(), time.Now(), func(tx *pgstore.Tx) error {
		all := pgstore.OutboxClaim{Topic: pgstore.OutboxCommands, Most: 100, Bytes: 1 << 20}
		claimed, err := tx.ClaimOutbox(t.Context(), all)
		if err == nil && (len(claimed.Entries) != 0 || len(claimed.Behind) != 1) {
			t.Errorf("claimed %+v, want only what waits", claimed)
		}
		if err := errors.Join(err, tx.HoldBack(t.Context(), claimed.Behind)); err != nil {
			return err
		}
		if claimed, err := tx.ClaimOutbox(t.Context(), all); err != nil || len(claimed.Behind) != 0 { // it sends what was to be held back
			t.Errorf("claimed again: %+v, %v", claimed, err)
		}
		go func() { released <- w.store.ReleaseParked(t.Context(), id, "operator", "mended", time.Now()) }()
		w.eventually("the operator waits", func() bool {
			var waits bool
			err := w.sql.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%ReleaseParked%')").Scan(&waits)
			return err == nil && waits
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-released; err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{"exec-1-0", "exec-1-1", "exec-1-2"} {
		w.wantClaim("after the second release", false, 0, event)
	}
}
