package render

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// Most things in the picture of the timeline; the tables below it have the rest.
const (
	swimPhaseRows   = 6
	swimFaults      = 20
	swimValidations = 400
	swimEvents      = 200
)

// swim is the picture of a run: lanes of phases, faults, validations and events
// over one axis of time.
type swim struct {
	W, H        px
	Left, Right px
	Bottom      px // of the lanes
	Ticks       []tick
	Lanes       []lane
	Bands       []bar // faults, over all lanes
	Bars        []bar
	Signs       []sign
	Desc        string
	Omitted     string
}

type lane struct {
	Y, H, TextY px
	Label       string
}

const (
	rowHeight  = 28
	barHeight  = 20
	signHeight = 17
)

func drawSwim(r *report.Report) *swim {
	from, to := window(r)
	s := &swim{W: 1100, Left: 124, Right: 1064}
	axis := scale{from, to, s.Left, s.Right}
	y := px(14)
	add := func(label string, h px) px {
		top := y
		s.Lanes = append(s.Lanes, lane{Y: top, H: h, TextY: top + h/2 + 4, Label: label})
		y += h
		return top
	}
	s.phases(r, axis, add)
	s.faults(r, axis, add)
	s.validations(r, axis, add)
	s.events(r, axis, add)
	if len(s.Lanes) == 0 {
		return nil
	}
	s.Bottom = y
	for i := range s.Bands {
		s.Bands[i].Y, s.Bands[i].H = 14, y-14
	}
	s.Ticks = axis.ticks()
	s.H = y + 30
	s.Desc = fmt.Sprintf("%s, %s, %s and %s over %s from %s. The tables below say the same.",
		plural(len(r.Phases), "phase"), plural(len(r.Faults), "fault"), plural(len(r.Validations), "validation"),
		plural(len(r.Alerts)+len(r.CircuitBreakers), "alert or circuit breaker"), durationText(to.Sub(from)), stamp(from))
	return s
}

func durationText(d time.Duration) string {
	v := d.Seconds()
	return seconds(&v)
}

type adder func(label string, h px) px

func (s *swim) phases(r *report.Report, axis scale, add adder) {
	type placed struct {
		b   bar
		row int
	}
	var all []placed
	var free []px // where each row is free again
	for i := range r.Phases {
		p := &r.Phases[i]
		if p.StartedAt == nil && p.FinishedAt == nil {
			continue
		}
		start, end := firstOf(axis.from, p.StartedAt), firstOf(axis.to, p.FinishedAt)
		x := axis.at(start)
		w := max(axis.at(end)-x-1, 3)
		row := slices.IndexFunc(free, func(f px) bool { return f <= x })
		if row < 0 {
			if len(free) == swimPhaseRows {
				s.Omitted = "Some phases that overlap are not drawn."
				continue
			}
			row, free = len(free), append(free, 0)
		}
		free[row] = x + w
		b := bar{X: x, W: w, H: barHeight, Class: "phase " + tone(string(p.Status)), Title: parts(", ",
			"phase "+short(p.Name, 80), mark(string(p.Status))+" "+string(p.Status), seconds(p.Duration))}
		b.label(mark(string(p.Status))+" "+p.Name, b.X, b.X+b.W) // beside it stands the next one
		all = append(all, placed{b, row})
	}
	if len(all) == 0 {
		return
	}
	top := add("Phases", px(rowHeight*len(free)))
	for _, p := range all {
		p.b.Y = top + px(rowHeight*p.row) + (rowHeight-barHeight)/2
		s.Bars = append(s.Bars, p.b)
	}
}

func (s *swim) faults(r *report.Report, axis scale, add adder) {
	var shown []*report.Fault
	for i := range r.Faults {
		if r.Faults[i].InjectedAt != nil || r.Faults[i].RequestedAt != nil {
			shown = append(shown, &r.Faults[i])
		}
	}
	if len(shown) == 0 {
		return
	}
	if len(shown) > swimFaults {
		s.Omitted = fmt.Sprintf("%d of %d faults are drawn.", swimFaults, len(shown))
		shown = shown[:swimFaults]
	}
	top := add("Faults", px(rowHeight*len(shown)))
	for i, f := range shown {
		y := top + px(rowHeight*i) + (rowHeight-barHeight)/2
		start := firstOf(axis.from, f.InjectedAt, f.RequestedAt)
		cleared := firstOf(axis.to, f.ClearedAt, f.RecoveredAt)
		name := parts(" ", f.Type, optional("on %s", f.Target))
		title := parts(", ", "fault "+short(f.ID, 80), short(name, 80), mark(string(f.Status))+" "+word(string(f.Status)))
		if f.InjectedAt == nil { // asked for, and not more
			b := bar{X: axis.at(start), Y: y, W: 4, H: barHeight, Class: "fault never", Title: title + ", was not injected"}
			b.label(mark(string(f.Status))+" "+or(name, f.ID), s.Left, s.Right)
			s.Bars = append(s.Bars, b)
			continue
		}
		b := bar{X: axis.at(start), Y: y, H: barHeight, Class: "fault", Title: title + ", active " + seconds(f.Active)}
		b.W = max(axis.at(cleared)-b.X, 3)
		s.Bands = append(s.Bands, bar{X: b.X, W: b.W})
		last := b
		if f.RecoveredAt != nil && f.ClearedAt != nil && f.RecoveredAt.After(*f.ClearedAt) {
			x := axis.at(*f.ClearedAt)
			last = bar{X: x, Y: y, W: max(axis.at(*f.RecoveredAt)-x, 3), H: barHeight, Class: "recovery", Title: "recovery of " + short(f.ID, 80) + ", " + seconds(f.Recovery)}
			s.Bars = append(s.Bars, last)
		}
		text := mark(string(f.Status)) + " " + or(name, f.ID)
		if b.label(text, s.Left, s.Right); !b.Inside { // then beside all that is drawn of it
			whole := bar{X: b.X, W: last.X + last.W - b.X}
			whole.label(text, s.Left, s.Right)
			if whole.Inside {
				whole.LabelX, whole.Anchor, whole.Inside = last.X+last.W+6, "start", false
				if whole.LabelX+px(6.6*float64(len([]rune(whole.Label)))) > s.Right {
					whole.LabelX, whole.Anchor = b.X-6, "end"
				}
			}
			b.Label, b.LabelX, b.Anchor, b.Inside = whole.Label, whole.LabelX, whole.Anchor, whole.Inside
		}
		s.Bars = append(s.Bars, b)
	}
}

func (s *swim) validations(r *report.Report, axis scale, add adder) {
	if len(r.Validations) == 0 {
		return
	}
	shown := failedFirst(r.Validations)
	if len(shown) > swimValidations {
		s.Omitted = parts(" ", s.Omitted, fmt.Sprintf("%d of %d validations are drawn, failed ones first.", swimValidations, len(shown)))
		shown = shown[:swimValidations]
	}
	var signs []sign
	for _, v := range shown {
		shape := shapes[string(v.Status)]
		if shape == "" {
			shape = shapes["skipped"]
		}
		signs = append(signs, sign{X: axis.at(v.At), Class: "sign " + validationTone(v.Status), Path: shape, Title: parts(", ",
			short(v.ID, 80), mark(string(v.Status))+" "+string(v.Status), short(v.AssertionType, 80), stamp(v.At))})
	}
	s.stack(signs, "Validations", add)
}

func validationTone(v execution.ValidationStatus) string {
	if v == execution.ValidationError {
		return "warn"
	}
	return tone(string(v))
}

func (s *swim) events(r *report.Report, axis scale, add adder) {
	var signs []sign
	put := func(at time.Time, kind, class, title string) {
		if len(signs) < swimEvents {
			signs = append(signs, sign{X: axis.at(at), Class: "sign " + class, Path: shapes[kind], Title: title})
		}
	}
	for _, a := range r.Alerts {
		put(a.At, "alert", "warn", parts(", ", "alert "+short(a.Name, 80), short(a.Service, 60), stamp(a.At)))
	}
	for _, a := range r.CircuitBreakers {
		put(a.At, "breaker", "busy", parts(", ", "circuit breaker "+short(a.Name, 80), short(a.Service, 60), stamp(a.At)))
	}
	for _, a := range r.Annotations {
		put(a.At, "note", "idle", "note: "+short(a.Text, 80))
	}
	for _, e := range r.Timeline.Entries {
		if e.Late || e.Conflict || e.Suspect {
			put(e.At, "odd", "bad", short(word(e.Type), 60)+flags(e)+": "+short(e.Text, 80))
		}
	}
	if len(signs) > 0 {
		s.stack(signs, "Events", add)
	}
}

// stack puts signs that would cover each other above each other, six high at most.
func (s *swim) stack(signs []sign, label string, add adder) {
	slices.SortStableFunc(signs, func(a, b sign) int { return cmp.Compare(a.X, b.X) })
	var free []px
	rows := make([]int, len(signs))
	for i := range signs {
		row := slices.IndexFunc(free, func(f px) bool { return f <= signs[i].X })
		switch {
		case row >= 0:
		case len(free) < 6:
			row, free = len(free), append(free, 0)
		default:
			row = i % len(free)
		}
		free[row], rows[i] = signs[i].X+13, row
	}
	h := px(signHeight*len(free) + 10)
	top := add(label, h)
	for i := range signs {
		signs[i].Y = top + 5 + signHeight/2 + px(signHeight*rows[i])
	}
	s.Signs = append(s.Signs, signs...)
}
