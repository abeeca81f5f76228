package bench

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
)

const (
	// warmUp is the share of a backlog that is ingested before the clock starts:
	// plans are made, caches filled, the group joined.
	warmUp = 0.05
	// lookEvery is how often the positions in the database are looked at.
	lookEvery = 5 * time.Millisecond
	// stall is how long nothing may be committed.
	stall = time.Minute
)

// backlog is what lies in a topic before the service starts.
type backlog struct {
	topic        string
	events       int64
	perPartition []int64
	bytes        int64 // of keys, values and headers
}

// produce fills a topic with a workload.
func (b *bench) produce(ctx context.Context, topic string, w coordsim.Workload) (*backlog, error) {
	return b.produceRecords(ctx, topic, w.Events, w.Generate())
}

func (b *bench) produceRecords(ctx context.Context, topic string, events int, records iter.Seq2[coordsim.Record, error]) (*backlog, error) {
	if err := b.makeTopic(ctx, topic, b.Partitions); err != nil {
		return nil, err
	}
	producer, err := coordsim.NewProducer(coordsim.ProducerConfig{
		Brokers: []string{b.servers.brokers}, Topics: coordsim.Topics{Executions: topic, Scenarios: scenarioTopic},
	})
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	l := &backlog{topic: topic, perPartition: make([]int64, b.Partitions)}
	tell := b.every(5 * time.Second)
	began := time.Now()
	err = producer.Send(ctx, records, 0, func(r *coordsim.Record, at coordsim.Address) error {
		l.events++
		l.perPartition[at.Partition]++
		l.bytes += int64(len(r.Key) + len(r.Value))
		for _, h := range r.Headers {
			l.bytes += int64(len(h.Key) + len(h.Value))
		}
		tell("%s: %s of %s events produced", topic, count(l.events), count(int64(events)))
		return nil
	})
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(b.Progress, "%s: %s events (%s) in Kafka after %s, by partition %v\n", topic, count(l.events), size(float64(l.bytes)), time.Since(began).Round(time.Second), l.perPartition)
	return l, nil
}

// snapshot is what all parts have used up to a moment.
type snapshot struct {
	at       time.Time
	records  int64
	service  scraped
	cpu      map[string]float64
	postgres postgresUsage
	// Blocks of 8 KiB that the service's database asked for, and those of them
	// that were not in PostgreSQL's own cache.
	blocks, blocksRead int64
}

// ingestion is one measurement of the service: between a commit after the warm
// up and the last one.
type ingestion struct {
	from, to snapshot
	peak     int64
}

func (i *ingestion) events() float64  { return float64(i.to.records - i.from.records) }
func (i *ingestion) seconds() float64 { return i.to.at.Sub(i.from.at).Seconds() }
func (i *ingestion) rate() float64    { return i.events() / i.seconds() }

// ingest has a fresh service take a backlog into a fresh database.
func (b *bench) ingest(ctx context.Context, l *backlog, database string, settings map[string]string, profile string) (_ *ingestion, err error) {
	if err := b.freshDatabase(ctx, database); err != nil {
		return nil, err
	}
	return b.ingestInto(ctx, l, database, settings, profile)
}

// ingestInto does it into a database that is there.
func (b *bench) ingestInto(ctx context.Context, l *backlog, database string, settings map[string]string, profile string) (_ *ingestion, err error) {
	live, err := b.startRedis(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, live.stop()) }()
	service, err := b.serveOn(ctx, l.topic, database, live, settings)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, service.stop()) }()
	m := &meter{bench: b, service: service, redis: live, backlog: l, profileTo: profile}
	err = b.onDatabase(ctx, database, func(conn *pgx.Conn) error { return m.measure(ctx, conn) })
	if err != nil {
		return nil, err
	}
	m.ingestion.peak, err = peakMemory(service.process.PID())
	return &m.ingestion, err
}

// serveOn starts the service on a topic, with a consumer group that nobody had.
func (b *bench) serveOn(ctx context.Context, topic, database string, live *redis, settings map[string]string) (*adapter, error) {
	b.groups++
	all := map[string]string{
		"POSTGRES_URL": b.servers.postgres.URL(database), "REDIS_URL": live.url,
		"KAFKA_TOPIC_EXECUTIONS": topic, "KAFKA_GROUP_ID": "bench-" + strconv.Itoa(b.groups),
	}
	for name, value := range settings {
		all[name] = value
	}
	return b.serve(ctx, all)
}

// meter watches a service at work.
type meter struct {
	*bench
	service   *adapter
	redis     *redis
	backlog   *backlog
	profileTo string

	ingestion ingestion
	profiled  chan error
}

const positions = `SELECT coalesce(sum(applied), 0)::bigint, coalesce(sum(duplicates + quarantined), 0)::bigint
	FROM test_coordination.ingest_partitions WHERE topic = $1`

// measure waits until everything is committed.
func (m *meter) measure(ctx context.Context, conn *pgx.Conn) error {
	tell := m.every(5 * time.Second)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var latest int64
	progressed := time.Now()
	for {
		var applied, other int64
		if err := conn.QueryRow(ctx, positions, m.backlog.topic).Scan(&applied, &other); err != nil {
			return fmt.Errorf("look at the positions: %w", err)
		}
		now := time.Now()
		if applied != latest {
			latest, progressed = applied, now
		}
		switch {
		case other > 0:
			return m.service.failed(fmt.Errorf("%d records were not applied, of %d events", other, m.backlog.events))
		case m.service.process.Exited():
			return m.service.failed(errors.New("ended"))
		case now.Sub(progressed) > stall:
			return m.service.failed(fmt.Errorf("nothing committed for %s, %d events of %d are", stall, applied, m.backlog.events))
		case m.ingestion.from.at.IsZero() && applied > 0 && float64(applied) >= warmUp*float64(m.backlog.events):
			if err := m.snap(ctx, conn, &m.ingestion.from, now, applied); err != nil {
				return err
			}
			m.startProfile(ctx)
		}
		if applied >= m.backlog.events {
			if err := m.snap(ctx, conn, &m.ingestion.to, now, applied); err != nil {
				return err
			}
			break
		}
		tell("%s: %s of %s events committed", m.backlog.topic, count(applied), count(m.backlog.events))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	if m.ingestion.events() <= 0 {
		return fmt.Errorf("the backlog of %d events is too small: all of it was committed at once", m.backlog.events)
	}
	if m.profiled != nil {
		return <-m.profiled
	}
	return nil
}

// startProfile has the service profile itself for as long as the backlog
// probably lasts; the profile shows an idle service for the rest.
func (m *meter) startProfile(ctx context.Context) {
	if m.profileTo == "" {
		return
	}
	m.profiled = make(chan error, 1)
	go func() { m.profiled <- m.service.profile(ctx, m.ProfileTime, m.profileTo) }()
}

// snap notes what has been used up to now.
func (m *meter) snap(ctx context.Context, conn *pgx.Conn, s *snapshot, at time.Time, records int64) (err error) {
	s.at, s.records, s.cpu = at, records, map[string]float64{}
	for name, pid := range map[string]int{"tcda": m.service.process.PID(), "kafka": m.servers.kafka.PID(), "redis": m.redis.pid} {
		if s.cpu[name], err = processorSeconds(pid); err != nil {
			return err
		}
	}
	if s.postgres, err = m.postgresUsage(ctx); err != nil {
		return err
	}
	s.cpu["postgres"] = s.postgres.cpu
	row := conn.QueryRow(ctx, "SELECT blks_hit + blks_read, blks_read FROM pg_stat_database WHERE datname = current_database()")
	if err := row.Scan(&s.blocks, &s.blocksRead); err != nil {
		return fmt.Errorf("count blocks: %w", err)
	}
	s.service, err = m.service.scrape(ctx)
	return err
}

// profileFile is where the profile of a load goes; empty: none.
func (b *bench) profileFile(load string, round int) string {
	if b.Profile == "" || round > 0 {
		return ""
	}
	return filepath.Join(b.Profile, "tcda-"+load+".pprof")
}
