package pgstore

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// trips counts the round trips of a connection.
type trips struct{ n int }

func (c *trips) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	c.n++
	return ctx
}
func (c *trips) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (c *trips) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}
func (c *trips) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData)     {}
func (c *trips) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n++
	return ctx
}

// pipelined is a transaction on a database with a table to play with.
type pipelined struct {
	testing.TB
	*pipeline
	pool  *pgxpool.Pool
	trips trips
}

func newPipelined(t *testing.T) *pipelined {
	t.Helper()
	w := &pipelined{TB: t}
	cfg, err := pgxpool.ParseConfig(testenv.Postgres(t).URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConnConfig.Tracer = &w.trips
	w.pool, err = pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.pool.Close)
	if _, err := w.pool.Exec(t.Context(), "CREATE TABLE played (n integer PRIMARY KEY, word text NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	conn, err := w.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.pipeline = begin(conn.Conn(), &columnTypes{})
	w.trips.n = 0
	t.Cleanup(func() {
		w.rollback(context.WithoutCancel(t.Context()))
		conn.Release()
	})
	return w
}

// write puts an insert in line.
func (w *pipelined) write(op string, n int) {
	w.Helper()
	w.doing(op)
	if _, err := (queued{w.pipeline}).Exec(w.Context(), "INSERT INTO played VALUES ($1, 'written')", n); err != nil {
		w.Fatal(err)
	}
}

// copies keeps rows for COPY.
func (w *pipelined) copies(op string, rows ...[]any) {
	w.Helper()
	w.doing(op)
	if _, err := w.CopyFrom(w.Context(), pgx.Identifier{"played"}, []string{"n", "word"}, pgx.CopyFromRows(rows)); err != nil {
		w.Fatal(err)
	}
}

// words are those that others see in the table.
func (w *pipelined) words() string {
	w.Helper()
	rows, err := w.pool.Query(w.Context(), "SELECT word FROM played ORDER BY n")
	if err != nil {
		w.Fatal(err)
	}
	words, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.Fatal(err)
	}
	return strings.Join(words, " ")
}

func TestPipelineSendsTogetherWhatNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	w := newPipelined(t)
	w.write("write one", 1)
	w.write("write two", 2)
	batch := &pgx.Batch{}
	batch.Queue("SELECT count(*) FROM played")
	batch.Queue("SELECT max(n) FROM played")
	later := w.SendBatch(t.Context(), batch)
	w.write("write three", 3)
	if w.trips.n != 0 {
		t.Fatalf("%d round trips before anybody waits", w.trips.n)
	}
	for _, name := range []string{"count", "max"} {
		var n int
		if err := later.QueryRow().Scan(&n); err != nil || n != 2 {
			t.Errorf("%s is %d, %v; want 2: of what stands before it in line", name, n, err)
		}
	}
	if w.trips.n != 1 {
		t.Errorf("%d round trips, want 1", w.trips.n)
	}
	w.copies("copy", []any{int32(4), "copied"})
	w.copies("copy more", []any{int32(5), "copied"}, []any{int32(6), strings.Repeat("x", copyChunk)}, []any{int32(7), "last"})
	if got := w.words(); got != "" {
		t.Errorf("%q is seen before the commit", got)
	}
	if err := w.commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := strings.ReplaceAll(w.words(), strings.Repeat("x", copyChunk), "x"); got != "written written written copied copied x last" {
		t.Errorf("committed is %q", got)
	}
}

// Whatever fails, its error names what it did, nothing is written, and the
// connection can be used again.
func TestPipelineErrorsAreOfTheStatementThatFailed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		play  func(*pipelined) error
		op    string
		class Class
	}{
		"a write, told to who reads": {
			func(w *pipelined) error {
				w.write("write", 1)
				w.write("write again", 1)
				w.doing("another")
				return w.QueryRow(w.Context(), "SELECT 1").Scan(new(int))
			}, "write again", Bug,
		},
		"a write, told to who waits": {
			func(w *pipelined) error {
				w.write("write", 1)
				w.write("write again", 1)
				_, err := waiting{w.pipeline}.Exec(w.Context(), "DELETE FROM played")
				return err
			}, "write again", Bug,
		},
		"a write, told at the commit": {
			func(w *pipelined) error {
				w.write("write", 1)
				w.write("write again", 1)
				w.copies("copy", []any{int32(2), "b"})
				return w.commit(w.Context())
			}, "write again", Bug,
		},
		"a COPY": {
			func(w *pipelined) error {
				w.copies("copy", []any{int32(1), "a"})
				w.copies("copy again", []any{int32(1), "a"}, []any{int32(2), strings.Repeat("x", 3*copyChunk)})
				w.copies("copy on", []any{int32(3), strings.Repeat("x", 3*copyChunk)})
				return w.commit(w.Context())
			}, "copy again", Bug,
		},
		"a value of COPY, refused by the server": {
			func(w *pipelined) error {
				w.copies("copy", []any{int32(1), "a\x00"})
				return w.commit(w.Context())
			}, "copy", Data,
		},
		"a value of COPY that cannot be sent": {
			func(w *pipelined) error {
				w.copies("copy", []any{int32(1), "a"})
				w.copies("copy again", []any{int32(2), "b"}, []any{"three", "c"})
				w.copies("copy on", []any{int32(4), "d"})
				return w.commit(w.Context())
			}, "copy again", Data,
		},
		"what cannot be prepared": {
			func(w *pipelined) error {
				w.write("write", 1)
				w.doing("write elsewhere")
				if _, err := (queued{w.pipeline}).Exec(w.Context(), "INSERT INTO nowhere VALUES (1)"); err != nil {
					return err
				}
				return w.commit(w.Context())
			}, "write elsewhere", Bug,
		},
		"a trial": {
			func(w *pipelined) error {
				w.copies("copy", []any{int32(1), "a"}, []any{int32(1), "a"})
				return w.finish(w.Context())
			}, "copy", Bug,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPipelined(t)
			var e *Error
			if err := test.play(w); !errors.As(err, &e) || e.Op != test.op || e.Class != test.class || errors.Is(err, ErrInDoubt) {
				t.Fatalf("error %v, want one of %q of class %v", err, test.op, test.class)
			}
			w.rollback(t.Context())
			if got := w.words(); got != "" {
				t.Errorf("written is %q", got)
			}
			if err := w.conn.Ping(t.Context()); err != nil {
				t.Errorf("the connection: %v", err)
			}
		})
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
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPipelined(t)
			w.copies("copy", []any{int32(9), "first"}) // asks for the types of the columns
			w.pipeline.copies = nil
			if err := w.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(new(int)); err != nil {
				t.Fatal(err)
			}
			if err := w.settle(); err != nil {
				t.Fatal(err)
			}
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

func TestPipelineRefusesResultsOutOfOrder(t *testing.T) {
	t.Parallel()
	w := newPipelined(t)
	one, two := &pgx.Batch{}, &pgx.Batch{}
	one.Queue("SELECT 1")
	two.Queue("SELECT 2")
	first, second := w.SendBatch(t.Context(), one), w.SendBatch(t.Context(), two)
	var n int
	if err := second.QueryRow().Scan(&n); err != nil || n != 2 {
		t.Fatalf("the second is %d, %v", n, err)
	}
	if err := first.QueryRow().Scan(&n); !errors.Is(err, errPassed) {
		t.Errorf("the first after the second: %d, %v", n, err)
	}
}
