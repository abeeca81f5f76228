package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/reporting"
)

// reportLink is where the report of a run of the demo is.
type reportLink struct {
	ExecutionID execution.ID        `json:"execution_id"`
	Run         execution.RunNumber `json:"run"`
	Status      execution.Status    `json:"status"`
	SHA256      string              `json:"sha256"`
	URL         string              `json:"url"` // as HTML, while the demo serves
}

// reportLimit is how long no further report may come.
const reportLimit = time.Minute

// awaitReports waits until each run of the demo that has ended has its report, and
// shows how many have.
func (s *stage) awaitReports(ctx context.Context, sim *coordsim.Simulation, view io.Writer) ([]reportLink, error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	moved, had := time.Now(), -1
	for {
		links, ended, err := s.reportLinks(ctx, sim)
		if err != nil {
			return nil, err
		}
		if len(links) != had {
			moved, had = time.Now(), len(links)
			fmt.Fprintf(view, "%d of %d runs that have ended have their reports\n", len(links), ended)
		}
		if len(links) == ended {
			return links, nil
		}
		if time.Since(moved) > reportLimit {
			return nil, fmt.Errorf("only %d of %d runs have their reports after %s", len(links), ended, reportLimit)
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("stopped before every run had its report")
		case err := <-s.ended:
			s.ended = nil
			return nil, fmt.Errorf("serve: %w", err)
		case <-tick.C:
		}
	}
}

// reportLinks are those of the runs of the demo that have a report; ended is how
// many of the runs have ended.
func (s *stage) reportLinks(ctx context.Context, sim *coordsim.Simulation) (links []reportLink, ended int, err error) {
	runs, err := s.runs(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, play := range match(sim.Plays(), runs) {
		for _, r := range play.runs {
			if r.stored == nil || !r.stored.Status.Terminal() {
				continue
			}
			ended++
			f, err := s.store.Report(ctx, pgstore.RunKey{ID: r.stored.ID, Number: r.stored.Number}, 0)
			if errors.Is(err, pgstore.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, 0, err
			}
			links = append(links, reportLink{f.ID, f.Number, f.Status, f.SHA256.String(), "http://" + s.http + reporting.Path(f.ID, f.Number, ".html", 0)})
		}
	}
	return links, ended, nil
}

// writeReports says where the reports are.
func (o *outcome) writeReports(w io.Writer) {
	fmt.Fprintf(w, "\n What became of each run, for a browser:\n\n")
	for _, r := range o.Reports {
		fmt.Fprintf(w, "   %-12s %s\n", r.Status, r.URL)
	}
}
