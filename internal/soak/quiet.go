package soak

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// quieten keeps the loop of every instance that says something of runs by itself
// from its work, by the lock that its leader takes, for as long as the connection
// lasts. What the loop was doing it has finished before, where nothing strikes: who
// has lost the session that held the lock may go on with the pass.
func (w *world) quieten(ctx context.Context) (*pgx.Conn, error) {
	return w.hold(ctx, "SELECT pg_advisory_lock(hashtextextended('tcda:liveness', 0))")
}

// mute keeps every instance from taking anything more into the outbox, also while
// faults strike, for as long as the connection lasts. What was taken before is
// committed. What is published meanwhile cannot be marked so, and is published again.
func (w *world) mute(ctx context.Context) (*pgx.Conn, error) {
	return w.hold(ctx, "BEGIN; LOCK TABLE test_coordination.outbox IN SHARE MODE")
}

// hold takes a lock on a connection of its own.
func (w *world) hold(ctx context.Context, lock string) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, w.databaseURL(false))
	if err != nil {
		return nil, fmt.Errorf("keep the service quiet: %w", err)
	}
	if _, err := conn.Exec(ctx, lock); err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("keep the service quiet: %w", err)
	}
	return conn, nil
}

// owed is what the service has still to do of itself when all is ingested.
type owed struct {
	orphans int64 // faults of ended runs that nobody has been asked to take back
	waiting int64 // events to be published
	parked  int64 // of those, that the broker has refused
	settled int64 // runs that have settled, or will, and that nobody has said it of
	reports int64 // that are to be built
}

// work is how much that is: it falls with everything that is done, though one thing
// brings others. A report that is built is published, a run that has settled gets a
// report and is told of, and a fault that is asked for changes its run again.
func (o owed) work() int64 { return o.waiting + 2*o.reports + 4*o.settled + 6*o.orphans }

// readOwed asks a database directly what the service has still to do.
func readOwed(ctx context.Context, url string) (o owed, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return o, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	err = conn.QueryRow(ctx, `SELECT
		(SELECT count(*) FROM test_coordination.executions AS e JOIN test_coordination.fault_injections AS f USING (execution_id, run, bucket)
		 WHERE e.faults_active > 0 AND e.status NOT IN ('pending', 'running', 'paused') AND f.status IN ('injected', 'in_progress') AND NOT EXISTS (
			SELECT FROM test_coordination.execution_events AS v WHERE v.execution_id = e.execution_id AND v.run = e.run AND v.bucket = e.bucket
			AND v.type = 'test-coordination.fault.clear_requested.v1' AND v.data->>'fault_id' = f.fault_id AND v.event_time > e.ended_at)),
		(SELECT count(*) FROM test_coordination.outbox WHERE status IN ('pending', 'parked')),
		(SELECT count(*) FROM test_coordination.outbox WHERE status = 'parked'),
		(SELECT count(*) FROM test_coordination.report_queue),
		(SELECT count(*) FROM test_coordination.executions
		 WHERE settled_change_at > coalesce((SELECT changed_at FROM test_coordination.loop_cursors WHERE loop = 'settled'), '-infinity'))`).Scan(&o.orphans, &o.waiting, &o.parked, &o.reports, &o.settled)
	return o, err
}

// quiet waits until the service has said and published all that it has to, and
// then keeps it from saying more: what is judged must stand still. The connection
// holds it; nil, where that was in vain.
func (s *soak) quiet(ctx context.Context) (*pgx.Conn, error) {
	var holds *pgx.Conn
	release := func() {
		if holds != nil {
			_ = holds.Close(context.WithoutCancel(ctx))
			holds = nil
		}
	}
	least, moved, told := int64(-1), time.Now(), time.Now()
	for {
		o, err := readOwed(ctx, s.databaseURL(false))
		if err == nil && o.orphans == 0 && holds == nil {
			if holds, err = s.quieten(ctx); err == nil {
				continue // it may have said something since
			}
		}
		switch {
		case err != nil:
		case o.orphans > 0: // that the loop was in the middle of
			release()
		case o.work() == 0 && holds != nil:
			s.tell("everything is said and published")
			return holds, nil
		}
		if left := o.work(); err == nil && (least < 0 || left < least) {
			least, moved = left, time.Now()
		}
		if time.Since(moved) > s.options.DrainLimit {
			release()
			s.drained = false
			s.problem(fmt.Sprintf("the service does not finish: %d orphaned faults are not asked for, %d events are not published, %d of them parked, %d reports are not built (%v); worker a said:\n%s",
				o.orphans, o.waiting, o.parked, o.reports+o.settled, err, s.workers[0].tail()))
			return nil, nil
		}
		if time.Since(told) >= progressEvery {
			told = time.Now()
			s.tell("draining: %d orphaned faults to ask for, %d events to publish, %d reports to build", o.orphans, o.waiting, o.reports+o.settled)
		}
		if !wait(ctx, 500*time.Millisecond) {
			release()
			return nil, context.Cause(ctx)
		}
	}
}
