package report

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// mostNotable is how many lines a report shows.
const mostNotable = 100

// severities are the levels of lines that stand out. All others are counted only.
var severities = map[string]int{
	"fatal": 3, "critical": 3, "crit": 3, "panic": 3, "emergency": 3, "emerg": 3, "alert": 3,
	"error": 2, "err": 2, "severe": 2,
	"warn": 1, "warning": 1,
}

// plainLevels are the other levels that are counted by their name. What is none of
// all these is counted as "other": producers may write anything, and a report of
// 200,000 levels would help nobody.
var plainLevels = map[string]bool{"": true, "trace": true, "debug": true, "info": true, "notice": true, "verbose": true}

const otherLevel = "other"

// linePlace orders lines: by time, then by event, then by place in it. It is total.
type linePlace struct {
	at    time.Time // cut to the microsecond, as rows are
	event fact.Order
	place int
}

func (p linePlace) compare(q linePlace) int {
	return cmp.Or(p.at.Compare(q.at), p.event.Compare(q.event), cmp.Compare(p.place, q.place))
}

type placedLine struct {
	linePlace
	severity int
	line     LogLine
}

type placedSignal struct {
	linePlace
	signal Signal
}

// lineDigest is what a report keeps of log lines, which come in any order.
type lineDigest struct {
	total       int64
	levels      map[string]int64
	outstanding int64 // lines of the levels that stand out

	notable          bounded[placedLine]
	alerts, breakers bounded[placedSignal]
}

func newLineDigest() lineDigest {
	bySignal := func(a, b placedSignal) int { return a.compare(b.linePlace) }
	return lineDigest{
		levels: map[string]int64{},
		notable: bounded[placedLine]{most: mostNotable, compare: func(a, b placedLine) int {
			return cmp.Or(cmp.Compare(b.severity, a.severity), a.compare(b.linePlace))
		}},
		alerts:   bounded[placedSignal]{most: mostSignals, compare: bySignal},
		breakers: bounded[placedSignal]{most: mostSignals, compare: bySignal},
	}
}

// AddLine takes a line of one of the events, which need not have been added yet, and
// its place in it: in any order. The caller adds each line once.
func (b *Builder) AddLine(event fact.Order, place int, l *execution.LogLine) {
	at := l.Time
	if at.IsZero() {
		at = event.Time
	}
	b.lines.add(linePlace{moment(at), event, place}, l)
}

func (d *lineDigest) add(at linePlace, l *execution.LogLine) {
	d.total++
	level := strings.ToLower(l.Level)
	severity := severities[level]
	if severity == 0 && !plainLevels[level] {
		level = otherLevel
	}
	d.levels[level]++
	if severity > 0 {
		d.outstanding++
		if p := (placedLine{linePlace: at, severity: severity}); d.notable.takes(p) {
			p.line = LogLine{
				At: at.at, Level: level, Service: cut(l.Service, mostLine), Phase: cut(l.Phase, mostLine), StepID: l.StepID,
				Message: cut(l.Message, mostLine),
			}
			d.notable.add(p)
		}
	}
	alert, breaker := signalsOfLine(at, l)
	if alert != nil {
		d.alerts.add(placedSignal{at, *alert})
	}
	if breaker != nil {
		d.breakers.add(placedSignal{at, *breaker})
	}
}

func (d *lineDigest) logs() Logs {
	logs := Logs{Lines: d.total, Levels: make(map[string]int64, len(d.levels)), Notable: []LogLine{}}
	for level, n := range d.levels {
		logs.Levels[level] = n
	}
	kept := slices.SortedFunc(slices.Values(d.notable.items), func(a, b placedLine) int { return a.compare(b.linePlace) })
	for _, p := range kept {
		logs.Notable = append(logs.Notable, p.line)
	}
	logs.Omitted = d.outstanding - int64(len(kept))
	return logs
}

// bounded keeps the first of the items that it is given, by an order: the last of
// those kept is at the top of a heap. What it keeps depends on the set alone.
type bounded[T any] struct {
	most    int
	compare func(a, b T) int
	items   []T
	seen    int
}

// takes tells whether an item would be kept.
func (b *bounded[T]) takes(item T) bool {
	return len(b.items) < b.most || b.compare(item, b.items[0]) < 0
}

func (b *bounded[T]) add(item T) {
	b.seen++
	switch {
	case len(b.items) < b.most:
		heap.Push(b, item)
	case b.takes(item):
		b.items[0] = item
		heap.Fix(b, 0)
	}
}

// Len, Less, Swap, Push and Pop are for container/heap.
func (b *bounded[T]) Len() int           { return len(b.items) }
func (b *bounded[T]) Less(i, j int) bool { return b.compare(b.items[i], b.items[j]) > 0 }
func (b *bounded[T]) Swap(i, j int)      { b.items[i], b.items[j] = b.items[j], b.items[i] }

// Push is for container/heap.
func (b *bounded[T]) Push(item any) { b.items = append(b.items, item.(T)) }

// Pop is for container/heap; nothing is ever taken out.
func (b *bounded[T]) Pop() any {
	last := b.items[len(b.items)-1]
	b.items = b.items[:len(b.items)-1]
	return last
}
