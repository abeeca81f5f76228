package bench

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
)

const (
	// historyDays is how many days the stored runs were born on.
	historyDays = 150
	// afterwardsShare of the events with late words is about stored runs, one in five.
	afterwardsShare = 5
	// formerRuns are those that events come for: as many in each history, so that
	// as many rows are touched.
	formerRuns = 4000
	// bytesPerRow is what a stored row takes with its indexes, on the average of
	// the usual workload, and reserve what else is needed.
	bytesPerRow = 650
	reserve     = 12 << 30
	seedName    = "bench_seed"
)

// fillSettings make filling quick: what is written to a table made in the same
// transaction needs no write-ahead log. They do not hold while measuring.
func fillSettings() map[string]string {
	return map[string]string{"wal_level": "minimal", "max_wal_senders": "0", "synchronous_commit": "off", "maintenance_work_mem": "1GB", "autovacuum": "off"}
}

// stored is a database with a history.
type stored struct {
	database string
	millions float64 // of rows that were asked for
	rows     int64   // that there are
	bytes    int64   // with indexes
	former   []string
	rounds   map[string][]*ingestion // by load
}

// The loads that come to what is stored.
const (
	loadNew  = "new runs"        // the usual workload: what comes day by day
	loadLate = "with late words" // the same, and one event in five of a stored run: what comes after a long outage
)

// measureHistory measures the same work on histories of different lengths.
func (b *bench) measureHistory(ctx context.Context) error {
	all, err := b.fillHistories(ctx)
	if err != nil {
		return fmt.Errorf("fill histories: %w", err)
	}
	for round := range b.Rounds {
		for i := range all {
			for _, load := range []string{loadNew, loadLate} {
				if err := b.measureStored(ctx, &all[i], load, round); err != nil {
					return err
				}
			}
		}
	}
	for _, load := range []string{loadNew, loadLate} {
		b.report.Sections = append(b.report.Sections, b.describeHistory(load, all))
	}
	return nil
}

func (b *bench) describeHistory(load string, all []stored) *Section {
	s := &Section{Name: "history, " + load, About: "cost of an event where so many rows are stored already"}
	for _, what := range []struct {
		name, unit string
		of         func(*ingestion) float64
	}{
		{"end to end", "events/s", (*ingestion).rate},
		{"CPU of tcda", "us/event", func(i *ingestion) float64 { return 1e6 * (i.to.cpu["tcda"] - i.from.cpu["tcda"]) / i.events() }},
		{"CPU of postgres", "us/event", func(i *ingestion) float64 { return 1e6 * (i.to.cpu["postgres"] - i.from.cpu["postgres"]) / i.events() }},
		{"S4", "us/event", func(i *ingestion) float64 {
			return 1e6 * (i.to.service.steps["S4"].seconds - i.from.service.steps["S4"].seconds) / i.events()
		}},
		{"WAL", "bytes/event", func(i *ingestion) float64 { return float64(i.to.postgres.wal-i.from.postgres.wal) / i.events() }},
		{"blocks", "1/event", func(i *ingestion) float64 { return float64(i.to.blocks-i.from.blocks) / i.events() }},
		{"blocks not in shared_buffers", "1/event", func(i *ingestion) float64 { return float64(i.to.blocksRead-i.from.blocksRead) / i.events() }},
	} {
		var first *Figure
		for _, h := range all {
			f := s.add(fmt.Sprintf("%s, %s M rows", what.name, amount(h.millions)), what.unit, each(h.rounds[load], what.of)...)
			if first == nil {
				first = f
			} else {
				f.of(first, first.Name)
			}
		}
	}
	for _, h := range all {
		s.note("%s M: %s rows over %d days, %s", amount(h.millions), count(h.rows), historyDays, size(float64(h.bytes)))
	}
	s.note("%s events a measurement; the histories and loads by turns", count(int64(b.Events)))
	if load == loadLate {
		s.note("one event in %d is of %d of the stored runs, the others of new ones", afterwardsShare, len(all[0].former))
		s.note("each measurement begins with a checkpoint, after which the first change of a page writes all of it to the WAL: late events of a long history change more pages")
	}
	return s
}

func (b *bench) measureStored(ctx context.Context, h *stored, load string, round int) error {
	// The service sweeps what is stored once when it starts; that is not asked here.
	name := strings.NewReplacer("_", "-", " ", "-").Replace(fmt.Sprintf("%s-%s-%d", h.database, load, round))
	records := b.newAndFormer(name, h.former)
	if load == loadNew {
		records = coordsim.Workload{Name: usual, Seed: 1, Instance: name, Start: time.Now().Add(-time.Hour), Events: b.Events}.Generate()
	}
	backlog, err := b.produceRecords(ctx, name, b.Events, records)
	if err != nil {
		return err
	}
	if err := b.administer(ctx, "CHECKPOINT"); err != nil {
		return err
	}
	ingested, err := b.ingestInto(ctx, backlog, h.database, nil, "")
	if err != nil {
		return fmt.Errorf("measure %s: %w", h.database, err)
	}
	// Late events belong to the runs that they are of, and begin no others.
	err = b.onDatabase(ctx, h.database, func(conn *pgx.Conn) error {
		var begun int
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM test_coordination.executions WHERE execution_id = ANY ($1) AND run > 1", h.former).Scan(&begun); err != nil {
			return err
		}
		if begun > 0 {
			return fmt.Errorf("late events have begun %d runs in %s", begun, h.database)
		}
		return nil
	})
	if err != nil {
		return err
	}
	h.rounds[load] = append(h.rounds[load], ingested)
	fmt.Fprintf(b.Progress, "history of %s M rows, %s, round %d: %s events/s\n", amount(h.millions), load, round+1, amount(ingested.rate()))
	return nil
}

// newAndFormer mixes events of new runs with late ones of stored runs.
func (b *bench) newAndFormer(name string, former []string) iter.Seq2[coordsim.Record, error] {
	late := coordsim.Afterwards{Seed: 1, Instance: name, Start: time.Now().Add(-time.Minute), Events: b.Events / afterwardsShare, Executions: former}
	fresh := coordsim.Workload{Name: usual, Seed: 1, Instance: name, Start: time.Now().Add(-time.Hour), Events: b.Events - late.Events}
	return func(yield func(coordsim.Record, error) bool) {
		next, stop := iter.Pull2(late.Generate())
		defer stop()
		n := 0
		for r, err := range fresh.Generate() {
			if !yield(r, err) {
				return
			}
			if n++; n%(afterwardsShare-1) == 0 {
				if r, err, more := next(); more && !yield(r, err) {
					return
				}
			}
		}
		for {
			r, err, more := next()
			if !more || !yield(r, err) {
				return
			}
		}
	}
}

// fillHistories makes the databases, on a server that is set up for it.
func (b *bench) fillHistories(ctx context.Context) ([]stored, error) {
	if err := b.wantSpace(); err != nil {
		return nil, err
	}
	working := b.Postgres
	b.Postgres = maps.Clone(working)
	maps.Copy(b.Postgres, fillSettings())
	if err := b.restartPostgres(ctx); err != nil {
		return nil, err
	}
	rows, err := b.makeSeed(ctx)
	if err != nil {
		return nil, fmt.Errorf("make the seed: %w", err)
	}
	var all []stored
	for i, millions := range b.History {
		h := stored{database: fmt.Sprintf("bench_history_%d", i), millions: millions, rounds: map[string][]*ingestion{}}
		copies := max(1, int(math.Round(millions*1e6/float64(rows))))
		h.rows = int64(copies) * rows
		began := time.Now()
		fmt.Fprintf(b.Progress, "history of %s M rows: %d copies of %s\n", amount(millions), copies, count(rows))
		if h.former, err = b.fill(ctx, h.database, copies); err != nil {
			return nil, err
		}
		err = b.onDatabase(ctx, h.database, func(conn *pgx.Conn) error {
			return conn.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&h.bytes)
		})
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(b.Progress, "history of %s M rows: %s filled in %s\n", amount(millions), size(float64(h.bytes)), time.Since(began).Round(time.Second))
		all = append(all, h)
	}
	b.Postgres = working
	return all, b.restartPostgres(ctx)
}

// wantSpace fails early where the disk is too small.
func (b *bench) wantSpace() error {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(b.dir, &disk); err != nil {
		return fmt.Errorf("look at the disk: %w", err)
	}
	rows := 0.0
	for _, millions := range b.History {
		rows += millions * 1e6
	}
	needed, free := rows*bytesPerRow+reserve, float64(disk.Bavail)*float64(disk.Bsize)
	fmt.Fprintf(b.Progress, "the histories need about %s in %s, where %s are free\n", size(needed), b.dir, size(free))
	if free < needed {
		return fmt.Errorf("%s are free in %s and about %s are needed: choose another --data-dir, or fewer rows", size(free), b.dir, size(needed))
	}
	return nil
}

var errNoSeed = errors.New("no run of the seed has ended: it needs more events")
