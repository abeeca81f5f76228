package pgstore

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The rows to copy and COMMIT do not wait for the statements before them.
func TestPipelineEndsInOneRoundTrip(t *testing.T) {
	t.Parallel()
	w := newPipelined(t)
	w.prepared()
	w.write("write one", 1)
	w.write("write two", 2)
	w.copies("copy", []any{int32(3), "copied"})
	w.copies("copy", []any{int32(4), strings.Repeat("x", 3*copyChunk)}, []any{int32(5), "last"})
	before := w.turns().count()
	if err := w.commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := w.turns().count() - before; n != 1 {
		t.Errorf("%d round trips, want 1", n)
	}
	if got := strings.ReplaceAll(w.words(), strings.Repeat("x", 3*copyChunk), "x"); got != "written written written copied x last" {
		t.Errorf("committed is %q", got)
	}
}

// What decides whether a transaction may be committed is waited for.
func TestPipelineDoesNotCommitWhatIsDecidedAgainst(t *testing.T) {
	t.Parallel()
	for name, prepare := range beginnings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPipelined(t)
			prepare(w)
			against := errors.New("decided against")
			w.write("write", 1)
			w.taking(func() error { return against })
			w.copies("copy", []any{int32(2), "copied"})
			if err := w.commit(t.Context()); !errors.Is(err, against) || errors.Is(err, ErrInDoubt) {
				t.Errorf("error %v", err)
			}
			w.rollback(t.Context())
			if got := w.words(); got != "" {
				t.Errorf("committed is %q", got)
			}
		})
	}
}

// A transaction that did not begin must not have its rows committed each on
// its own.
func TestPipelineCopiesNothingOutsideATransaction(t *testing.T) {
	t.Parallel()
	w := newPipelined(t)
	w.pipeline = &pipeline{conn: w.conn, types: w.types, line: &pgx.Batch{}} // as begin makes it
	w.doing("begin")
	w.add("begin isolation level none")
	w.write("write", 1)
	w.copies("copy", []any{int32(2), "copied"})
	var e *Error
	if err := w.commit(t.Context()); !errors.As(err, &e) || e.Op != "begin" {
		t.Errorf("error %v", err)
	}
	w.rollback(t.Context())
	if got := w.words(); got != "" {
		t.Errorf("committed is %q", got)
	}
}

func TestPipelineIsInDoubtOnlyWhenCommitMayHaveBeenHeard(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end   func(*pipelined) error
		doubt bool
	}{
		"cut before the writes":  {func(w *pipelined) error { w.write("write", 1); return w.commit(w.Context()) }, false},
		"cut before the COPY":    {func(w *pipelined) error { w.copies("copy", []any{int32(1), "a"}); return w.commit(w.Context()) }, true},
		"cut before a trial end": {func(w *pipelined) error { w.copies("copy", []any{int32(1), "a"}); return w.finish(w.Context()) }, false},
		"cut before the writes and the COPY": {func(w *pipelined) error {
			w.write("write", 1)
			w.copies("copy", []any{int32(2), "a"})
			return w.commit(w.Context())
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPipelined(t)
			w.copying()
			w.begun()
			// The end of the connection is seen by who writes or reads next.
			if err := w.conn.PgConn().Conn().SetDeadline(time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
			if err := test.end(w); err == nil || errors.Is(err, ErrInDoubt) != test.doubt {
				t.Errorf("error %v, want it in doubt: %t", err, test.doubt)
			}
			if got := w.words(); got != "" {
				t.Errorf("written is %q", got)
			}
		})
	}
}

// Once COMMIT is on its way, silence is doubt; and nobody gets a connection on
// which answers are missing.
func TestPipelineIsInDoubtWhenNoAnswerComes(t *testing.T) {
	t.Parallel()
	for name, play := range map[string]func(*pipelined){
		"to writes":          func(w *pipelined) { w.write("write", 1) },
		"to COPY":            func(w *pipelined) { w.copies("copy", []any{int32(1), "a"}) },
		"to writes and COPY": func(w *pipelined) { w.write("write", 1); w.copies("copy", []any{int32(2), "a"}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPipelined(t)
			w.prepared()
			play(w)
			if err := w.conn.PgConn().Conn().SetReadDeadline(time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
			if err := w.commit(t.Context()); !errors.Is(err, ErrInDoubt) {
				t.Errorf("error %v, want it in doubt", err)
			}
			w.rollback(t.Context())
			if !w.conn.IsClosed() {
				t.Error("the connection can be used on")
			}
		})
	}
}

// The end of the context is noticed wherever it comes: here when pgx has read the
// last result of the writes, and the server still copies.
func TestPipelineEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := newPipelined(t)
	w.trigger(2, "PERFORM pg_advisory_xact_lock(1)") // which another session holds
	w.prepared()
	if err := w.pool.AcquireFunc(t.Context(), func(holder *pgxpool.Conn) error {
		if _, err := holder.Exec(t.Context(), "SELECT pg_advisory_lock(1)"); err != nil {
			return err
		}
		w.write("write", 1)
		w.copies("copy", []any{int32(2), "copied"})
		ctx, cancel := context.WithCancel(t.Context())
		var bounded chan struct{}
		bounded = w.turns().whenRead(func() {
			cancel()
			<-bounded
		})
		if err := w.commit(ctx); !errors.Is(err, ErrInDoubt) {
			t.Errorf("error %v, want it in doubt", err)
		}
		if !w.conn.IsClosed() {
			t.Error("the connection can be used on")
		}
		return holder.Conn().Close(t.Context())
	}); err != nil {
		t.Fatal(err)
	}
}

// A session that is ended on the way leaves doubt, and no connection.
func TestPipelineIsInDoubtWhenItsSessionIsEnded(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"by a write": 1, "by COPY": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPipelined(t)
			w.trigger(n, "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10)")
			w.prepared()
			w.write("write", 1)
			w.copies("copy", []any{int32(2), "copied"})
			if err := w.commit(t.Context()); !errors.Is(err, ErrInDoubt) {
				t.Errorf("error %v, want it in doubt", err)
			}
			w.rollback(t.Context())
			if !w.conn.IsClosed() {
				t.Error("the connection can be used on")
			}
			if got := w.words(); got != "" {
				t.Errorf("written is %q", got)
			}
		})
	}
}

// What the server finds only at COMMIT is no doubt.
func TestPipelineTellsWhatCommitRefuses(t *testing.T) {
	t.Parallel()
	w := newPipelined(t)
	if _, err := w.pool.Exec(t.Context(), "ALTER TABLE played ADD CONSTRAINT later UNIQUE (word) DEFERRABLE INITIALLY DEFERRED"); err != nil {
		t.Fatal(err)
	}
	w.begun()
	w.write("write", 1)
	w.copies("copy", []any{int32(2), "written"})
	var e *Error
	if err := w.commit(t.Context()); !errors.As(err, &e) || e.Op != "commit" || e.Constraint != "later" || errors.Is(err, ErrInDoubt) {
		t.Errorf("error %v, want one of commit, without doubt", err)
	}
	w.rollback(t.Context())
	if got := w.words(); got != "" {
		t.Errorf("written is %q", got)
	}
	if err := w.conn.Ping(t.Context()); err != nil {
		t.Errorf("the connection: %v", err)
	}
}

// A trigger that is not ours may drop rows without a word. They are lost then,
// but not unnoticed.
func TestPipelineNoticesRowsThatTheDatabaseDrops(t *testing.T) {
	t.Parallel()
	w := newPipelined(t)
	if _, err := w.pool.Exec(t.Context(), `CREATE FUNCTION drops() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN NEW.n = 2 THEN NULL ELSE NEW END; END $$;
		CREATE TRIGGER drops BEFORE INSERT ON played FOR EACH ROW EXECUTE FUNCTION drops()`); err != nil {
		t.Fatal(err)
	}
	w.copies("copy", []any{int32(1), "a"}, []any{int32(2), "b"}, []any{int32(3), "c"})
	err := w.commit(t.Context())
	if !errors.Is(err, ErrRowsDropped) || errors.Is(err, ErrInDoubt) || !strings.Contains(err.Error(), "copy: the database drops rows: 2 of 3") {
		t.Errorf("error %v", err)
	}
	if got := w.words(); got != "a c" {
		t.Errorf("written is %q", got)
	}
}
