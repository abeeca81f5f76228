package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
)

// Parts of a bench beside the workloads.
const (
	partCeiling = "ceiling"
	partSingle  = "single"
	partLatency = "latency"
	partMemory  = "memory"
	partReads   = "reads"

	partAnalytics = "analytics"
	partRetention = "retention" // only when it is asked for
)

// Parts are the names of what can be measured, in order.
func Parts() []string {
	return append(coordsim.Workloads(), partCeiling, partSingle, partLatency, partMemory, partReads, partAnalytics, partRetention)
}

// Options say what to measure, and with which programs.
type Options struct {
	TCDA string // the program under test
	Lab  string // this program, which also serves Kafka

	// DataDir holds the servers' files, below a folder of this bench's own; empty
	// is /var/tmp.
	DataDir string
	Keep    bool // leave the files, and the last databases, when it ends

	Only       []string // of Parts; empty: all
	Rounds     int
	Events     int // in a backlog of the first workload; others follow from it
	Partitions int
	// SingleEvents and MemoryEvents are the backlogs of those parts.
	SingleEvents, MemoryEvents int
	// Executions and LogLines are what lies in the database of reads, and of
	// analytics, which has no log lines.
	Executions, LogLines int
	// LatencyTime is how long latency is measured, and Rate, events a second, a
	// fifth of which is sent meanwhile; 0: what was measured of the first workload.
	LatencyTime time.Duration
	Rate        float64

	// History, in millions of stored rows, is measured instead of everything else
	// unless it is empty; the rows come from runs of so many SeedEvents.
	History    []float64
	SeedEvents int

	// Profile is a folder for profiles of the service's processor time, taken in
	// each workload's first round for so long; empty: none.
	Profile     string
	ProfileTime time.Duration

	Settings map[string]string // of the service, named as in its environment, without the prefix
	Postgres map[string]string // of PostgreSQL, beside and over those that it gets

	Progress io.Writer
}

func (o Options) validate() error {
	for _, part := range o.Only {
		if !slices.Contains(Parts(), part) {
			return fmt.Errorf("there is no part %q: want of %s", part, strings.Join(Parts(), ", "))
		}
	}
	if o.Rounds < 1 || o.Events < 1000 || o.Partitions < 1 {
		return errors.New("want at least a round, 1000 events and a partition")
	}
	for _, millions := range o.History {
		if millions <= 0 {
			return errors.New("want histories of some rows")
		}
	}
	return nil
}

// bench is one at work.
type bench struct {
	Options
	dir     string
	servers servers
	groups  int
	report  *Report
}

// Run measures.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	b := &bench{Options: o, report: &Report{}}
	all := postgresSettings()
	for name, value := range o.Postgres {
		all[name] = value
	}
	b.Postgres = all
	if err := b.makeDir(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.removeDir()) }()
	defer func() { err = errors.Join(err, b.closeServers()) }()
	if err := b.openServers(ctx); err != nil {
		return nil, fmt.Errorf("start the servers: %w", err)
	}
	if err := b.describeMachine(ctx); err != nil {
		return nil, err
	}
	if err := b.measure(ctx); err != nil {
		return nil, err
	}
	return b.report, nil
}

// makeDir makes a folder that PostgreSQL's own user can pass through.
func (b *bench) makeDir() (err error) {
	parent := cmp.Or(b.DataDir, "/var/tmp")
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	if b.dir, err = os.MkdirTemp(parent, "tcda-bench-"); err != nil {
		return fmt.Errorf("make a folder for the servers: %w", err)
	}
	if b.dir, err = filepath.Abs(b.dir); err != nil {
		return err
	}
	if b.Profile != "" {
		if err := os.MkdirAll(b.Profile, 0o755); err != nil {
			return fmt.Errorf("make a folder for profiles: %w", err)
		}
	}
	return os.Chmod(b.dir, 0o711) //nolint:gosec // others see nothing in it
}

func (b *bench) removeDir() error {
	if b.Keep {
		fmt.Fprintln(b.Progress, "kept:", b.dir)
		return nil
	}
	return os.RemoveAll(b.dir)
}

// wants tells whether a part is to be measured.
func (b *bench) wants(part string) bool { return len(b.Only) == 0 || slices.Contains(b.Only, part) }

// usual is the workload that everything is measured on.
var usual = coordsim.Workloads()[0]

func (b *bench) measure(ctx context.Context) error {
	if len(b.History) > 0 {
		return b.measureHistory(ctx)
	}
	for _, load := range coordsim.Workloads() {
		if b.wants(load) || load == usual && slices.Equal(b.Only, []string{partCeiling}) {
			if err := b.measureLoad(ctx, load); err != nil {
				return fmt.Errorf("measure %s: %w", load, err)
			}
		}
	}
	for _, part := range []struct {
		name    string
		measure func(context.Context) error
	}{{partSingle, b.measureSingle}, {partLatency, b.measureLatency}, {partMemory, b.measureMemory}, {partReads, b.measureReads}, {partAnalytics, b.measureAnalytics}} {
		if b.wants(part.name) {
			if err := part.measure(ctx); err != nil {
				return fmt.Errorf("measure %s: %w", part.name, err)
			}
		}
	}
	if slices.Contains(b.Only, partRetention) {
		if err := b.measureRetention(ctx); err != nil {
			return fmt.Errorf("measure %s: %w", partRetention, err)
		}
	}
	return nil
}

// workload is one of so many events.
func (b *bench) workload(name string, events int) coordsim.Workload {
	return coordsim.Workload{Name: name, Seed: 1, Instance: fmt.Sprint("bench-", events), Start: time.Now().Add(-time.Hour), Events: events}
}

// backlogEvents is how many events a workload's backlog has: an event of logs
// is some fifty rows.
func (b *bench) backlogEvents(load string) int {
	if load == "logs" {
		return max(1000, b.Events/10)
	}
	return b.Events
}

// measureLoad measures a workload end to end and its ceiling, by turns.
func (b *bench) measureLoad(ctx context.Context, load string) error {
	w := b.workload(load, b.backlogEvents(load))
	s := &Section{Name: load, About: w.About()}
	backlog, err := b.produce(ctx, "bench-"+load, w)
	if err != nil {
		return err
	}
	withCeiling := b.wants(partCeiling)
	var ingestions []*ingestion
	var ceilings []*ceilingRun
	for round := range b.Rounds {
		ingested, err := b.ingest(ctx, backlog, "bench_service", nil, b.profileFile(load, round))
		if err != nil {
			return err
		}
		ingestions = append(ingestions, ingested)
		fmt.Fprintf(b.Progress, "%s, round %d: end to end %s events/s\n", load, round+1, amount(ingested.rate()))
		if withCeiling {
			c, err := b.ceilingOf(ctx, "bench_service", eventsPerBatch(load), round == 0, s)
			if err != nil {
				return err
			}
			ceilings = append(ceilings, c)
			fmt.Fprintf(b.Progress, "%s, round %d: ceiling    %s events/s, %s rows/s\n", load, round+1, amount(c.rate()), amount(float64(c.rows)/c.took.Seconds()))
		}
		if err := b.dropDatabase(ctx, "bench_service"); err != nil {
			return err
		}
	}
	s.describe(backlog, ingestions, ceilings)
	if b.Profile != "" {
		s.note("the first round was profiled, which costs it a little")
	}
	b.report.Sections = append(b.report.Sections, s)
	return nil
}

func (c *ceilingRun) rate() float64 { return float64(c.events) / c.took.Seconds() }

// ceilingOf inserts what the service has stored once more, and when asked to
// proves that it was the same.
func (b *bench) ceilingOf(ctx context.Context, stored string, batch int, prove bool, s *Section) (*ceilingRun, error) {
	var r *recording
	var sums map[string]tableSum
	err := b.onDatabase(ctx, stored, func(conn *pgx.Conn) (err error) {
		if r, err = record(ctx, conn, batch); err != nil || !prove {
			return err
		}
		sums, err = tableSums(ctx, conn)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what the service stored: %w", err)
	}
	// Its vacuum and its dirty pages are not the ceiling's to pay for.
	if err := b.dropDatabase(ctx, stored); err != nil {
		return nil, err
	}
	run, err := b.ceiling(ctx, r, "bench_ceiling")
	if err != nil {
		return nil, err
	}
	if prove {
		err := b.onDatabase(ctx, "bench_ceiling", func(conn *pgx.Conn) error {
			again, err := tableSums(ctx, conn)
			if err != nil {
				return err
			}
			return sameRows(sums, again)
		})
		if err != nil {
			return nil, err
		}
		s.note("the ceiling's %s rows of %d tables (%s) are the service's, by checksum; %d transactions of about %d events over %d connections",
			count(r.rows), len(sums), size(float64(r.bytes)), len(r.batches), batch, ceilingConnections)
	}
	return run, b.dropDatabase(ctx, "bench_ceiling")
}

// each applies a measure to all runs.
func each[T any](runs []T, measure func(T) float64) []float64 {
	values := make([]float64, len(runs))
	for i, run := range runs {
		values[i] = measure(run)
	}
	return values
}

// describe turns the rounds of a workload into figures.
func (s *Section) describe(l *backlog, ingestions []*ingestion, ceilings []*ceilingRun) {
	perEvent := func(scale float64, used func(*snapshot) float64) []float64 {
		return each(ingestions, func(i *ingestion) float64 { return scale * (used(&i.to) - used(&i.from)) / i.events() })
	}
	rate := s.add("end to end", "events/s", each(ingestions, (*ingestion).rate)...)
	if len(ceilings) > 0 {
		c := s.add("ceiling", "events/s", each(ceilings, (*ceilingRun).rate)...)
		rate.of(c, "ceiling")
		ratios := make([]float64, len(ceilings))
		for i := range ceilings {
			ratios[i] = ingestions[i].rate() / ceilings[i].rate()
		}
		s.add("end to end / ceiling", "by round", ratios...)
		s.add("ceiling", "rows/s", each(ceilings, func(c *ceilingRun) float64 { return float64(c.rows) / c.took.Seconds() })...)
		s.add("rows per event", "", float64(ceilings[0].rows)/float64(ceilings[0].events))
	}
	s.add("records per transaction", "", each(ingestions, func(i *ingestion) float64 {
		return i.events() / max(1, float64(i.to.service.batches-i.from.service.batches))
	})...)
	for _, name := range []string{"tcda", "postgres", "kafka", "redis"} {
		s.add("CPU of "+name, "us/event", perEvent(1e6, func(at *snapshot) float64 { return at.cpu[name] })...)
	}
	if len(ceilings) > 0 {
		f := s.add("CPU of postgres, ceiling", "us/event", each(ceilings, func(c *ceilingRun) float64 { return 1e6 * c.cpuPostgres / float64(c.events) })...)
		f.of(s.find("CPU of postgres"), "CPU of postgres")
	}
	s.add("WAL", "bytes/event", perEvent(1, func(at *snapshot) float64 { return float64(at.postgres.wal) })...)
	if len(ceilings) > 0 {
		f := s.add("WAL, ceiling", "bytes/event", each(ceilings, func(c *ceilingRun) float64 { return float64(c.wal) / float64(c.events) })...)
		f.of(s.find("WAL"), "WAL")
	}
	s.add("blocks", "1/event", perEvent(1, func(at *snapshot) float64 { return float64(at.blocks) })...)
	s.add("blocks not in shared_buffers", "1/event", perEvent(1, func(at *snapshot) float64 { return float64(at.blocksRead) })...)
	s.add("allocated", "bytes/event", perEvent(1, func(at *snapshot) float64 { return at.service.allocated })...)
	s.add("allocations", "1/event", perEvent(1, func(at *snapshot) float64 { return at.service.objects })...)
	s.add("peak memory of tcda", "MiB", each(ingestions, func(i *ingestion) float64 { return float64(i.peak) / (1 << 20) })...)
	for _, step := range steps {
		s.add(step, "us/event", perEvent(1e6, func(at *snapshot) float64 { return at.service.steps[step].seconds })...)
	}
	for _, step := range steps {
		if step != "S4" {
			s.find(step).of(s.find("S4"), "S4")
		}
	}
	s.note("backlog of %s events, %s a record; by partition %v; the first %d %% are not counted", count(l.events), size(float64(l.bytes)/float64(l.events)), l.perPartition, int(100*warmUp))
	s.note("steps of different partitions, and of different batches of one, overlap: their times add up to more than the whole. S9 is a loop of its own")
}

func (s *Section) find(name string) *Figure {
	for _, f := range s.Figures {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// describeMachine notes what everything was measured on.
func (b *bench) describeMachine(ctx context.Context) error {
	m := &b.report.Machine
	*m = Machine{Cores: runtime.NumCPU(), Go: runtime.Version(), Redis: b.servers.redisNote, Kafka: "kfake with a data directory, in a process of its own", Own: b.Settings, Settings: map[string]string{}}
	version, err := b.version(ctx)
	if err != nil {
		return err
	}
	m.Service = version
	return b.onDatabase(ctx, "postgres", func(conn *pgx.Conn) error {
		if err := conn.QueryRow(ctx, "SHOW server_version").Scan(&m.PostgreSQL); err != nil {
			return err
		}
		names := []string{"fsync", "synchronous_commit", "full_page_writes", "wal_compression"}
		for name := range b.Postgres {
			names = append(names, name)
		}
		for _, name := range names {
			var value string
			if err := conn.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
				return err
			}
			m.Settings[name] = value
		}
		return nil
	})
}

// every returns a function that writes a line of progress, so often at most.
func (b *bench) every(pause time.Duration) func(format string, args ...any) {
	last := time.Now()
	return func(format string, args ...any) {
		if now := time.Now(); now.Sub(last) >= pause {
			last = now
			fmt.Fprintf(b.Progress, "  "+format+"\n", args...)
		}
	}
}
