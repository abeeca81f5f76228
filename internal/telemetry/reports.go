package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// reportMetrics are those of the reports of runs.
type reportMetrics struct {
	reportsBuilt   prometheus.Counter
	reportsFrozen  prometheus.Counter
	reportsFailed  prometheus.Counter
	reportSeconds  prometheus.Histogram
	reportsWaiting prometheus.Gauge
	reportsFailing prometheus.Gauge
	reportsAge     prometheus.Gauge
}

func newReportMetrics() reportMetrics {
	return reportMetrics{
		reportsBuilt:   counter("tcda_reports_built_total", "Reports built because a run had settled."),
		reportsFrozen:  counter("tcda_report_revisions_total", "Revisions of reports frozen for that; the others said what the newest one did."),
		reportsFailed:  counter("tcda_reports_failed_total", "Reports that could not be built; they are tried again."),
		reportSeconds:  histogram("tcda_report_seconds", "Time that it took to build and freeze a report.", prometheus.ExponentialBuckets(0.002, 2.5, 12)), // 2 ms .. 48 s
		reportsWaiting: gauge("tcda_reports_waiting", "Runs that have settled and wait for their report, up to 10,000."),
		reportsFailing: gauge("tcda_reports_failing", "Those of them whose last try failed."),
		reportsAge:     gauge("tcda_reports_waiting_seconds", "How long the first of them has waited; 0 when none does."),
	}
}

func (m *reportMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.reportsBuilt, m.reportsFrozen, m.reportsFailed, m.reportSeconds, m.reportsWaiting, m.reportsFailing, m.reportsAge}
}

// ReportBuilt counts a report that was built, how long that took, and whether a
// revision was frozen.
func (m *reportMetrics) ReportBuilt(took time.Duration, frozen bool) {
	m.reportsBuilt.Inc()
	m.reportSeconds.Observe(took.Seconds())
	if frozen {
		m.reportsFrozen.Inc()
	}
}

// ReportFailed counts a report that could not be built.
func (m *reportMetrics) ReportFailed() { m.reportsFailed.Inc() }

// ReportQueue shows how many runs wait for their reports, of how many the last try
// failed, and how long the first one has waited.
func (m *reportMetrics) ReportQueue(waiting, failing int64, age time.Duration) {
	m.reportsWaiting.Set(float64(waiting))
	m.reportsFailing.Set(float64(failing))
	m.reportsAge.Set(age.Seconds())
}
