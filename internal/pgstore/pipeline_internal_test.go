package pgstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
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

// turns counts how often it is waited for an answer: how often reading follows
// writing. pgx closes a connection while we may use it.
type turns struct {
	net.Conn
	mu        sync.Mutex
	wrote     bool
	n         int
	afterRead func()        // called once, when something was read; nil: nothing
	bounded   chan struct{} // closed when bound has set its deadline; nil: nobody waits
}

func (c *turns) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.wrote = true
	c.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *turns) Read(b []byte) (int, error) {
	c.mu.Lock()
	if c.wrote {
		c.wrote = false
		c.n++
	}
	c.mu.Unlock()
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	after := c.afterRead
	c.afterRead = nil
	c.mu.Unlock()
	if after != nil {
		after()
	}
	return n, err
}

func (c *turns) SetDeadline(at time.Time) error {
	err := c.Conn.SetDeadline(at)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bounded != nil && at.Equal(time.Unix(1, 0)) { // as bound sets it
		close(c.bounded)
		c.bounded = nil
	}
	return err
}

func (c *turns) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// whenRead calls after once something was read, and gives what is closed when
// bound has set its deadline.
func (c *turns) whenRead(after func()) (bounded chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.afterRead, c.bounded = after, make(chan struct{})
	return c.bounded
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
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return &turns{Conn: conn}, err
	}
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

// turns are those of the transaction's connection.
func (w *pipelined) turns() *turns { return w.conn.PgConn().Conn().(*turns) }

// begun has the transaction begun for certain.
func (w *pipelined) begun() {
	w.Helper()
	if err := w.QueryRow(w.Context(), "SELECT 1").Scan(new(int)); err != nil {
		w.Fatal(err)
	}
	if err := w.settle(); err != nil {
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
		"a write, before a value of COPY that cannot be sent": {
			func(w *pipelined) error {
				w.write("write", 1)
				w.write("write again", 1)
				w.copies("copy", []any{int32(2), strings.Repeat("x", 3*copyChunk)})
				w.copies("copy again", []any{int32(3), strings.Repeat("x", 3*copyChunk)}, []any{"four", "c"})
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
		for when, prepare := range map[string]func(*pipelined){"at once": func(*pipelined) {}, "in a transaction that has begun": (*pipelined).begun} {
			t.Run(name+" "+when, func(t *testing.T) {
				t.Parallel()
				w := newPipelined(t)
				prepare(w)
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
}

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
	for name, prepare := range map[string]func(*pipelined){"at once": func(*pipelined) {}, "in a transaction that has begun": (*pipelined).begun} {
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

// prepared has the transaction begun, and its statements known.
func (w *pipelined) prepared() {
	w.Helper()
	w.copies("copy", []any{int32(9), "first"}) // asks for the types of the columns
	w.pipeline.copies = nil
	w.write("write", 0)
	w.begun()
}

// trigger has the table run a statement before it takes the row with that number.
func (w *pipelined) trigger(n int, statement string) {
	w.Helper()
	if _, err := w.pool.Exec(w.Context(), fmt.Sprintf(`CREATE FUNCTION triggered() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.n = %d THEN %s; END IF; RETURN NEW; END $$;
		CREATE TRIGGER triggered BEFORE INSERT ON played FOR EACH ROW EXECUTE FUNCTION triggered()`, n, statement)); err != nil {
		w.Fatal(err)
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
