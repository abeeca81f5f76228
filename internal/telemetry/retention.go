package telemetry

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// RetentionMetrics are those of the loop that prunes. Methods may be called from any
// goroutine.
type RetentionMetrics struct {
	runs       *prometheus.CounterVec
	rows       *prometheus.CounterVec
	freed      prometheus.Counter
	partitions prometheus.Counter
	locked     prometheus.Counter
	kept       *prometheus.GaugeVec
	pending    prometheus.Gauge
	lastPass   prometheus.Gauge
	failed     prometheus.Counter
}

// NewRetentionMetrics registers them. The kinds of data and the reasons for which
// runs are kept start at zero.
func NewRetentionMetrics(registry prometheus.Registerer, kinds, reasons []string) (*RetentionMetrics, error) {
	m := &RetentionMetrics{
		runs:       counterVec("tcda_retention_runs_total", "Runs that lost a kind of data, by kind and by the policy that it went by.", "kind", "policy"),
		rows:       counterVec("tcda_retention_rows_total", "Rows that went with them, by kind, as the runs count them.", "kind"),
		freed:      counter("tcda_retention_freed_bytes_total", "Bytes that went back to the operating system with partitions."),
		partitions: counter("tcda_retention_partitions_total", "Partitions that were dropped, or replaced by what is kept of them."),
		locked:     counter("tcda_retention_lock_timeouts_total", "Steps of a pass that others were in the way of: who uses a partition, or the roller; tried again."),
		kept:       gaugeVec("tcda_retention_kept_runs", "Runs that a policy would have lose something and that are kept all the same, by reason, at the last pass.", "reason"),
		pending:    gauge("tcda_retention_pending_rows", "Rows of pruned runs that still lie in their tables after the last pass, about."),
		lastPass:   gauge("tcda_retention_last_pass_timestamp_seconds", "When the last pass ended that went through; 0: none yet."),
		failed:     counter("tcda_retention_failed_passes_total", "Passes that did not go through."),
	}
	for _, kind := range kinds {
		m.rows.WithLabelValues(kind)
	}
	for _, reason := range reasons {
		m.kept.WithLabelValues(reason)
	}
	for _, c := range []prometheus.Collector{m.runs, m.rows, m.freed, m.partitions, m.locked, m.kept, m.pending, m.lastPass, m.failed} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// Pruned counts runs that lost a kind of data by a policy, and the rows of these.
func (m *RetentionMetrics) Pruned(kind, policy string, runs, rows int64) {
	m.runs.WithLabelValues(kind, policy).Add(float64(runs))
	m.rows.WithLabelValues(kind).Add(float64(rows))
}

// Freed counts a partition that was replaced, and the bytes that are free again.
func (m *RetentionMetrics) Freed(bytes int64) {
	m.partitions.Inc()
	m.freed.Add(float64(max(bytes, 0)))
}

// Locked counts a try that others were in the way of.
func (m *RetentionMetrics) Locked() { m.locked.Inc() }

// Kept shows how many runs are kept for a reason.
func (m *RetentionMetrics) Kept(reason string, runs int64) {
	m.kept.WithLabelValues(reason).Set(float64(runs))
}

// PassEnded shows when a pass went through, and what it has left.
func (m *RetentionMetrics) PassEnded(at time.Time, pendingRows int64) {
	m.lastPass.Set(float64(at.Unix()))
	m.pending.Set(float64(pendingRows))
}

// PassFailed counts a pass that did not go through.
func (m *RetentionMetrics) PassFailed() { m.failed.Inc() }
