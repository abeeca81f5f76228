package render

import (
	"fmt"
	"math"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// chart is one metric of a service through the run.
type chart struct {
	Name     string
	W, H     px
	Top, Low px
	Line     string // path
	Area     string // path, closed below
	Dots     []dot
	Bands    []bar
	Baseline *px
	MaxText  string
	MinText  string
	From, To string
	Said     string // of the change, beside the name
	Desc     string
}

type dot struct {
	X, Y   px
	Class  string
	Label  string
	TextX  px
	TextY  px
	Anchor string
}

func drawChart(r *report.Report, service string, m *report.MetricImpact) *chart {
	if len(m.Points) < 2 {
		return nil
	}
	c := &chart{Name: m.Name, W: 360, H: 132, Top: 16, Low: 112}
	from, to := window(r)
	for _, p := range m.Points { // a snapshot taken just before or after belongs to the picture
		if d := to.Sub(from) / 4; p.At.Before(from) && from.Sub(p.At) <= d {
			from = p.At
		} else if p.At.After(to) && p.At.Sub(to) <= d {
			to = p.At
		}
	}
	axis := scale{from, to, 8, 352}
	low, high := math.Inf(1), math.Inf(-1)
	see := func(v float64) {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			low, high = min(low, v), max(high, v)
		}
	}
	for _, p := range m.Points {
		see(p.Value)
	}
	if m.Baseline != nil {
		see(*m.Baseline)
	}
	if math.IsInf(low, 0) {
		return nil
	}
	y := func(v float64) px {
		if high == low {
			return (c.Top + c.Low) / 2
		}
		// Halves, so that the span of the greatest numbers is finite.
		return c.Low - (c.Low-c.Top)*px((v/2-low/2)/(high/2-low/2))
	}
	var line strings.Builder
	var firstX, lastX px
	peak, drawn := -1, 0
	for i, p := range m.Points {
		if math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
			continue
		}
		x := axis.at(p.At)
		command := "L"
		if drawn == 0 {
			command, firstX = "M", x
		}
		fmt.Fprintf(&line, "%s%s %s", command, x, y(p.Value))
		lastX = x
		drawn++
		if m.Peak != nil && p.Value == *m.Peak && peak < 0 && low < high {
			peak = i
		}
	}
	c.Line = line.String()
	c.Area = fmt.Sprintf("%sL%s %sL%s %sZ", c.Line, lastX, c.Low, firstX, c.Low)
	if m.Baseline != nil {
		b := y(*m.Baseline)
		c.Baseline = &b
	}
	for i := range r.Faults {
		f := &r.Faults[i]
		if f.InjectedAt == nil || len(c.Bands) == swimFaults {
			continue
		}
		x := axis.at(*f.InjectedAt)
		c.Bands = append(c.Bands, bar{X: x, W: max(axis.at(firstOf(to, f.ClearedAt, f.RecoveredAt))-x, 2)})
	}
	if peak >= 0 {
		p := m.Points[peak]
		c.Dots = append(c.Dots, place(dot{X: axis.at(p.At), Y: y(p.Value), Class: "peak", Label: number(p.Value)}, c))
	}
	c.MinText, c.MaxText = number(low), number(high)
	c.From, c.To = from.UTC().Format("15:04:05"), to.UTC().Format("15:04:05")
	switch {
	case low == high:
		c.Said = "did not change"
	case m.PeakChange != nil:
		c.Said = "peak " + percent(m.PeakChange)
	}
	c.Desc = fmt.Sprintf("%s of %s: before the faults %s, at its peak %s (%s), at last %s (%s).", short(m.Name, 80), or(short(service, 80), "the whole system"),
		numberOr(m.Baseline), numberOr(m.Peak), percent(m.PeakChange), number(m.Last), percent(m.Residual))
	return c
}

// place puts the label of a dot where there is room.
func place(d dot, c *chart) dot {
	d.TextX, d.TextY, d.Anchor = d.X+7, d.Y+4, "start"
	if d.X > c.W*2/3 {
		d.TextX, d.Anchor = d.X-7, "end"
	}
	d.TextY = min(max(d.TextY, c.Top+4), c.Low-4)
	return d
}

// history is how this run stands among earlier ones, the oldest first.
type history struct {
	W, H     px
	Low      px
	Bars     []bar // durations
	Line     string
	Dots     []dot
	Desc     string
	HasScore bool
}

func drawHistory(r *report.Report) *history {
	const most = 20
	earlier := first(r.Previous, most)
	if len(earlier) == 0 {
		return nil
	}
	type run struct {
		label, status   string
		duration, score *float64
	}
	var all []run
	for i := len(earlier) - 1; i >= 0; i-- {
		p := &earlier[i]
		all = append(all, run{fmt.Sprintf("%s run %d", p.ExecutionID, p.Run), string(p.Status), p.Duration, p.Resilience})
	}
	all = append(all, run{"this run", string(r.Verdict.Status), r.Run.Duration, r.Metrics.Resilience})
	h := &history{W: 360, H: 132, Low: 112, Desc: fmt.Sprintf("Duration, as bars, and resilience score, as a line, of %s and of this run, the last.", plural(len(earlier), "earlier run"))}
	longest := 0.0
	for _, a := range all {
		if a.duration != nil {
			longest = max(longest, *a.duration)
		}
	}
	slot := (h.W - 16) / px(len(all))
	wide := min(slot*0.62, 34)
	for i, a := range all {
		middle := 8 + slot*(px(i)+0.5)
		class := "run " + tone(a.status)
		if i == len(all)-1 {
			class += " this"
		}
		b := bar{X: middle - wide/2, W: wide, H: 2, Class: class, LabelX: middle, Label: mark(a.status), Title: parts(", ", short(a.label, 90), a.status, seconds(a.duration), optional("score %s", scoreText(a.score)))}
		if a.duration != nil && longest > 0 {
			b.H = max(2, 80*px(max(*a.duration, 0)/longest))
		}
		b.Y = h.Low - b.H
		h.Bars = append(h.Bars, b)
		if a.score != nil {
			h.HasScore = true
			y := h.Low - 96*px(min(max(*a.score, 0), 100)/100)
			command := "L"
			if h.Line == "" {
				command = "M"
			}
			h.Line += fmt.Sprintf("%s%s %s", command, middle, y)
			h.Dots = append(h.Dots, dot{X: middle, Y: y, Class: "score"})
		}
	}
	return h
}

func scoreText(v *float64) string {
	if v == nil {
		return ""
	}
	return number(*v)
}

// ring is the part of a circle of 100 units around that a score fills.
func ring(score *float64) string {
	if score == nil {
		return "0 100"
	}
	v := px(min(max(*score, 0), 100))
	return fmt.Sprintf("%s %s", v, 100-v)
}
