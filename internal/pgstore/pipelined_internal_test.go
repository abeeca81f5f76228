package pgstore

import (
	"context"
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

// beginnings are the ways in which a transaction comes to a test.
var beginnings = map[string]func(*pipelined){"at once": func(*pipelined) {}, "in a transaction that has begun": (*pipelined).begun}

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

// prepared has the transaction begun, and its statements known.
func (w *pipelined) prepared() {
	w.Helper()
	w.copying()
	w.write("write", 0)
	w.begun()
}

// copying has asked for the types of the columns, which the first COPY does.
func (w *pipelined) copying() {
	w.Helper()
	w.copies("copy", []any{int32(9), "first"})
	w.pipeline.copies = nil
}

// trigger has the table run a statement before it takes the row with that number.
func (w *pipelined) trigger(n int, statement string) {
	w.Helper()
	if _, err := w.pool.Exec(w.Context(), fmt.Sprintf(`CREATE FUNCTION triggered() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.n = %d THEN %s; END IF; RETURN NEW; END $$;
		CREATE TRIGGER triggered BEFORE INSERT ON played FOR EACH ROW EXECUTE FUNCTION triggered()`, n, statement)); err != nil {
		w.Fatal(err)
	}
}
