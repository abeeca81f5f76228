package render

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/csvtext"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// csvWriter writes RFC 4180. encoding/csv is not used because it cannot end rows
// with CRLF and leave the line ends within texts as they are.
type csvWriter struct {
	w      *bufio.Writer
	prefix []string // of all rows: which report this is of
	row    []string
}

func newCSV(w io.Writer, columns []string, prefix ...string) *csvWriter {
	c := &csvWriter{w: bufio.NewWriter(w)}
	c.row = columns
	c.end()
	c.prefix = prefix
	return c
}

// end ends a row.
func (c *csvWriter) end() {
	for i, field := range c.row {
		if i > 0 {
			c.w.WriteByte(',') //nolint:errcheck // Flush tells
		}
		if strings.ContainsAny(field, ",\"\r\n") || strings.TrimSpace(field) != field {
			field = `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
		}
		c.w.WriteString(field) //nolint:errcheck // Flush tells
	}
	c.w.WriteString("\r\n") //nolint:errcheck // Flush tells
	c.row = append(c.row[:0:0], c.prefix...)
}

func (c *csvWriter) begin() { c.row = append(c.row[:0:0], c.prefix...) }

// text adds texts that a producer wrote.
func (c *csvWriter) text(texts ...string) {
	for _, s := range texts {
		c.row = append(c.row, csvtext.Disarmed(s))
	}
}

func (c *csvWriter) number(numbers ...*float64) {
	for _, v := range numbers {
		if v == nil {
			c.row = append(c.row, "")
		} else {
			c.row = append(c.row, strconv.FormatFloat(*v, 'f', -1, 64))
		}
	}
}

func (c *csvWriter) count(n int) { c.row = append(c.row, strconv.Itoa(n)) }

func (c *csvWriter) time(times ...*time.Time) {
	for _, t := range times {
		c.row = append(c.row, exactOr(t))
	}
}

func (c *csvWriter) bool(b bool) { c.row = append(c.row, strconv.FormatBool(b)) }

func identityColumns(more ...string) []string {
	return append([]string{"report_sha256", "report_schema", "report_builder", "provisional", "execution_id", "run"}, more...)
}

func identity(r *report.Report) []string {
	return []string{
		csvtext.Disarmed(r.SHA256), csvtext.Disarmed(r.Schema), csvtext.Disarmed(r.Builder), strconv.FormatBool(r.Provisional),
		csvtext.Disarmed(string(r.Run.ExecutionID)), strconv.FormatInt(int64(r.Run.Number), 10),
	}
}

func writeValidationsCSV(w io.Writer, r *report.Report) error {
	c := newCSV(w, identityColumns("scenario_id", "environment", "validation_id", "assertion_type", "status", "recorded_at",
		"phase", "step_id", "fault_id", "service", "expected", "actual", "operator", "threshold", "unit", "within_seconds",
		"observed_after_seconds", "steady_state", "correlation_id", "message"), identity(r)...)
	for i := range r.Validations {
		v := &r.Validations[i]
		c.begin()
		c.text(r.Run.ScenarioID, r.Run.Environment, v.ID, v.AssertionType, string(v.Status))
		c.time(&v.At)
		c.text(v.Phase, v.StepID, v.FaultID, v.Service, v.Expected, v.Actual, v.Operator)
		c.number(v.Threshold)
		c.text(v.Unit)
		c.number(v.Within, v.ObservedAfter)
		c.text(v.SteadyState, v.CorrelationID, v.Message)
		c.end()
	}
	return c.w.Flush()
}

func writeFaultsCSV(w io.Writer, r *report.Report) error {
	c := newCSV(w, identityColumns("scenario_id", "environment", "fault_id", "fault_type", "target_service", "status", "phase",
		"step_id", "blast_radius", "requested_at", "injected_at", "cleared_at", "recovered_at", "active_seconds",
		"recovery_seconds", "detection_seconds", "detected_by", "parameters", "error", "clear_error"), identity(r)...)
	for i := range r.Faults {
		f := &r.Faults[i]
		c.begin()
		c.text(r.Run.ScenarioID, r.Run.Environment, f.ID, f.Type, f.Target, string(f.Status), f.Phase, f.StepID, f.BlastRadius)
		c.time(f.RequestedAt, f.InjectedAt, f.ClearedAt, f.RecoveredAt)
		c.number(f.Active, f.Recovery, f.Detection)
		c.text(f.DetectedBy, string(f.Parameters), f.Error, f.ClearError)
		c.end()
	}
	return c.w.Flush()
}

func writeStepsCSV(w io.Writer, r *report.Report) error {
	c := newCSV(w, identityColumns("scenario_id", "environment", "step_id", "attempt", "kind", "status", "phase", "service",
		"action", "started_at", "finished_at", "duration_seconds", "parameters", "error"), identity(r)...)
	for i := range r.Steps {
		s := &r.Steps[i]
		c.begin()
		c.text(r.Run.ScenarioID, r.Run.Environment, s.ID)
		c.count(int(s.Attempt))
		c.text(string(s.Kind), string(s.Status), s.Phase, s.Service, s.Action)
		c.time(s.StartedAt, s.FinishedAt)
		c.number(s.Duration)
		c.text(string(s.Parameters), s.Error)
		c.end()
	}
	return c.w.Flush()
}

func writeTimelineCSV(w io.Writer, r *report.Report) error {
	c := newCSV(w, identityColumns("scenario_id", "environment", "at", "type", "ref", "status", "late", "conflicting",
		"time_suspect", "text"), identity(r)...)
	for i := range r.Timeline.Entries {
		e := &r.Timeline.Entries[i]
		c.begin()
		c.text(r.Run.ScenarioID, r.Run.Environment)
		c.time(&e.At)
		c.text(e.Type, e.Ref, e.Status)
		c.bool(e.Late)
		c.bool(e.Conflict)
		c.bool(e.Suspect)
		c.text(e.Text)
		c.end()
	}
	return c.w.Flush()
}

// compareCSV writes what was compared in one table: figures, then parameters,
// validations, faults, phases and metrics.
func compareCSV(w io.Writer, x *report.Comparison) error {
	c := newCSV(w, []string{
		"comparison_sha256", "comparison_schema", "report_sha256_a", "report_sha256_b", "execution_id_a", "run_a", "execution_id_b", "run_b",
		"kind", "name", "detail", "a", "b", "change", "relative",
	},
		csvtext.Disarmed(x.SHA256), csvtext.Disarmed(x.Schema), csvtext.Disarmed(x.A.SHA256), csvtext.Disarmed(x.B.SHA256),
		csvtext.Disarmed(string(x.A.ExecutionID)), strconv.FormatInt(int64(x.A.Run), 10),
		csvtext.Disarmed(string(x.B.ExecutionID)), strconv.FormatInt(int64(x.B.Run), 10))
	figures := func(kind, name, detail string, a, b *float64) {
		if a == nil && b == nil {
			return
		}
		c.begin()
		c.text(kind, name, detail)
		c.number(a, b)
		c.number(difference(a, b))
		c.row = append(c.row, "")
		c.end()
	}
	words := func(kind, name, detail, a, b string) {
		c.begin()
		c.text(kind, name, detail, a, b)
		c.row = append(c.row, "", "")
		c.end()
	}
	for _, f := range x.Figures {
		c.begin()
		c.text("figure", f.Name, f.Unit)
		c.number(f.A, f.B, f.Change, f.Relative)
		c.end()
	}
	for _, p := range x.Parameters {
		words("parameter", p.Name, "", p.A, p.B)
	}
	for _, v := range x.Validations {
		words("validation", v.ID, v.AssertionType, string(v.A), string(v.B))
		if v.ActualA != "" || v.ActualB != "" {
			words("validation actual", v.ID, v.AssertionType, v.ActualA, v.ActualB)
		}
	}
	for _, f := range x.Faults {
		words("fault", f.ID, f.Type, string(f.A), string(f.B))
		figures("fault recovery", f.ID, "seconds", f.RecoveryA, f.RecoveryB)
		figures("fault detection", f.ID, "seconds", f.DetectionA, f.DetectionB)
	}
	for _, p := range x.Phases {
		words("phase", p.Name, "", string(p.A), string(p.B))
		figures("phase duration", p.Name, "seconds", p.DurationA, p.DurationB)
	}
	for _, m := range x.Metrics {
		figures("metric peak", m.Name, m.Service, m.PeakA, m.PeakB)
		figures("metric last", m.Name, m.Service, m.LastA, m.LastB)
	}
	return c.w.Flush()
}

func difference(a, b *float64) *float64 {
	if a == nil || b == nil {
		return nil
	}
	d := *b - *a
	return &d
}
