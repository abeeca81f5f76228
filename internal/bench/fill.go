package bench

import (
	"context"
	_ "embed" // the statements
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

//go:embed sql/history_seed.sql
var historySeedSQL string

// fillConnections work at the same time, each on tables of its own.
const fillConnections = 2

// makeSeed has the service store some runs, and puts those that have ended
// aside: a history is many copies of them, with ids, keys and dates of their
// own. It returns how many rows a copy has.
func (b *bench) makeSeed(ctx context.Context) (rows int64, err error) {
	w := b.workload(usual, b.SeedEvents)
	w.Parallel = 50 // so that most have ended
	backlog, err := b.produce(ctx, "bench-seed", w)
	if err != nil {
		return 0, err
	}
	if _, err := b.ingest(ctx, backlog, seedName, nil, ""); err != nil {
		return 0, err
	}
	err = b.onDatabase(ctx, seedName, func(conn *pgx.Conn) error {
		if _, err := conn.PgConn().Exec(ctx, historySeedSQL).ReadAll(); err != nil {
			return err
		}
		for _, table := range storedTables {
			var n int64
			if err := conn.QueryRow(ctx, "SELECT count(*) FROM bench_seed."+table.name).Scan(&n); err != nil {
				return err
			}
			rows += n
		}
		return nil
	})
	if err == nil && rows == 0 {
		err = errNoSeed
	}
	return rows, err
}

// fill makes a database with so many copies of the seed, and returns some of
// its runs' execution ids.
func (b *bench) fill(ctx context.Context, database string, copies int) (former []string, err error) {
	err = b.administer(ctx,
		"DROP DATABASE IF EXISTS "+database+" WITH (FORCE)",
		"CREATE DATABASE "+database+" TEMPLATE "+seedName+" STRATEGY FILE_COPY")
	if err != nil {
		return nil, err
	}
	days := birthdays(copies)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(fillConnections)
	// The greatest first, so that the last to end are short.
	for _, tables := range [][]string{
		{"execution_events"},
		{"execution_logs"},
		{"execution_steps"},
		{"validation_results"},
		{"system_snapshots"},
		{"fault_injections"},
		{"execution_phases"},
		{"executions", "execution_details", "execution_ids"},
	} {
		group.Go(func() error {
			return b.onDatabase(groupCtx, database, func(conn *pgx.Conn) error {
				for _, table := range tables {
					if err := b.fillTable(groupCtx, conn, table, days); err != nil {
						return fmt.Errorf("fill %s: %w", table, err)
					}
				}
				return nil
			})
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	err = b.onDatabase(ctx, database, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "DROP SCHEMA bench_seed CASCADE"); err != nil {
			return err
		}
		for _, table := range storedTables {
			if _, err := conn.Exec(ctx, "VACUUM (ANALYZE) test_coordination."+table.name); err != nil {
				return fmt.Errorf("vacuum %s: %w", table.name, err)
			}
		}
		rows, err := conn.Query(ctx, "SELECT execution_id FROM test_coordination.executions ORDER BY hashtext(execution_id), execution_id LIMIT $1", formerRuns)
		if err != nil {
			return err
		}
		former, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return former, err
}

// birthdays are the days of the copies, the oldest first: evenly over the last
// months, none so young that it would be taken for recent.
func birthdays(copies int) []time.Time {
	days := make([]time.Time, copies)
	today := time.Now().UTC().Truncate(24 * time.Hour)
	for n := range days {
		days[n] = today.AddDate(0, 0, -2-(copies-1-n)*historyDays/copies)
	}
	return days
}

// changed are the columns of a copy that differ from the seed's; n is the
// copy's number, day its birthday. Order keys end in the event's key.
var changed = map[string]string{
	"execution_id":      "t.execution_id || '-h' || n",
	"run_id":            "'run-' || t.execution_id || '-h' || n",
	"bucket":            "day",
	"buckets":           "ARRAY[day]",
	"event_key":         "sha256(t.event_key || int4send(n))",
	"order_key":         "substr(t.order_key, 1, octet_length(t.order_key) - 32) || sha256(substr(t.order_key, octet_length(t.order_key) - 31) || int4send(n))",
	"digest":            "sha256(t.digest || int4send(n))",
	"event_id":          "t.event_id || '-h' || n",
	"created_at":        "day + (t.created_at - date_trunc('day', t.created_at))",
	"updated_at":        "day + (t.updated_at - date_trunc('day', t.updated_at))",
	"settled_change_at": "day + (t.settled_change_at - date_trunc('day', t.settled_change_at))",
	"first_seen_at":     "day + (t.first_seen_at - date_trunc('day', t.first_seen_at))",
}

// fillTable writes the copies of a table, month by month. The partition of a
// month is made anew in the transaction that fills it, and gets its indexes when
// it becomes a part of the table.
func (b *bench) fillTable(ctx context.Context, conn *pgx.Conn, table string, days []time.Time) error {
	columns, err := columnsOf(ctx, conn, table)
	if err != nil {
		return err
	}
	var partitioned bool
	if err := conn.QueryRow(ctx, "SELECT relkind = 'p' FROM pg_class WHERE oid = $1::regclass", "test_coordination."+table).Scan(&partitioned); err != nil {
		return err
	}
	tell := b.every(15 * time.Second)
	for at := 0; at < len(days); {
		month := time.Date(days[at].Year(), days[at].Month(), 1, 0, 0, 0, 0, time.UTC)
		until := month.AddDate(0, 1, 0)
		begin := at
		for at < len(days) && days[at].Before(until) {
			at++
		}
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			into := "test_coordination." + table
			parent := into
			if partitioned {
				into += "_y" + month.Format("2006") + "m" + month.Format("01")
				if _, err := tx.Exec(ctx, "DROP TABLE IF EXISTS "+into); err != nil {
					return err
				}
				if _, err := tx.Exec(ctx, "CREATE TABLE "+into+" (LIKE "+parent+" INCLUDING ALL EXCLUDING INDEXES)"); err != nil {
					return err
				}
			}
			for n := begin; n < at; n++ {
				if _, err := tx.Exec(ctx, copyStatement(into, table, columns, n, days[n])); err != nil {
					return err
				}
				tell("%s: %d of %d copies", table, n+1, len(days))
			}
			if !partitioned {
				return nil
			}
			_, err := tx.Exec(ctx, fmt.Sprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s')",
				parent, into, month.Format(time.DateOnly), until.Format(time.DateOnly)))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func copyStatement(into, table string, columns []column, n int, day time.Time) string {
	names, values := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		names[i], values[i] = c.name, "t."+c.name
		if change, found := changed[c.name]; found {
			values[i] = change
		}
	}
	return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM bench_seed.%s AS t, (VALUES (%d, date '%s')) AS c(n, day)",
		into, strings.Join(names, ", "), strings.Join(values, ", "), table, n, day.Format(time.DateOnly))
}
