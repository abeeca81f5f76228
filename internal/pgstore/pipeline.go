package pgstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pipeline is the write side of a transaction: a database for generated queries
// that sends statements together, in one round trip, in the order in which they
// were called. It is for statements whose results nobody needs: flush brings
// their errors. COPY cannot wait in line and runs at once.
type pipeline struct {
	tx    pgx.Tx
	types *columnTypes
	queue *pgx.Batch
	ops   []string // what each queued statement does, for its error
	op    string   // what the next statements do
}

func newPipeline(tx pgx.Tx, types *columnTypes) *pipeline {
	return &pipeline{tx: tx, types: types, queue: &pgx.Batch{}}
}

// doing names, for errors, what the statements queued from now on do.
func (p *pipeline) doing(op string) { p.op = op }

// flush sends what is queued and gives the first error.
func (p *pipeline) flush(ctx context.Context) error {
	if p.queue.Len() == 0 {
		return nil
	}
	queue, ops := p.queue, p.ops // the results refer to the queue
	p.queue, p.ops = &pgx.Batch{}, nil
	results := p.tx.SendBatch(ctx, queue)
	for _, op := range ops {
		if _, err := results.Exec(); err != nil {
			_ = results.Close() // the first error is the one that counts
			return interpret(op, err)
		}
	}
	return interpret("write", results.Close())
}

// Exec queues a statement. Its tag is empty: the outcome is not known yet.
func (p *pipeline) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	p.queue.Queue(sql, args...)
	p.ops = append(p.ops, p.op)
	return pgconn.CommandTag{}, nil
}

// SendBatch queues the statements of a batch.
func (p *pipeline) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	for _, q := range b.QueuedQueries {
		_, _ = p.Exec(ctx, q.SQL, q.Arguments...) // queues, and cannot fail
	}
	return queued{}
}

// errNotQueued refuses what a pipeline is not for.
var errNotQueued = errors.New("a statement that returns rows cannot wait in a pipeline")

// Query refuses.
func (p *pipeline) Query(context.Context, string, ...any) (pgx.Rows, error) {
	return nil, errNotQueued
}

// QueryRow refuses.
func (p *pipeline) QueryRow(context.Context, string, ...any) pgx.Row { return refusedRow{} }

type refusedRow struct{}

func (refusedRow) Scan(...any) error { return errNotQueued }

// queued are the results of statements that have not been sent.
type queued struct{}

func (queued) Exec() (pgconn.CommandTag, error) { return pgconn.CommandTag{}, nil }
func (queued) Query() (pgx.Rows, error)         { return nil, errNotQueued }
func (queued) QueryRow() pgx.Row                { return refusedRow{} }
func (queued) Close() error                     { return nil }
func (queued) Tx() pgx.Tx                       { return nil }

// CopyFrom writes rows by COPY, at once. pgx's own asks the server for the types
// of the columns each time, which is a round trip; here they are asked for once.
func (p *pipeline) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, source pgx.CopyFromSource) (int64, error) {
	conn := p.tx.Conn()
	statement, types, err := p.types.of(ctx, conn, table, columns)
	if err != nil {
		return 0, err
	}
	rows := &copyReader{source: source, types: types, codecs: conn.TypeMap()}
	tag, err := conn.PgConn().CopyFrom(ctx, rows, statement)
	if err != nil {
		p.types.forget(statement) // a migration may have changed them
		if rows.err != nil {
			err = rows.err
		}
		return 0, err
	}
	return tag.RowsAffected(), nil
}

// copied checks that a COPY has written all of its rows.
func copied(op string, want int, got int64, err error) error {
	if err == nil && got != int64(want) {
		err = fmt.Errorf("%d of %d rows were written", got, want)
	}
	return interpret(op, err)
}
