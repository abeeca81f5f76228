package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"
)

const ceilingConnections = 4

// eventsPerBatch is how many events the rows of one transaction come from. Of
// logs it is as many as the service's limit on bytes lets into a batch: some
// 11,000 rows.
func eventsPerBatch(load string) int {
	if load == "logs" {
		return 200
	}
	return 1000
}

// ceilingRun is one measurement of it.
type ceilingRun struct {
	events, rows int64
	took         time.Duration
	cpuPostgres  float64
	wal          int64
}

// ceiling inserts a recording into a fresh database, with nothing of the
// service's around it: no Kafka, no decoding, no identity, no fold, no Redis.
// Everything that can be prepared is prepared before the clock starts: rows are
// in the server's own form, statements are planned.
func (b *bench) ceiling(ctx context.Context, r *recording, database string) (_ *ceilingRun, err error) {
	if err := b.freshDatabase(ctx, database); err != nil {
		return nil, err
	}
	var connections []*pgx.Conn
	defer func() {
		for _, conn := range connections {
			err = errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
		}
	}()
	for range ceilingConnections {
		conn, err := pgx.Connect(ctx, b.servers.postgres.URL(database))
		if err != nil {
			return nil, fmt.Errorf("connect for the ceiling: %w", err)
		}
		connections = append(connections, conn)
		if err := r.prepare(ctx, conn); err != nil {
			return nil, err
		}
	}
	before, err := b.postgresUsage(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	var next atomic.Int64
	group, ctx2 := errgroup.WithContext(ctx)
	for _, conn := range connections {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(r.batches) {
					return nil
				}
				if err := insertBatch(ctx2, conn.PgConn(), r.batches[i]); err != nil {
					return fmt.Errorf("insert batch %d: %w", i, err)
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	run := &ceilingRun{events: r.events, rows: r.rows, took: time.Since(began)}
	after, err := b.postgresUsage(ctx)
	if err != nil {
		return nil, err
	}
	run.cpuPostgres, run.wal = after.cpu-before.cpu, after.wal-before.wal
	return run, nil
}

// prepare plans the statements of a recording on a connection.
func (r *recording) prepare(ctx context.Context, conn *pgx.Conn) error {
	for i, statement := range r.statements {
		if _, err := conn.PgConn().Prepare(ctx, storedTables[i].name, statement, nil); err != nil {
			return fmt.Errorf("prepare %s: %w", statement, err)
		}
	}
	return nil
}

var binaryFormat = []int16{1}

// insertBatch is one transaction in one round trip: statements up to one Sync
// are one transaction.
func insertBatch(ctx context.Context, conn *pgconn.PgConn, inserts []insert) error {
	batch := &pgconn.Batch{}
	want := int64(0)
	for i := range inserts {
		batch.ExecPrepared(storedTables[inserts[i].table].name, inserts[i].arrays, binaryFormat, nil)
		want += int64(inserts[i].rows)
	}
	results, err := conn.ExecBatch(ctx, batch).ReadAll()
	if err != nil {
		return err
	}
	got := int64(0)
	for _, result := range results {
		got += result.CommandTag.RowsAffected()
	}
	if got != want {
		return fmt.Errorf("%d rows inserted, want %d", got, want)
	}
	return nil
}

// usage of PostgreSQL up to a moment.
type postgresUsage struct {
	cpu float64
	wal int64
}

func (b *bench) postgresUsage(ctx context.Context) (u postgresUsage, err error) {
	if u.cpu, err = processorSeconds(b.servers.postgres.PID()); err != nil {
		return u, err
	}
	err = b.onDatabase(ctx, "postgres", func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT (pg_current_wal_lsn() - '0/0')::bigint").Scan(&u.wal)
	})
	return u, err
}

// tableSum stands for all rows of a table.
type tableSum struct {
	Rows int64
	Sum  string // of the hashes of all rows
}

// tableSums are those of the tables that the service fills.
func tableSums(ctx context.Context, conn *pgx.Conn) (map[string]tableSum, error) {
	sums := map[string]tableSum{}
	for _, table := range storedTables {
		var s tableSum
		row := conn.QueryRow(ctx, "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text FROM test_coordination."+table.name+" AS t")
		if err := row.Scan(&s.Rows, &s.Sum); err != nil {
			return nil, fmt.Errorf("sum up %s: %w", table.name, err)
		}
		sums[table.name] = s
	}
	return sums, nil
}

// sameRows is an error unless both have the same rows.
func sameRows(service, ceiling map[string]tableSum) error {
	var errs []error
	for _, table := range storedTables {
		if s, c := service[table.name], ceiling[table.name]; s != c {
			errs = append(errs, fmt.Errorf("%s: the service has stored %d rows (%s), the ceiling %d (%s)", table.name, s.Rows, s.Sum, c.Rows, c.Sum))
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("the ceiling is not of the service's rows: %w", errors.Join(errs...))
	}
	return nil
}
