package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
)

const (
	// pollEvery is the pause between two looks at what is committed.
	pollEvery = 2 * time.Millisecond
	// bareEvery is the pause between two bare commits.
	bareEvery = 20 * time.Millisecond
	bareBytes = 400
	// latencyShare of the greatest rate is sent.
	latencyShare = 0.2
	// settleIn is what is not counted at the beginning.
	settleIn = 3 * time.Second
)

// measureLatency measures the time from an acknowledged record to its commit,
// and of bare commits on the same server at the same time.
func (b *bench) measureLatency(ctx context.Context) error {
	s := &Section{Name: partLatency, About: "from the acknowledgement of a record to the commit of its event"}
	most := b.Rate
	if f := b.report.Find(usual, "end to end"); most == 0 && f != nil {
		most = f.Median
	}
	if most == 0 {
		backlog, err := b.produce(ctx, "bench-rate", b.workload(usual, b.Events))
		if err != nil {
			return err
		}
		ingested, err := b.ingest(ctx, backlog, "bench_service", nil, "")
		if err != nil {
			return err
		}
		most = ingested.rate()
	}
	rate := most * latencyShare
	records, err := b.prepare(rate)
	if err != nil {
		return err
	}
	var rounds []*latencies
	for round := range b.Rounds {
		l, err := b.runLatency(ctx, "bench-latency-"+strconv.Itoa(round), records, rate)
		if err != nil {
			return err
		}
		rounds = append(rounds, l)
	}
	s.addLatencies(rounds)
	s.note("in a round %s events at %s a second, a fifth of %s; %s bare commits of %d bytes, one every %s, on the same server at the same time",
		count(rounds[0].committed.TotalCount()), amount(rate), amount(most), count(rounds[0].bare.TotalCount()), bareBytes, bareEvery)
	s.note("a bare commit of more than %s counts for those that were due meanwhile, too, as it does for the events", bareEvery)
	s.note("a commit is seen at the next look: up to the time between two looks is added, half of it on average")
	b.report.Sections = append(b.report.Sections, s)
	return b.dropDatabase(ctx, "bench_service")
}

// addLatencies adds the figures of all rounds.
func (s *Section) addLatencies(rounds []*latencies) {
	add := func(name string, of func(*latencies) *hdrhistogram.Histogram, quantile float64) *Figure {
		var values []float64
		for _, l := range rounds {
			values = append(values, float64(of(l).ValueAtQuantile(quantile))/1000)
		}
		return s.add(name, "ms", values...)
	}
	bare := func(l *latencies) *hdrhistogram.Histogram { return l.bare }
	committed := func(l *latencies) *hdrhistogram.Histogram { return l.committed }
	sent := func(l *latencies) *hdrhistogram.Histogram { return l.sent }
	looks := func(l *latencies) *hdrhistogram.Histogram { return l.looks }
	bareMedian := add("bare commit, p50", bare, 50)
	bareMost := add("bare commit, p99", bare, 99)
	add("committed, p50", committed, 50).of(bareMedian, bareMedian.Name)
	most := add("committed, p99", committed, 99)
	most.of(bareMost, bareMost.Name)
	byRound := make([]float64, len(rounds))
	for i := range byRound {
		byRound[i] = most.Values[i] / bareMost.Values[i]
	}
	s.add("committed / bare commit, p99", "by round", byRound...)
	add("committed, since sent, p50", sent, 50).of(bareMedian, bareMedian.Name)
	add("committed, since sent, p99", sent, 99).of(bareMost, bareMost.Name)
	add("committed, most", committed, 100)
	add("between two looks, p50", looks, 50)
	add("between two looks, p99", looks, 99)
	disturbed := make([]float64, len(rounds))
	for i, l := range rounds {
		disturbed[i] = float64(l.autovacuums)
	}
	s.add("work of autovacuum", "times", disturbed...)
}

// latencies are in microseconds.
type latencies struct {
	committed, sent, bare, looks *hdrhistogram.Histogram

	autovacuums int64 // how often a table of the service was vacuumed or analyzed, to the end
}

func newLatencies() *latencies {
	histogram := func() *hdrhistogram.Histogram { return hdrhistogram.New(1, 600_000_000, 3) }
	return &latencies{committed: histogram(), sent: histogram(), bare: histogram(), looks: histogram()}
}

// sentRecord is when a record was sent and acknowledged.
type sentRecord struct {
	offset             int64
	sent, acknowledged time.Time
}

// tracker knows the records that are not committed yet.
type tracker struct {
	mu      sync.Mutex
	waiting [][]sentRecord // by partition, by offset
	begin   time.Time      // what was sent before is not counted
	all     int
	*latencies
}

func (t *tracker) acknowledged(partition int32, r sentRecord) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting[partition] = append(t.waiting[partition], r)
	t.all++
}

// committed notes that a partition is committed up to an offset.
func (t *tracker) committedTo(partition int32, next int64, at time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	waiting := t.waiting[partition]
	done := 0
	for _, r := range waiting {
		if r.offset >= next {
			break
		}
		done++
		if r.sent.Before(t.begin) {
			continue
		}
		// The acknowledgement may reach us after the commit.
		err := errors.Join(t.committed.RecordValue(max(1, at.Sub(r.acknowledged).Microseconds())), t.sent.RecordValue(max(1, at.Sub(r.sent).Microseconds())))
		if err != nil {
			return err
		}
	}
	t.waiting[partition] = waiting[done:]
	return nil
}

func (t *tracker) pending() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, waiting := range t.waiting {
		n += len(waiting)
	}
	return n
}

func (b *bench) runLatency(ctx context.Context, topic string, records []coordsim.Record, rate float64) (_ *latencies, err error) {
	if err := b.freshDatabase(ctx, "bench_service"); err != nil {
		return nil, err
	}
	if err := b.makeTopic(ctx, topic, b.Partitions); err != nil {
		return nil, err
	}
	live, err := b.startRedis(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, live.stop()) }()
	service, err := b.serveOn(ctx, topic, "bench_service", live, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, service.stop()) }()
	starting, cancelStart := context.WithTimeout(ctx, startLimit)
	defer cancelStart()
	if err := b.awaitClaims(starting, "bench_service", topic, service); err != nil {
		return nil, err
	}
	fmt.Fprintf(b.Progress, "latency: %s events a second for %s\n", amount(rate), b.LatencyTime)
	// Nor does our collector run while it is measured: a look at all records takes
	// both processors for tenths of a second.
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))

	t := &tracker{
		waiting: make([][]sentRecord, b.Partitions), begin: time.Now().Add(settleIn),
		latencies: newLatencies(),
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var work sync.WaitGroup
	produced := make(chan struct{})
	parts := []func(context.Context) error{
		func(ctx context.Context) error {
			defer close(produced)
			return b.sendPaced(ctx, topic, records, rate, t)
		},
		func(ctx context.Context) error {
			return b.onDatabase(ctx, "bench_service", func(conn *pgx.Conn) error { return t.watch(ctx, conn, topic, produced) })
		},
		func(ctx context.Context) error {
			return b.onDatabase(ctx, "postgres", func(conn *pgx.Conn) error { return bareCommits(ctx, conn, t, produced) })
		},
	}
	for _, part := range parts {
		work.Go(func() {
			if err := part(ctx); err != nil {
				cancel(err)
			}
		})
	}
	work.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, service.failed(err)
	}
	err = b.onDatabase(ctx, "bench_service", func(conn *pgx.Conn) error {
		row := conn.QueryRow(ctx, "SELECT coalesce(sum(autovacuum_count + autoanalyze_count), 0)::bigint FROM pg_stat_user_tables")
		return row.Scan(&t.autovacuums)
	})
	if err != nil {
		return nil, fmt.Errorf("ask what autovacuum did: %w", err)
	}
	return t.latencies, nil
}

// awaitClaims waits until the service owns every partition of a topic: joining
// the group is no latency of an event.
func (b *bench) awaitClaims(ctx context.Context, database, topic string, service *adapter) error {
	return b.onDatabase(ctx, database, func(conn *pgx.Conn) error {
		err := childproc.AwaitAnswer(ctx, service.process, func(ctx context.Context) bool {
			var claimed int
			row := conn.QueryRow(ctx, "SELECT count(*) FROM test_coordination.ingest_partitions WHERE topic = $1 AND NOT clean_stop", topic)
			return row.Scan(&claimed) == nil && claimed == b.Partitions
		})
		if err != nil {
			return service.failed(fmt.Errorf("claim the partitions: %w", err))
		}
		return nil
	})
}

// prepare makes the records before the clock runs: coordinators make theirs on
// other machines, and here it took an eighth of the processors.
func (b *bench) prepare(rate float64) ([]coordsim.Record, error) {
	w := b.workload(usual, max(1000, int(rate*(b.LatencyTime+settleIn).Seconds())))
	records := make([]coordsim.Record, 0, w.Events)
	for r, err := range w.Generate() {
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

// sendPaced sends records at a rate.
func (b *bench) sendPaced(ctx context.Context, topic string, records []coordsim.Record, rate float64, t *tracker) error {
	producer, err := coordsim.NewProducer(coordsim.ProducerConfig{
		Brokers: []string{b.servers.brokers}, Topics: coordsim.Topics{Executions: topic, Scenarios: scenarioTopic},
	})
	if err != nil {
		return err
	}
	defer producer.Close()
	var mu sync.Mutex
	sent := map[string]time.Time{} // by event id
	noting := func(yield func(coordsim.Record, error) bool) {
		for _, r := range records {
			mu.Lock()
			sent[r.ID] = time.Now()
			mu.Unlock()
			if !yield(r, nil) {
				return
			}
		}
	}
	return producer.Send(ctx, noting, rate, func(r *coordsim.Record, at coordsim.Address) error {
		now := time.Now()
		mu.Lock()
		began := sent[r.ID]
		delete(sent, r.ID)
		mu.Unlock()
		t.acknowledged(at.Partition, sentRecord{at.Offset, began, now})
		return nil
	})
}

// watch looks at what is committed until everything is.
func (t *tracker) watch(ctx context.Context, conn *pgx.Conn, topic string, produced <-chan struct{}) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	last, progressed, before := time.Now(), time.Now(), -1
	for {
		rows, err := conn.Query(ctx, "SELECT partition, next_offset FROM test_coordination.ingest_partitions WHERE topic = $1", topic)
		if err != nil {
			return err
		}
		type position struct {
			partition int32
			next      int64
		}
		all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p position, err error) {
			err = row.Scan(&p.partition, &p.next)
			return p, err
		})
		if err != nil {
			return fmt.Errorf("look at the positions: %w", err)
		}
		now := time.Now()
		if err := t.looks.RecordValue(max(1, now.Sub(last).Microseconds())); err != nil {
			return err
		}
		last = now
		for _, p := range all {
			if err := t.committedTo(p.partition, p.next, now); err != nil {
				return err
			}
		}
		pending := t.pending()
		select {
		case <-produced:
			if pending == 0 {
				return nil
			}
		default:
		}
		if pending == 0 || pending != before {
			before, progressed = pending, now
		}
		if now.Sub(progressed) > stall {
			return fmt.Errorf("%d records are not committed", pending)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// bareCommits times the smallest durable thing that the server can do.
func bareCommits(ctx context.Context, conn *pgx.Conn, t *tracker, until <-chan struct{}) error {
	if _, err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS bare_commits (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, row bytea NOT NULL)"); err != nil {
		return err
	}
	row := slices.Repeat([]byte{'x'}, bareBytes)
	tick := time.NewTicker(bareEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-until:
			return nil
		case <-tick.C:
		}
		began := time.Now()
		if _, err := conn.Exec(ctx, "INSERT INTO bare_commits (row) VALUES ($1)", row); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		took := time.Since(began)
		if began.Before(t.begin) {
			continue
		}
		// Records go on arriving while one is slow, so a commit that takes longer than
		// the pause stands for those that were due meanwhile, too.
		if err := t.bare.RecordCorrectedValue(max(1, took.Microseconds()), bareEvery.Microseconds()); err != nil {
			return err
		}
	}
}
