package bench

import (
	"context"
	_ "embed" // the statements
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
)

//go:embed sql/seed_runs.sql
var seedRunsSQL string

//go:embed sql/seed_long.sql
var seedLongSQL string

// Seed says how much a database is to be filled with.
type Seed struct {
	Executions int       // runs, each of an id of its own, born evenly over half a year
	LogLines   int       // half of them of one long run, which has as many events
	Now        time.Time // when the youngest was born
	Progress   io.Writer
}

const (
	seedDays = 180
	// seedBatch is how many runs, or lines, one statement makes.
	seedBatch = 20_000
	// longRun is the one that has half of the lines.
	longRun = "seed-long"
)

// errNotEmpty keeps what people have stored.
var errNotEmpty = errors.New("the database has executions already: seed wants one that is migrated and empty")

// Fill fills a migrated, empty database with runs that can be listed and read.
// They came of no events, and cannot be folded again: tcda verify will say so.
func (s Seed) Fill(ctx context.Context, conn *pgx.Conn) error {
	if s.Executions < 1 || s.LogLines < 0 {
		return errors.New("want at least one execution, and no negative number of log lines")
	}
	var known bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM test_coordination.execution_ids)").Scan(&known); err != nil {
		return fmt.Errorf("look for executions: %w", err)
	}
	if known {
		return errNotEmpty
	}
	if _, err := conn.Exec(ctx, "SET synchronous_commit = off"); err != nil { // it can be filled again
		return err
	}
	if _, err := conn.Exec(ctx, "SELECT test_coordination.ensure_partitions(($1::timestamptz AT TIME ZONE 'UTC')::date - $2::integer - 1, ($1::timestamptz AT TIME ZONE 'UTC')::date, 'month')", s.Now, seedDays); err != nil {
		return fmt.Errorf("make partitions: %w", err)
	}
	began := time.Now()
	ofLong := s.LogLines / 2
	perRun := (s.LogLines - ofLong) / s.Executions
	for from := 1; from <= s.Executions; from += seedBatch {
		to := min(from+seedBatch-1, s.Executions)
		if _, err := conn.Exec(ctx, seedRunsSQL, from, to, s.Executions, seedDays, s.Now, perRun); err != nil {
			return fmt.Errorf("make runs %d to %d: %w", from, to, err)
		}
		if to%(5*seedBatch) != 0 && to != s.Executions {
			continue
		}
		fmt.Fprintf(s.Progress, "%s of %s executions, each with %d log lines, after %s\n", count(int64(to)), count(int64(s.Executions)), perRun, time.Since(began).Round(time.Second))
	}
	if err := s.fillLong(ctx, conn, ofLong); err != nil {
		return err
	}
	// A service that maintains rolls up what was not told by anybody.
	if _, err := conn.Exec(ctx, `INSERT INTO test_coordination.rollup_dirty (scenario_id, day, group_id, appended_at)
		SELECT DISTINCT scenario_id, (coalesce(started_at, requested_at, created_at) AT TIME ZONE 'UTC')::date, group_id, $1::timestamptz
		FROM test_coordination.executions WHERE ended_at IS NOT NULL AND dry_run IS NOT TRUE`, s.Now); err != nil {
		return fmt.Errorf("note what is to be rolled up: %w", err)
	}
	for _, table := range storedTables {
		if _, err := conn.Exec(ctx, "VACUUM (ANALYZE) test_coordination."+table.name); err != nil {
			return fmt.Errorf("vacuum %s: %w", table.name, err)
		}
	}
	fmt.Fprintf(s.Progress, "seeded in %s\n", time.Since(began).Round(time.Second))
	return nil
}

// fillLong makes the run that has so many lines and events.
func (s Seed) fillLong(ctx context.Context, conn *pgx.Conn, lines int) error {
	began := s.Now.AddDate(0, 0, -seedDays/2)
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO test_coordination.execution_ids (execution_id, latest_run, buckets, first_seen_at)
			VALUES ($1, 1, ARRAY[($2::timestamptz AT TIME ZONE 'UTC')::date], $2)`, longRun, began); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO test_coordination.executions (execution_id, run, bucket, version, status, lifecycle, started_at, events, log_lines, marks, created_at, updated_at)
			VALUES ($1, 1, ($2::timestamptz AT TIME ZONE 'UTC')::date, 1, 'running', 'running', $2, $3, $3, '', $2, $2)`, longRun, began, lines)
		return err
	})
	if err != nil {
		return fmt.Errorf("make the long run: %w", err)
	}
	for from := 1; from <= lines; from += seedBatch {
		to := min(from+seedBatch-1, lines)
		if _, err := conn.Exec(ctx, seedLongSQL, from, to, began); err != nil {
			return fmt.Errorf("make lines %d to %d of the long run: %w", from, to, err)
		}
	}
	fmt.Fprintf(s.Progress, "%s events and as many log lines of %s\n", count(int64(lines)), longRun)
	return nil
}
