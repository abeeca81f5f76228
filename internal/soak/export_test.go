package soak

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/checker"
)

// SumUp is what comes of a soak in which faults have happened that often, and
// nothing else is amiss but that these procedures were not called; "again" is for
// the repetition of what was answered, "whole" for the removal of whole runs, and
// "parts" for that of parts.
func SumUp(counts map[string]int, uncalled ...string) *Summary {
	w := &world{}
	again := int64(1)
	if slices.Contains(uncalled, "again") {
		again = 0
	}
	called := map[string]int64{}
	for _, procedure := range procedures {
		called[procedure] = 1
	}
	for _, procedure := range uncalled {
		delete(called, procedure)
	}
	s := &soak{world: w, load: &load{world: w}, callers: &callers{world: w, sums: Calls{Procedures: called, Repeated: again}}, faults: &faults{world: w, counts: counts}, drained: true}
	report := &checker.Report{Records: 1, Applied: 1}
	if !slices.Contains(uncalled, "whole") {
		report.PrunedRuns, report.PrunedWhole = 1, 1
	}
	if !slices.Contains(uncalled, "parts") {
		report.PrunedRuns++
	}
	return s.sumUp(report)
}

// Kinds is how many kinds of fault there are on a Kafka.
func Kinds(kafka string) (int, error) {
	f, err := newFaults(&world{options: Options{Kafka: kafka}})
	if err != nil {
		return 0, err
	}
	return len(f.counts), nil
}

// Seen is what is seen of a service at a time.
type Seen struct {
	After    time.Duration
	Next     int64  // its position
	Stopped  string // why its partition has stopped
	Happened bool   // all faults that are awaited
}

// InVain is when a soak of that duration would end as one that would never be
// enough, and why; empty where it would not.
func InVain(standstill, duration time.Duration, seen ...Seen) (time.Duration, string) {
	began := time.Now()
	p := patience{standstill: standstill, moved: began, faults: began.Add(ceiling(duration))}
	for _, x := range seen {
		at := position{next: map[partition]int64{{topic: "executions"}: x.Next}}
		if x.Stopped != "" {
			at.stops = []string{x.Stopped}
		}
		if why := p.ends(began.Add(x.After), at, x.Happened); why != "" {
			return x.After, why
		}
	}
	return 0, ""
}

// ForgetGroup lets an in-process Kafka in a new folder know the group of a soak,
// and has it deleted that many times, as the fault does it.
func ForgetGroup(ctx context.Context, dir string, times int) (err error) {
	broker, err := newInProcess(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Kill()) }()
	w := &world{kafka: broker}
	if err := w.createTopics(ctx); err != nil {
		return err
	}
	if err := w.asOutsider(ctx, w.commitOffsets(func(_, end int64) int64 { return end })); err != nil {
		return err
	}
	for range times {
		if err := w.asOutsider(ctx, w.deleteGroup); err != nil {
			return err
		}
	}
	return nil
}
