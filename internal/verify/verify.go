// Package verify proves that what is stored follows from the stored events: it
// folds them again, with the pure fold of packages execution and scenario, and
// compares the outcome with every row, counter and live state.
//
//	events.go        an event's key, order and digest against its columns and data
//	runs.go          a run: row, parts, details, log lines, snapshots, arrivals
//	definitions.go   a template, scenario or schedule: row and versions
//	reports.go       a frozen report: its digest, and its bytes, which are built again
//	sums.go          what only the database can add up: partitions, ids, orphans
//	pruned.go        what retention has removed: it is said, and nothing else may be missing
//	rollups.go       the analysts' figures against the runs
//	live.go          Redis against the newest run of each id
//	compare.go       two values of the domain, field by field
//
// It may run beside the service: every aggregate is read at one moment, and
// what Redis lags behind is looked at again before it counts. Memory holds one
// run, or one definition, at a time.
//
// What it cannot see is said in the report, as not verifiable: runs that were
// pruned, events whose digest covers rows that are kept apart. It trusts the
// fold; that the fold is right is shown by the tests against an independent
// model. It never writes.
package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

// Report is what a verification found.
type Report struct {
	Runs             int64 `json:"runs"`
	Events           int64 `json:"events"`      // of runs
	Definitions      int64 `json:"definitions"` // templates, scenarios and schedules
	DefinitionEvents int64 `json:"definition_events"`
	Partitions       int64 `json:"partitions"`
	Rollups          int64 `json:"rollups"`     // days of scenarios
	LiveStates       int64 `json:"live_states"` // compared with Redis
	Reports          int64 `json:"reports"`     // frozen ones
	ReportsRebuilt   int64 `json:"reports_rebuilt"`

	// Differences are the first MaxDifferences; Omitted counts the rest.
	Differences []Difference `json:"differences"`
	Omitted     int64        `json:"omitted"`

	// NotVerifiable says, in a sentence each, what could not be looked at.
	NotVerifiable []string `json:"not_verifiable"`
}

// MaxDifferences bounds the list of a report.
const MaxDifferences = 1000

// Difference is one value that does not follow from the stored events.
type Difference struct {
	Subject  string `json:"subject"` // such as "run exec-1/2", "scenario depeg", "partition topic/3"
	Field    string `json:"field"`   // its path, such as "Steps[deploy/1].Status"
	Stored   string `json:"stored"`
	Refolded string `json:"refolded"` // what it should be: by the events, and of a live state by its row
}

// String is the difference as a line.
func (d Difference) String() string {
	return fmt.Sprintf("%s: %s is %s, expected %s", d.Subject, d.Field, d.Stored, d.Refolded)
}

// Clean tells whether nothing differs.
func (r *Report) Clean() bool { return len(r.Differences) == 0 }

// add notes a difference.
func (r *Report) add(subject, field, stored, refolded string) {
	if len(r.Differences) == MaxDifferences {
		r.Omitted++
		return
	}
	r.Differences = append(r.Differences, Difference{Subject: subject, Field: field, Stored: stored, Refolded: refolded})
}

func (r *Report) cannotVerify(format string, args ...any) {
	r.NotVerifiable = append(r.NotVerifiable, fmt.Sprintf(format, args...))
}

// Options bound a verification.
type Options struct {
	// LiveGrace is how long live states may lag behind the rows before they
	// count as different: as long as a pass of reconciliation takes. 2 s.
	LiveGrace time.Duration
}

const (
	defaultLiveGrace = 2 * time.Second
	pageSize         = 500
)

// verification is one run of the verifier.
type verification struct {
	store  *pgstore.Store
	live   *redisstore.Store // nil: not looked at
	grace  time.Duration
	report *Report
}

// Run verifies everything that the store holds, and with live also Redis. A
// difference is no error: see Report.Clean. The error says that the database
// could not be read to the end; the report then holds what was found before.
func Run(ctx context.Context, store *pgstore.Store, live *redisstore.Store, opts Options) (Report, error) {
	v := &verification{store: store, live: live, grace: opts.LiveGrace, report: &Report{Differences: []Difference{}, NotVerifiable: []string{}}}
	if v.grace == 0 {
		v.grace = defaultLiveGrace
	}
	for _, part := range []func(context.Context) error{v.runs, v.definitions, v.reports, v.sums, v.rollups, v.liveStates} {
		if err := part(ctx); err != nil {
			return *v.report, fmt.Errorf("verify: %w", err)
		}
	}
	return *v.report, nil
}

// unreadable tells whether an error is about the content of a row, which is a
// difference, and not about the database, which ends the verification.
func unreadable(err error) bool {
	var database *pgstore.Error
	return err != nil && !errors.As(err, &database)
}

// Reports verifies the frozen reports alone.
func Reports(ctx context.Context, store *pgstore.Store) (Report, error) {
	v := &verification{store: store, report: &Report{Differences: []Difference{}, NotVerifiable: []string{}}}
	if err := v.reports(ctx); err != nil {
		return *v.report, fmt.Errorf("verify reports: %w", err)
	}
	return *v.report, nil
}
