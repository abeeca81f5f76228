package telemetry

import (
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Step is a step of the engine or of the outbox (S8), named as in the comment of
// package ingest.
type Step string

// The steps, in their order.
const (
	StepClaim     Step = "S0"
	StepFetch     Step = "S1"
	StepDecode    Step = "S2"
	StepHint      Step = "S3"
	StepCommit    Step = "S4"
	StepState     Step = "S5"
	StepMark      Step = "S6"
	StepOffset    Step = "S7"
	StepPublish   Step = "S8"
	StepReconcile Step = "S9"
)

func steps() []Step {
	return []Step{StepClaim, StepFetch, StepDecode, StepHint, StepCommit, StepState, StepMark, StepOffset, StepPublish, StepReconcile}
}

// FoundBy says who recognised a duplicate.
type FoundBy string

// Who recognises duplicates.
const (
	FoundByBatch FoundBy = "batch" // the same event earlier in the batch
	FoundByHint  FoundBy = "hint"  // an idempotency key in Redis, confirmed by the store
	FoundByStore FoundBy = "store" // the stored event

	FoundByRetention FoundBy = "pruned" // the tombstone of its run, whose events retention has removed
)

// Metrics are the service's Prometheus metrics. Methods may be called from any
// goroutine.
type Metrics struct {
	applied              *prometheus.CounterVec
	duplicates           *prometheus.CounterVec
	quarantined          *prometheus.CounterVec
	batchRecords         prometheus.Histogram
	stepSeconds          *prometheus.HistogramVec
	lag                  *prometheus.GaugeVec
	stopped              *prometheus.GaugeVec
	fenced               prometheus.Counter
	gaps                 prometheus.Counter
	keyMismatches        prometheus.Counter
	timelineChanges      prometheus.Counter
	redisUp              prometheus.Gauge
	defaultPartitionRows prometheus.Gauge
	orphanedFaults       prometheus.Gauge
	quarantineRecords    prometheus.Gauge
	quarantineBytes      prometheus.Gauge
	quarantinedInPart    prometheus.Counter
	published            *prometheus.CounterVec
	parked               *prometheus.CounterVec
	outboxAge            *prometheus.GaugeVec
	outboxParked         *prometheus.GaugeVec

	reportMetrics
	rollupsDirty  prometheus.Gauge
	rollupsBehind prometheus.Gauge
	rollupsMade   prometheus.Counter
}

// NewMetrics registers the service's metrics, those of the Go runtime and the
// process, and which build this is. Every closed label starts at zero, so that
// an alert sees the first increase.
func NewMetrics(registry prometheus.Registerer, build Build) (*Metrics, error) {
	perPartition := []string{"topic", "partition"}
	m := &Metrics{
		applied:      counterVec("tcda_records_applied_total", "Records whose event was applied.", "topic"),
		duplicates:   counterVec("tcda_records_duplicate_total", "Records recognised as duplicates, by who found them.", "found_by"),
		quarantined:  counterVec("tcda_records_quarantined_total", "Records quarantined, by reason.", "reason"),
		batchRecords: histogram("tcda_batch_records", "Records in a committed batch.", prometheus.ExponentialBucketsRange(1, 10000, 13)),
		stepSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tcda_step_seconds",
			Help:    "Time that a step of the engine took, for one batch.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 15), // 100 us .. 37 s
		}, []string{"step"}),
		lag:                  gaugeVec("tcda_partition_lag", "Records of a partition that are not yet committed to PostgreSQL.", perPartition...),
		stopped:              gaugeVec("tcda_partition_stopped", "1 while a partition is stopped and waits for an operator.", perPartition...),
		fenced:               counter("tcda_fenced_total", "Batches rolled back because another process holds the partition."),
		gaps:                 counter("tcda_ingest_gaps_total", "Holes found between the wanted offset and the log."),
		keyMismatches:        counter("tcda_key_mismatch_total", "Records applied although their key is not their subject."),
		timelineChanges:      counter("tcda_timeline_changes_total", "Changes of the PostgreSQL timeline: failovers seen."),
		redisUp:              gauge("tcda_redis_up", "1 while Redis is in use, 0 while it is unreachable or switched off."),
		orphanedFaults:       gauge("tcda_orphaned_faults", "Faults that act on their targets though their runs have ended."),
		defaultPartitionRows: gauge("tcda_default_partition_rows", "Rows in default partitions, which should be empty."),
		quarantineRecords:    gauge("tcda_quarantine_open_records", "Quarantined records that are neither requeued nor discarded."),
		quarantineBytes:      gauge("tcda_quarantine_open_bytes", "What those take of the disk; compare with quarantine-soft-limit and quarantine-hard-limit."),
		quarantinedInPart:    counter("tcda_records_quarantined_in_part_total", "Quarantined records of which only the beginnings are kept, because the quarantine was over its soft limit."),
		published:            counterVec("tcda_outbox_published_total", "Events of the outbox that were published.", "topic"),
		parked:               counterVec("tcda_outbox_parked_total", "Events of the outbox that were parked because the broker refuses them.", "topic"),
		outboxAge:            gaugeVec("tcda_outbox_backlog_seconds", "Age of the oldest event of the outbox that is to be published; 0 when none is.", "topic"),
		outboxParked:         gaugeVec("tcda_outbox_parked", "Events of the outbox that are parked and wait for an operator.", "topic"),
		reportMetrics:        newReportMetrics(),
		rollupsDirty:         gauge("tcda_rollups_dirty", "Notes of rollups that are to be made anew, counted up to 100,000."),
		rollupsBehind:        gauge("tcda_rollups_behind_seconds", "Age of the oldest note: so far are the analysts' figures behind; 0 when there is none."),
		rollupsMade:          counter("tcda_rollups_made_total", "Keys (scenario and day) whose rollups were made anew."),
	}
	for _, by := range []FoundBy{FoundByBatch, FoundByHint, FoundByStore, FoundByRetention} {
		m.duplicates.WithLabelValues(string(by))
	}
	for _, reason := range fact.Reasons() {
		m.quarantined.WithLabelValues(string(reason))
	}
	for _, step := range steps() {
		m.stepSeconds.WithLabelValues(string(step))
	}

	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "tcda_build_info",
		Help:        "Which build this is; always 1.",
		ConstLabels: prometheus.Labels{"version": build.Version, "revision": build.Revision, "go": build.Go},
	})
	info.Set(1)

	for _, c := range append(m.collectors(), []prometheus.Collector{
		m.applied, m.duplicates, m.quarantined, m.batchRecords, m.stepSeconds, m.lag, m.stopped, m.fenced, m.gaps,
		m.keyMismatches, m.timelineChanges, m.redisUp, m.defaultPartitionRows, m.orphanedFaults, m.quarantineRecords, m.quarantineBytes, m.quarantinedInPart,
		m.published, m.parked, m.outboxAge, m.outboxParked, m.rollupsDirty, m.rollupsBehind, m.rollupsMade, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}...) {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// Applied counts n records of a configured topic whose events were applied.
func (m *Metrics) Applied(topic string, n int) {
	m.applied.WithLabelValues(topic).Add(float64(n))
}

// Duplicates counts n records recognised as duplicates.
func (m *Metrics) Duplicates(by FoundBy, n int) {
	m.duplicates.WithLabelValues(string(by)).Add(float64(n))
}

// Quarantined counts n records quarantined for a reason.
func (m *Metrics) Quarantined(reason fact.Reason, n int) {
	m.quarantined.WithLabelValues(string(reason)).Add(float64(n))
}

// QuarantineUsage shows what the open quarantined records are and take.
func (m *Metrics) QuarantineUsage(records, bytes int64) {
	m.quarantineRecords.Set(float64(records))
	m.quarantineBytes.Set(float64(bytes))
}

// QuarantinedInPart counts n records that were not kept whole for want of room.
func (m *Metrics) QuarantinedInPart(n int) { m.quarantinedInPart.Add(float64(n)) }

// Batch records the size of a committed batch.
func (m *Metrics) Batch(records int) { m.batchRecords.Observe(float64(records)) }

// Step records how long a step took for one batch.
func (m *Metrics) Step(step Step, took time.Duration) {
	m.stepSeconds.WithLabelValues(string(step)).Observe(took.Seconds())
}

// Lag shows how many records of a partition are not yet committed.
func (m *Metrics) Lag(topic string, partition int, records int64) {
	m.lag.WithLabelValues(topic, strconv.Itoa(partition)).Set(float64(records))
}

// Stopped shows whether a partition waits for an operator.
func (m *Metrics) Stopped(topic string, partition int, stopped bool) {
	m.stopped.WithLabelValues(topic, strconv.Itoa(partition)).Set(zeroOrOne(stopped))
}

// Forget removes what is shown of a partition that another process now has;
// both would show it otherwise.
func (m *Metrics) Forget(topic string, partition int) {
	m.lag.DeleteLabelValues(topic, strconv.Itoa(partition))
	m.stopped.DeleteLabelValues(topic, strconv.Itoa(partition))
}

// Fenced counts a batch rolled back because another process holds the
// partition.
func (m *Metrics) Fenced() { m.fenced.Inc() }

// Gap counts a hole between the wanted offset and the log.
func (m *Metrics) Gap() { m.gaps.Inc() }

// KeyMismatches counts n records applied although their key is not their
// subject.
func (m *Metrics) KeyMismatches(n int) { m.keyMismatches.Add(float64(n)) }

// TimelineChanged counts a change of the PostgreSQL timeline.
func (m *Metrics) TimelineChanged() { m.timelineChanges.Inc() }

// RedisUp shows whether Redis is in use.
func (m *Metrics) RedisUp(up bool) { m.redisUp.Set(zeroOrOne(up)) }

// OrphanedFaults shows how many faults act on their targets though their runs
// have ended.
func (m *Metrics) OrphanedFaults(n int) { m.orphanedFaults.Set(float64(n)) }

// DefaultPartitionRows shows how many rows lie in default partitions.
func (m *Metrics) DefaultPartitionRows(rows int64) { m.defaultPartitionRows.Set(float64(rows)) }

// Published counts n events of the outbox that were published to a topic.
func (m *Metrics) Published(topic string, n int) { m.published.WithLabelValues(topic).Add(float64(n)) }

// Parked counts n events of the outbox that the broker has refused.
func (m *Metrics) Parked(topic string, n int) { m.parked.WithLabelValues(topic).Add(float64(n)) }

// OutboxState shows what waits in the outbox for a topic: for how long the oldest
// event has waited, and how many are parked.
func (m *Metrics) OutboxState(topic string, age time.Duration, parked int64) {
	m.outboxAge.WithLabelValues(topic).Set(age.Seconds())
	m.outboxParked.WithLabelValues(topic).Set(float64(parked))
}

// RollupState shows how many notes of rollups wait, and for how long the oldest has.
func (m *Metrics) RollupState(waiting int64, age time.Duration) {
	m.rollupsDirty.Set(float64(waiting))
	m.rollupsBehind.Set(age.Seconds())
}

// RolledUp counts n keys whose rollups were made anew.
func (m *Metrics) RolledUp(n int) { m.rollupsMade.Add(float64(n)) }

func zeroOrOne(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

func counterVec(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

func gaugeVec(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
}
