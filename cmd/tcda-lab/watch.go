package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// sums are of all input partitions, since the data directory was made.
type sums struct {
	Produced, Applied, Duplicates, Quarantined int64
	Lag                                        int64    // records not ingested yet
	Stopped                                    []string // partitions that wait for an operator
}

func (s sums) ingested() int64 { return s.Applied + s.Duplicates + s.Quarantined }

// since are the sums of one demo.
func (s sums) since(before sums) sums {
	s.Produced, s.Applied = s.Produced-before.Produced, s.Applied-before.Applied
	s.Duplicates, s.Quarantined = s.Duplicates-before.Duplicates, s.Quarantined-before.Quarantined
	return s
}

// sums asks Kafka what there is, and PostgreSQL what became of it.
func (s *stage) sums(ctx context.Context) (sums, error) {
	var out sums
	stored, err := s.store.Partitions(ctx)
	if err != nil {
		return sums{}, err
	}
	next := map[string]int64{}
	for _, p := range stored {
		out.Applied, out.Duplicates, out.Quarantined = out.Applied+p.Applied, out.Duplicates+p.Duplicates, out.Quarantined+p.Quarantined
		name := fmt.Sprintf("%s/%d", p.Topic, p.Number)
		next[name] = p.Next
		if p.StoppedReason != "" {
			out.Stopped = append(out.Stopped, name+": "+p.StoppedReason)
		}
	}
	for _, name := range []string{s.cfg.Kafka.TopicExecutions, s.cfg.Kafka.TopicScenarios} {
		topic, err := s.kafka.Topic(ctx, name)
		if err != nil {
			return sums{}, fmt.Errorf("look at topic %s: %w", name, err)
		}
		for _, partition := range topic.Partitions {
			log, err := s.kafka.Offsets(ctx, name, partition)
			if err != nil {
				return sums{}, fmt.Errorf("look at topic %s: %w", name, err)
			}
			out.Produced += log.End - log.Start
			out.Lag += log.End - max(log.Start, next[fmt.Sprintf("%s/%d", name, partition)])
		}
	}
	return out, nil
}

const pageSize = 1000

// runs are all stored runs.
func (s *stage) runs(ctx context.Context) ([]execution.Run, error) {
	var all []execution.Run
	for after := (pgstore.RunKey{}); ; {
		page, err := s.store.RunsAfter(ctx, after, pageSize)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < pageSize {
			return all, nil
		}
		last := &page[len(page)-1]
		after = pgstore.RunKey{ID: last.ID, Number: last.Number}
	}
}

// reasons counts all quarantined records.
func (s *stage) reasons(ctx context.Context) (map[fact.Reason]int64, error) {
	counts := map[fact.Reason]int64{}
	for before := int64(0); ; {
		page, err := s.store.QuarantinedRecords(ctx, pgstore.QuarantineFilter{Before: before, Page: pageSize})
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			counts[r.Reason]++
			before = r.ID
		}
		if len(page) < pageSize {
			return counts, nil
		}
	}
}

// progress is how far a run has come.
type progress struct {
	*coordsim.Expectation
	stored *execution.Run // nil: not known yet
}

func (p progress) status() execution.Status {
	if p.stored == nil {
		return ""
	}
	return p.stored.Status
}

func (p progress) asExpected() bool { return p.status() == p.Status }

// events is how many of the run's events are stored.
func (p progress) events() int {
	if p.stored == nil {
		return 0
	}
	return min(p.Events, int(p.stored.Arrival())) // the service's own word counts there, too
}

// playProgress is how far a play has come.
type playProgress struct {
	coordsim.Play
	runs []progress
}

// match finds the stored run of each expected one: by its runid, or by its
// number where it has none.
func match(plays []coordsim.Play, stored []execution.Run) []playProgress {
	type name struct {
		id    execution.ID
		run   execution.RunNumber
		runID string
	}
	known := make(map[name]*execution.Run, len(stored))
	for i := range stored {
		r := &stored[i]
		if r.RunID != "" {
			known[name{id: r.ID, runID: r.RunID}] = r
		} else {
			known[name{id: r.ID, run: r.Number}] = r
		}
	}
	out := make([]playProgress, len(plays))
	for i, play := range plays {
		out[i].Play = play
		for _, e := range play.Runs {
			out[i].runs = append(out[i].runs, progress{e, known[name{e.Execution, e.Number, e.RunID}]})
		}
	}
	return out
}

// unexpected names what did not come as the simulated coordinator said.
func unexpected(plays []playProgress) []string {
	var found []string
	for _, play := range plays {
		for _, r := range play.runs {
			if !r.asExpected() {
				found = append(found, fmt.Sprintf("%s is %q, expected %q", r.Execution, r.status(), r.Status))
			}
		}
	}
	return found
}

// picture is what the demo shows at a moment.
type picture struct {
	sums  // of this demo
	plays []playProgress
	sent  int64 // acknowledged in this demo
	of    int64 // to be sent in it
	rate  float64
	clock string // since the demo began to send
}

func (p *picture) line() string {
	return fmt.Sprintf("%s  sent %s of %s  applied %s  duplicates %s  quarantined %s  lag %s",
		p.clock, count(p.sent), count(p.of), count(p.Applied), count(p.Duplicates), count(p.Quarantined), count(p.Lag))
}

// count is a number as people read it: 26,000.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}
