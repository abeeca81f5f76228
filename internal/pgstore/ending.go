package pgstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// ending is the last that a transaction sends: its rows to copy, and COMMIT. It
// goes out right behind the statements that nobody waits for, before their
// results are read: one round trip for both. Where one of them fails, the server
// refuses what is behind it; a COMMIT alone it takes for ROLLBACK.
type ending struct {
	*pipeline

	copies []rowsToCopy
	commit bool
	unsent error // a value that could not be sent: the server was told to give up
}

// end sends everything that waits, and the rows to copy behind it; together with
// COMMIT, if the transaction is to be committed.
func (p *pipeline) end(ctx context.Context, commit bool) error {
	if err := p.send(ctx); err != nil {
		return err
	}
	if !p.mayFollow() {
		if err := p.settle(); err != nil {
			return err
		}
	}
	e := &ending{pipeline: p, copies: p.copies, commit: commit}
	p.copies = nil
	statements := make([]string, len(e.copies), len(e.copies)+1)
	for i := range e.copies {
		statements[i] = e.copies[i].statement
	}
	if commit {
		statements = append(statements, "commit")
	}
	switch {
	case len(statements) == 0:
		return p.settle()
	case p.results != nil: // their reader tells of a connection that is lost
	case p.conn.IsClosed():
		return interpret("end transaction", errLost)
	case ctx.Err() != nil:
		return interpret("end transaction", ctx.Err())
	}
	defer p.bound(ctx)()
	p.unanswered = true
	w := &copyWriter{codecs: p.conn.TypeMap(), to: p.conn.PgConn().Frontend()}
	e.unsent = w.send(statements, e.copies)
	if err := p.settle(); err != nil {
		return e.failed(err)
	}
	defer p.bound(ctx)() // anew: pgx, whose results were read, takes a deadline off
	return e.read(ctx)
}

// errLost says that nothing was sent, because there is no connection any more.
var errLost = errors.New("the connection is closed")

// mayFollow tells whether the ending may be sent before the results of what was
// sent are read: they are on their way, in a transaction that has begun for
// certain, and none of them decides whether it goes on.
func (p *pipeline) mayFollow() bool {
	decides := func(s statement) bool { return s.take != nil }
	return p.conn.PgConn().IsBusy() && p.conn.PgConn().TxStatus() == 'T' && !slices.ContainsFunc(p.sent, decides)
}

// failed is the error of what came before the end of COMMIT. What is no answer of
// the server leaves open whether it has heard COMMIT; nor does FATAL tell, which a
// pooler may say for a server that has committed.
func (e *ending) failed(err error) error {
	if e.commit && e.unsent == nil && !refused(err) {
		return fmt.Errorf("%w: %w", ErrInDoubt, err)
	}
	return err
}

// read reads the answers to the ending, to their end.
func (e *ending) read(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx) // bound by end
	var dropped, failed error
	done := 0 // statements
	for {
		message, err := e.conn.PgConn().ReceiveMessage(ctx)
		switch {
		case err == nil:
		case failed != nil: // said before the end of the session
			return failed
		case done > len(e.copies): // COMMIT was answered
			return dropped
		default:
			return e.interpret(done, err, dropped)
		}
		switch m := message.(type) {
		case *pgproto3.CommandComplete:
			if done == len(e.copies) {
				if string(m.CommandTag) == "ROLLBACK" {
					failed = interpretCommit(pgx.ErrTxCommitRollback)
				}
			} else if c := &e.copies[done]; dropped == nil {
				if rows := pgconn.NewCommandTag(string(m.CommandTag)).RowsAffected(); rows != c.written {
					dropped = fmt.Errorf("%s: %w: %d of %d were written", c.op, ErrRowsDropped, rows, c.written)
				}
			}
			done++
		case *pgproto3.ErrorResponse: // of ERROR: pgx makes an err of FATAL
			if done <= len(e.copies) { // else COMMIT was answered before
				failed = e.interpret(done, pgconn.ErrorResponseToPgError(m), dropped)
			}
		case *pgproto3.ReadyForQuery:
			e.unanswered = false
			if failed != nil {
				return failed
			}
			return dropped
		}
	}
}

// interpret is the error of the statement with that number.
func (e *ending) interpret(statement int, err, dropped error) error {
	if statement < len(e.copies) {
		c := &e.copies[statement]
		e.types.forget(c.statement) // a migration may have changed them
		if e.unsent != nil {
			return e.unsent
		}
		return e.failed(interpret(c.op, err))
	}
	if !e.commit {
		return interpret("copy rows", err)
	}
	if err = interpretCommit(err); errors.Is(err, ErrInDoubt) && dropped != nil {
		err = errors.Join(err, dropped) // for who finds that it was committed
	}
	return err
}

// drain reads the answers to an ending that nobody needs. Where that cannot be
// done, the connection is of no use to anybody.
func (p *pipeline) drain(ctx context.Context) {
	if !p.unanswered {
		return
	}
	defer p.bound(ctx)()
	for p.unanswered {
		message, err := p.conn.PgConn().ReceiveMessage(context.WithoutCancel(ctx))
		if err != nil {
			_ = p.conn.Close(ctx) // it is given up
			return
		}
		_, ready := message.(*pgproto3.ReadyForQuery)
		p.unanswered = !ready
	}
}

// bound has reading and writing fail once ctx ends, until it is called off. pgx
// does that for what it sends itself. The connection is then closed, and not
// cancelled: whoever comes next waits for the server to notice.
func (p *pipeline) bound(ctx context.Context) (callOff func()) {
	network := p.conn.PgConn().Conn()
	stop := context.AfterFunc(ctx, func() { _ = network.SetDeadline(time.Unix(1, 0)) })
	return func() {
		if !stop() { // it may fail whoever comes next
			_ = p.conn.Close(ctx)
		}
	}
}
