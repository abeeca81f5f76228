package bench

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pruning"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
)

const (
	// retentionSeed is the database that those of the measurements are copies of.
	retentionSeed     = "bench_retention_seed"
	retentionDatabase = "bench_retention"
	// retentionDays are kept of the half year that is seeded.
	retentionDays = 30
)

// retentionPass is one pass of retention.
type retentionPass struct {
	pruning.Result

	took  time.Duration
	steps map[string]int // transactions, by what they did
	err   error
}

// measureRetention measures what a pass gives back to the operating system, how long
// it takes, and how fast the service ingests meanwhile, beside how fast it does so
// without. A twentieth of the runs is pinned, some are under a legal hold, and one,
// which has half of all log lines, has not ended.
func (b *bench) measureRetention(ctx context.Context) error {
	if err := b.freshDatabase(ctx, retentionSeed); err != nil {
		return err
	}
	seed := Seed{Executions: b.Executions, LogLines: b.LogLines, Now: time.Now().UTC(), Progress: b.Progress}
	if err := b.onDatabase(ctx, retentionSeed, func(conn *pgx.Conn) error { return seed.Fill(ctx, conn) }); err != nil {
		return fmt.Errorf("fill the database: %w", err)
	}
	// As a service does after a while: otherwise it is at that in all that is measured.
	s := &Section{Name: partRetention, About: fmt.Sprintf("a pass that keeps %d days of half a year, with %s executions and %s log lines", retentionDays, count(int64(b.Executions)), count(int64(b.LogLines)))}
	if err := b.rollUp(ctx, s, b.servers.postgres.URL(retentionSeed)); err != nil {
		return fmt.Errorf("roll up: %w", err)
	}
	if err := b.measurePass(ctx, s); err != nil {
		return err
	}
	if err := b.measureIngestBesidePass(ctx, s); err != nil {
		return err
	}
	b.report.Sections = append(b.report.Sections, s)
	return errors.Join(b.dropDatabase(ctx, retentionDatabase), b.dropDatabase(ctx, retentionSeed))
}

// copySeed makes the database of a measurement.
func (b *bench) copySeed(ctx context.Context) error {
	return b.administer(ctx,
		"DROP DATABASE IF EXISTS "+retentionDatabase+" WITH (FORCE)",
		"CREATE DATABASE "+retentionDatabase+" TEMPLATE "+retentionSeed+" STRATEGY FILE_COPY",
		"CHECKPOINT")
}

// spaceUsed is what the files take.
type spaceUsed struct {
	database int64 // bytes of all its files
	disk     int64 // bytes of the file system that are not free
}

func (b *bench) spaceUsed(ctx context.Context) (u spaceUsed, err error) {
	if err := b.administer(ctx, "CHECKPOINT"); err != nil { // files of dropped tables go with it
		return u, err
	}
	err = b.onDatabase(ctx, "postgres", func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT pg_database_size($1)", retentionDatabase).Scan(&u.database)
	})
	var disk syscall.Statfs_t
	if failed := syscall.Statfs(b.dir, &disk); failed != nil {
		return u, errors.Join(err, fmt.Errorf("look at the disk: %w", failed))
	}
	u.disk = int64(disk.Blocks-disk.Bfree) * disk.Bsize //nolint:gosec // far below
	return u, err
}

// measurePass measures a pass that has the database to itself.
func (b *bench) measurePass(ctx context.Context, s *Section) error {
	if err := b.copySeed(ctx); err != nil {
		return err
	}
	before, err := b.spaceUsed(ctx)
	if err != nil {
		return err
	}
	var kept int64
	keptRows := func(into *int64) error {
		return b.onDatabase(ctx, retentionDatabase, func(conn *pgx.Conn) error {
			return conn.QueryRow(ctx, `SELECT count(*) FROM test_coordination.execution_logs AS l JOIN test_coordination.executions AS e USING (execution_id, run)
				WHERE e.pinned OR e.scenario_id = $1`, heldScenario).Scan(into)
		})
	}
	if err := keptRows(&kept); err != nil {
		return err
	}
	pass := b.retentionPass(ctx, -1, nil)
	if pass.err != nil {
		return pass.err
	}
	after, err := b.spaceUsed(ctx)
	if err != nil {
		return err
	}
	var still, tombstones int64
	if err := keptRows(&still); err != nil {
		return err
	}
	err = b.onDatabase(ctx, retentionDatabase, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT pg_total_relation_size('test_coordination.pruned_runs')").Scan(&tombstones)
	})
	if err != nil {
		return err
	}
	if still != kept {
		return fmt.Errorf("runs that are kept have %d log lines, and had %d", still, kept)
	}
	var runs int64
	for k, t := range pass.Pruned {
		if k.Kind == retention.Run {
			runs += t.Runs
		}
	}
	s.add("database before", "MB", float64(before.database)/1e6)
	s.add("database after", "MB", float64(after.database)/1e6)
	s.add("given back, by the database's files", "MB", float64(before.database-after.database)/1e6)
	s.add("given back, by the partitions", "MB", float64(pass.Freed)/1e6)
	s.add("tombstones", "MB", float64(tombstones)/1e6)
	s.add("given back, by the file system", "MB", float64(before.disk-after.disk)/1e6)
	s.add("pass alone, without pauses", "s", pass.took.Seconds())
	s.note("%s runs are gone, %d partitions were dropped; kept runs have their %s log lines; the file system holds the write-ahead log, too", count(runs), pass.Replaced, count(kept))
	return nil
}

// heldScenario has runs under a legal hold.
const heldScenario = "scenario-1"

// retentionPass makes a pass on the database of the measurement, with pauses in times
// of what its transactions take (0: as the service does). begun is called when all is
// planned and the first runs are to go.
func (b *bench) retentionPass(ctx context.Context, pace float64, begun func()) (pass retentionPass) {
	pass.steps = map[string]int{}
	store, err := pgstore.Open(ctx, pgstore.Config{URL: b.servers.postgres.URL(retentionDatabase), MaxConns: 4})
	if err != nil {
		return retentionPass{err: err}
	}
	defer store.Close()
	if _, err := store.PlaceHold(ctx, retention.Hold{ScenarioID: heldScenario, Reason: "bench", PlacedBy: "bench"}, time.Now()); err != nil {
		return retentionPass{err: err}
	}
	pruner := pruning.New(pruning.Config{
		Rules: retention.Rules{Policies: retention.ForDays("retention-days", retention.Run, retentionDays), Quiet: time.Hour}, Actor: "bench", Pace: pace,
	}, pruning.Parts{Store: store, Probe: func(step string) error {
		if pass.steps[step]++; step == "mark" && pass.steps[step] == 1 && begun != nil {
			begun()
		}
		return nil
	}, Log: zerolog.New(zerolog.ConsoleWriter{Out: b.Progress, NoColor: true, TimeFormat: time.TimeOnly}).With().Timestamp().Logger()})
	began := time.Now()
	pass.Result, pass.err = pruner.Once(ctx)
	pass.took = time.Since(began)
	if pass.err == nil && (pass.Locked > 0 || pass.PendingRows > 0 || pass.Replaced == 0) {
		pass.err = fmt.Errorf("the pass has left %d rows, %d partitions were in use, %d dropped", pass.PendingRows, pass.Locked, pass.Replaced)
	}
	return pass
}

// errIngested ends a pass that is not through when all is ingested.
var errIngested = errors.New("all is ingested")

// measureIngestBesidePass measures, by turns, what the service ingests while a pass
// is at work and while none is. The pass ends with the ingest at the latest: with its
// pauses it may take an hour.
func (b *bench) measureIngestBesidePass(ctx context.Context, s *Section) error {
	backlog, err := b.produce(ctx, "bench-retention", b.workload(usual, b.Events))
	if err != nil {
		return err
	}
	var without, with, beside []float64
	steps := map[string]int{}
	for round := range b.Rounds {
		for _, pruned := range []bool{round%2 == 1, round%2 == 0} {
			if err := b.copySeed(ctx); err != nil {
				return err
			}
			if !pruned {
				ingested, err := b.ingestInto(ctx, backlog, retentionDatabase, nil, "")
				if err != nil {
					return err
				}
				without = append(without, ingested.rate())
				fmt.Fprintf(b.Progress, "retention, round %d: %s events/s\n", round+1, amount(ingested.rate()))
				continue
			}
			ingested, pass, share, err := b.ingestBesidePass(ctx, backlog)
			if err != nil {
				return err
			}
			with, beside = append(with, ingested.rate()), append(beside, 100*share)
			for step, n := range pass.steps {
				steps[step] += n
			}
			fmt.Fprintf(b.Progress, "retention, round %d: %s events/s beside a pass, for %.0f %% of the time: %v\n", round+1, amount(ingested.rate()), 100*share, pass.steps)
		}
	}
	alone := s.add("ingest without a pass", "events/s", without...)
	s.add("ingest beside a pass", "events/s", with...).of(alone, "ingest without a pass")
	s.add("of its time a pass was at work", "%", beside...)
	s.note("transactions of the passes beside ingest: %v", steps)
	return nil
}

// ingestBesidePass ingests while a pass is at work, from when its first runs are to
// go; share is of the time that was measured.
func (b *bench) ingestBesidePass(ctx context.Context, l *backlog) (ingested *ingestion, pass retentionPass, share float64, err error) {
	passing, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	begun, passed := make(chan struct{}), make(chan retentionPass, 1)
	var through time.Time
	go func() {
		pass := b.retentionPass(passing, 0, func() { close(begun) })
		through = time.Now()
		passed <- pass
	}()
	select {
	case <-begun:
	case pass = <-passed:
		return nil, pass, 0, errors.Join(pass.err, errors.New("the pass was through before anything was ingested"))
	}
	ingested, err = b.ingestInto(ctx, l, retentionDatabase, nil, "")
	cut(errIngested)
	pass = <-passed
	if err != nil {
		return nil, pass, 0, err
	}
	if pass.err != nil && context.Cause(passing) == nil || pass.err != nil && through.Before(ingested.to.at) {
		return nil, pass, 0, pass.err
	}
	if through.After(ingested.to.at) {
		through = ingested.to.at
	}
	return ingested, pass, max(0, through.Sub(ingested.from.at).Seconds()/ingested.seconds()), nil
}
