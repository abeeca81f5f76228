package render

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"sync"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// Most rows of a table in a page, and most charts.
const (
	htmlRows   = 500
	htmlCharts = 36
	htmlText   = 1500 // characters of one text
)

//go:embed page
var pageFiles embed.FS

// pages are the templates. Nothing that comes from a report is marked as safe:
// html/template escapes every text for the place where it stands.
var pages = sync.OnceValue(func() *template.Template {
	style, err := pageFiles.ReadFile("page/style.css")
	if err != nil {
		panic(err) // it is embedded
	}
	t := template.New("").Funcs(template.FuncMap{
		"seconds": seconds, "change": change, "number": number, "numberOr": numberOr, "percent": percent, "thousands": thousands,
		"stamp": stamp, "stampOr": stampOr, "exact": exact,
		"tone":  func(v any) string { return tone(fmt.Sprint(v)) },
		"mark":  func(v any) string { return mark(fmt.Sprint(v)) },
		"word":  func(v any) string { return word(fmt.Sprint(v)) },
		"cut":   func(v any) string { return cut(fmt.Sprint(v), htmlText) },
		"raw":   func(v []byte) string { return cut(string(v), htmlText) },
		"short": func(v any, most int) string { return short(fmt.Sprint(v), most) },
		"or_": func(vs ...any) string {
			for _, v := range vs {
				if s := fmt.Sprint(v); s != "" {
					return s
				}
			}
			return ""
		},
		"add": func(ns ...int) (sum int) {
			for _, n := range ns {
				sum += n
			}
			return sum
		},
		"scoreTone": scoreTone, "tallyTone": tallyTone,
		"side":    func(letter string, b report.Brief) side { return side{letter, b} },
		"capital": capital,
		"tally":   tally,
		"asked":   asked,
		"flags":   flags,
		"list":    func(texts []string) string { return cut(strings.Join(first(texts, 50), ", "), htmlText) },
		"ring":    ring,
		"signed":  signed,
		"share":   share,
		"figure":  figure, "figureChange": figureChange, "figureName": figureName,
		"status": func(v any) chip { return chip{fmt.Sprint(v)} },
		"run":    func(n execution.RunNumber) string { return fmt.Sprint(n) },
		"shape":  func(kind string) string { return shapes[kind] },
	})
	t = template.Must(t.Parse(`{{define "style"}}` + string(style) + `{{end}}`))
	return template.Must(t.ParseFS(pageFiles, "page/*.tmpl"))
})

// chip is a status with its mark.
type chip struct{ Status string }

// Tone of the status.
func (c chip) Tone() string { return tone(c.Status) }

// Mark of the status.
func (c chip) Mark() string { return mark(c.Status) }

// Word is the status as people write it.
func (c chip) Word() string { return or(word(c.Status), none) }

// side is one of two runs that are compared.
type side struct {
	Letter string
	Run    report.Brief
}

// scoreTone is what a resilience score means.
func scoreTone(v *float64) string {
	switch {
	case v == nil:
		return "idle"
	case *v >= 80:
		return "good"
	case *v >= 50:
		return "warn"
	}
	return "bad"
}

func tallyTone(t report.Tally) string {
	switch {
	case t.Failed > 0 || t.Error > 0:
		return "bad"
	case t.Passed > 0:
		return "good"
	}
	return "idle"
}

// share is a part of a whole as a width in a picture of 100.
func share(part, whole int) px {
	if whole <= 0 {
		return 0
	}
	return px(100 * float64(part) / float64(whole))
}

// reportPage is what the page of a report shows.
type reportPage struct {
	*report.Report
	Title          string
	Gone           string
	Swim           *swim
	ValidationRows shown[*report.Validation]
	FaultRows      shown[report.Fault]
	StepRows       shown[report.Step]
	PhaseRows      shown[report.Phase]
	Findings       shown[report.Finding]
	Advice         shown[report.Recommendation]
	Decisions      shown[report.Decision]
	Times          []report.Decision // what decided start and end
	Services       []servicePage
	Charts         shown[struct{}] // only counts
	Differences    shown[report.SnapshotDifference]
	Notable        shown[report.LogLine]
	Entries        shown[report.Entry]
	Notes          shown[report.Annotation]
	AlertRows      shown[report.Signal]
	Breakers       shown[report.Signal]
	Levels         []level
	History        *history
	SteadyWord     string
	SteadyTone     string
}

// shown is the part of a list that a page has room for.
type shown[T any] struct {
	Rows  []T
	Total int
}

func show[T any](all []T, most, more int) shown[T] {
	return shown[T]{first(all, most), len(all) + more}
}

// Omitted says how many are not shown, or nothing.
func (s shown[T]) Omitted() string {
	if s.Total <= len(s.Rows) {
		return ""
	}
	return fmt.Sprintf("%s of %s are shown here; the JSON has them all.", thousands(int64(len(s.Rows))), thousands(int64(s.Total)))
}

// servicePage is the impact on one service.
type servicePage struct {
	report.ServiceImpact
	Charts []*chart
	Plain  []report.MetricImpact // too few points for a chart
}

type level struct {
	Name  string
	Lines int64
}

func writeHTML(w io.Writer, r *report.Report) error {
	p := &reportPage{
		Report: r, Title: name(r), Gone: goneText(r), Swim: drawSwim(r), History: drawHistory(r),
		ValidationRows: show(failedFirst(r.Validations), htmlRows, 0),
		FaultRows:      show(r.Faults, htmlRows, 0),
		StepRows:       show(r.Steps, htmlRows, 0),
		PhaseRows:      show(r.Phases, htmlRows, 0),
		Findings:       show(r.Unexpected, htmlRows, 0),
		Advice:         show(byPriority(r.Recommendations), htmlRows, 0),
		Decisions:      show(r.Verdict.Decisions, 20, 0),
		Differences:    show(r.Snapshots, 60, 0),
		Notable:        show(r.Logs.Notable, 100, int(r.Logs.Omitted)),
		Entries:        show(r.Timeline.Entries, 2000, r.Timeline.Omitted),
		Notes:          show(r.Annotations, 100, 0),
		AlertRows:      show(r.Alerts, 100, 0),
		Breakers:       show(r.CircuitBreakers, 100, 0),
		Levels:         levels(r.Logs.Levels),
		SteadyWord:     steadyWord(r.SteadyState), SteadyTone: steadyTone(r.SteadyState),
	}
	var verdict []report.Decision
	for _, d := range r.Verdict.Decisions {
		if d.Topic == execution.TopicStarted || d.Topic == execution.TopicEnded {
			p.Times = append(p.Times, d)
		} else {
			verdict = append(verdict, d)
		}
	}
	p.Decisions, p.Times = show(verdict, 20, 0), first(p.Times, 20)
	drawn := 0
	for _, s := range r.Impact {
		sp := servicePage{ServiceImpact: s}
		sp.Health = first(s.Health, 50)
		for i := range s.Metrics {
			p.Charts.Total++
			if drawn < htmlCharts {
				if c := drawChart(r, s.Service, &s.Metrics[i]); c != nil {
					sp.Charts = append(sp.Charts, c)
					drawn++
					continue
				}
			}
			if len(sp.Plain) < htmlRows {
				sp.Plain = append(sp.Plain, s.Metrics[i])
			}
		}
		p.Services = append(p.Services, sp)
	}
	return pages().ExecuteTemplate(w, "report.tmpl", p)
}

func steadyTone(s report.SteadyState) string {
	switch {
	case s.After.Total() == 0:
		return "idle"
	case s.Held, s.Returned:
		return "good"
	}
	return "bad"
}

// levels are the counts of log lines, the severest level first.
func levels(counts map[string]int64) []level {
	var all []level
	seen := map[string]bool{}
	take := func(name string) {
		if n, has := counts[name]; has && !seen[name] {
			seen[name] = true
			all = append(all, level{or(name, "no level"), n})
		}
	}
	for _, name := range []string{"critical", "fatal", "error", "warning", "warn", "info", "debug", "trace"} {
		take(name)
	}
	rest := make([]string, 0, len(counts))
	for name := range counts {
		rest = append(rest, name)
	}
	for _, name := range sorted(rest) {
		take(name)
	}
	return first(all, 20)
}

// comparisonPage is what the page of a comparison shows.
type comparisonPage struct {
	*report.Comparison
	FigureRows     shown[report.FigureChange]
	ParameterRows  shown[report.ParameterChange]
	ValidationRows shown[report.ValidationChange]
	FaultRows      shown[report.FaultChange]
	PhaseRows      shown[report.PhaseChange]
	MetricRows     shown[report.MetricChange]
}

func compareHTML(w io.Writer, c *report.Comparison) error {
	return pages().ExecuteTemplate(w, "comparison.tmpl", &comparisonPage{
		Comparison:     c,
		FigureRows:     show(telling(c.Figures), htmlRows, 0),
		ParameterRows:  show(c.Parameters, htmlRows, 0),
		ValidationRows: show(c.Validations, htmlRows, 0),
		FaultRows:      show(c.Faults, htmlRows, 0),
		PhaseRows:      show(c.Phases, htmlRows, 0),
		MetricRows:     show(c.Metrics, htmlRows, 0),
	})
}
