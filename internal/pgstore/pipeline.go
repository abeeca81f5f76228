package pgstore

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pipeline is a transaction on one connection that makes few round trips: a
// statement waits in line until the rows of one behind it are wanted, or the
// transaction ends, and all that wait are sent together. COPY cannot stand in
// that line: rows to copy are sent behind it, with COMMIT.
//
// Generated queries use it through two views: queued and waiting.
type pipeline struct {
	conn  *pgx.Conn
	types *columnTypes

	op     string // what the next statements do, for their errors
	line   *pgx.Batch
	inLine []statement // of line
	copies []rowsToCopy
	rows   pgx.CopyFromSource // for the next CopyFrom, in place of what it is given; nil: none

	results pgx.BatchResults // of what was sent last; nil: none is open
	sent    []statement      // those whose results have not been read
	read    int              // how many results have been read since the beginning

	unanswered bool // an ending was sent, and its answers have not been read to their end
}

// statement is one that was put in line.
type statement struct {
	op   string
	sql  string
	take func() error // reads its result; nil: it has none that anybody needs
}

// begin opens a READ COMMITTED transaction, with the first round trip.
func begin(conn *pgx.Conn, types *columnTypes) *pipeline {
	p := &pipeline{conn: conn, types: types, line: &pgx.Batch{}}
	p.doing("begin transaction")
	p.add("begin isolation level read committed")
	return p
}

// doing names, for errors, what the statements put in line from now on do.
func (p *pipeline) doing(op string) { p.op = op }

// taking has the result of the last statement in line read by take, as soon as
// it has been sent.
func (p *pipeline) taking(take func() error) { p.inLine[len(p.inLine)-1].take = take }

func (p *pipeline) add(sql string, args ...any) {
	p.line.Queue(sql, args...)
	p.inLine = append(p.inLine, statement{op: p.op, sql: sql})
}

// place is the number of the statement that is put in line next.
func (p *pipeline) place() int { return p.read + len(p.sent) + len(p.inLine) }

// send sends the statements in line.
func (p *pipeline) send(ctx context.Context) error {
	if err := p.settle(); err != nil || len(p.inLine) == 0 {
		return err
	}
	p.results, p.sent = p.conn.SendBatch(ctx, p.line), p.inLine
	p.line, p.inLine = &pgx.Batch{}, nil // the results refer to the former
	return nil
}

// reach makes the result of the statement with that number the next one to be
// read.
func (p *pipeline) reach(ctx context.Context, place int) error {
	if place >= p.read+len(p.sent) {
		if err := p.send(ctx); err != nil {
			return err
		}
	}
	for p.read < place {
		if err := p.pass(); err != nil {
			return err
		}
	}
	if p.read > place || len(p.sent) == 0 {
		return errPassed
	}
	return nil
}

// pass reads the next result, of a statement whose rows nobody waits for.
func (p *pipeline) pass() (err error) {
	next := p.sent[0]
	if next.take != nil {
		p.sent[0].take = nil
		return next.take()
	}
	sent := p.sent
	p.taken()
	_, err = p.results.Exec()
	// What could not be prepared is told with the first result.
	var unprepared pgx.ErrPreprocessingBatch
	if errors.As(err, &unprepared) {
		if i := slices.IndexFunc(sent, func(s statement) bool { return s.sql == unprepared.SQL() }); i >= 0 {
			next = sent[i]
		}
	}
	return interpret(next.op, err)
}

// taken notes that the next result is being read.
func (p *pipeline) taken() { p.read, p.sent = p.read+1, p.sent[1:] }

// settle reads all results that were sent for: the connection is free then.
func (p *pipeline) settle() error {
	if p.results == nil {
		return nil
	}
	for len(p.sent) > 0 {
		if err := p.pass(); err != nil {
			return err
		}
	}
	results := p.results
	p.results = nil
	return interpret("read results", results.Close())
}

// finish sends everything that waits, without ending the transaction.
func (p *pipeline) finish(ctx context.Context) error { return p.end(ctx, false) }

// commit sends everything that waits, and COMMIT. Whoever commits must know
// ErrInDoubt.
func (p *pipeline) commit(ctx context.Context) error { return p.end(ctx, true) }

// rollback ends a transaction that was not committed. A connection on which
// that fails is not given back by the pool.
func (p *pipeline) rollback(ctx context.Context) {
	if p.results != nil {
		_ = p.results.Close() // the error that ends the transaction is known
		p.results = nil
	}
	p.drain(ctx)
	if p.conn.PgConn().TxStatus() != 'I' {
		_, _ = p.conn.Exec(ctx, "rollback")
	}
}

// query reads the rows of the statement with that number.
func (p *pipeline) query(ctx context.Context, place int) (pgx.Rows, error) {
	if err := p.reach(ctx, place); err != nil {
		return nil, err
	}
	p.taken()
	return p.results.Query()
}

func (p *pipeline) queryRow(ctx context.Context, place int) pgx.Row {
	if err := p.reach(ctx, place); err != nil {
		return failedRow{err}
	}
	p.taken()
	return p.results.QueryRow()
}

// Query sends the statement with all before it, and gives its rows.
func (p *pipeline) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	at := p.place()
	p.add(sql, args...)
	return p.query(ctx, at)
}

// QueryRow sends the statement with all before it, and gives its row.
func (p *pipeline) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	at := p.place()
	p.add(sql, args...)
	return p.queryRow(ctx, at)
}

// SendBatch puts statements in line. They are sent when the rows of one of them
// are wanted.
func (p *pipeline) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	later := &laterResults{pipeline: p, send: ctx, next: p.place()}
	for _, q := range b.QueuedQueries {
		p.add(q.SQL, q.Arguments...)
	}
	return later
}

// queued is the view for statements whose results nobody needs: they wait in
// line, and their errors come later.
type queued struct{ *pipeline }

// Exec puts a statement in line. Its tag is empty: the outcome is not known yet.
func (q queued) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	q.add(sql, args...)
	return pgconn.CommandTag{}, nil
}

// waiting is the view for all other statements.
type waiting struct{ *pipeline }

// Exec sends the statement with all before it, and waits for its outcome.
func (w waiting) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	at := w.place()
	w.add(sql, args...)
	if err := w.reach(ctx, at); err != nil {
		return pgconn.CommandTag{}, err
	}
	w.taken()
	return w.results.Exec()
}

// errPassed is a mistake of this package: rows were asked for after those of a
// later statement.
var errPassed = errors.New("the result was passed over: results are read in the order of their statements")

// laterResults are the results of statements that may not have been sent.
type laterResults struct {
	*pipeline
	send context.Context //nolint:containedctx // of the statements: pgx gives the readers of results none
	next int
}

// Exec says nothing: the outcome is not known yet.
func (r *laterResults) Exec() (pgconn.CommandTag, error) {
	r.next++
	return pgconn.CommandTag{}, nil
}

// Query gives the next rows.
func (r *laterResults) Query() (pgx.Rows, error) {
	r.next++
	return r.query(r.send, r.next-1)
}

// QueryRow gives the next row.
func (r *laterResults) QueryRow() pgx.Row {
	r.next++
	return r.queryRow(r.send, r.next-1)
}

// Close leaves the statements in line.
func (r *laterResults) Close() error { return nil }

// Tx is that of a batch that began it; none of ours does.
func (r *laterResults) Tx() pgx.Tx { return nil }

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }
