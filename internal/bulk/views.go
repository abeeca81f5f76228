package bulk

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// prefix is that of the names of all views for analysts.
const prefix = "analytics_"

// traits is what has to be known of a view beyond its columns.
type traits struct {
	// key are columns that are unique together, never NULL, and never change for
	// as long as the row exists; in the order of an index, so that a part costs
	// what it holds.
	key []string
	// time is what --since and --until are held against, as people read it and as
	// an expression over the view v. Rows where it is NULL are in no such export.
	time, expression string
}

// known are the traits of views, by name. A view that is not here can be exported
// all the same: from one moment, without going on, and without limits of time.
// Only views whose rows keep their keys are read along them: of a row that is
// computed anew from others, one part could have what the next has again.
var known = map[string]traits{
	prefix + "executions": {
		key:  []string{"execution_id", "run"},
		time: "started_at, else requested_at, else first_seen_at", expression: "coalesce(v.started_at, v.requested_at, v.first_seen_at)",
	},
	prefix + "validations": {key: []string{"execution_id", "run", "validation_id"}, time: "recorded_at", expression: "v.recorded_at"},
	prefix + "faults":      {key: []string{"execution_id", "run", "fault_id"}, time: "injected_at", expression: "v.injected_at"},
	prefix + "timeline":    {key: []string{"execution_id", "run", "order_key"}, time: "event_time", expression: "v.event_time"},

	prefix + "units":            {time: "ran_at", expression: "v.ran_at"},
	prefix + "daily_runs":       {time: "day", expression: "v.day"},
	prefix + "daily_assertions": {time: "day", expression: "v.day"},
	prefix + "daily_faults":     {time: "day", expression: "v.day"},
}

// View is a view that can be exported.
type View struct {
	Name      string           `json:"name"`
	Comment   string           `json:"comment,omitempty"`
	Key       []string         `json:"key,omitempty"`  // columns that it is read along; none: read at one moment, not resumable
	Time      string           `json:"time,omitempty"` // what since and until are held against; empty: they cannot be given
	Scenario  bool             `json:"by_scenario"`    // it can be limited to a scenario and an environment
	Columns   []pgstore.Column `json:"-"`
	keys      []pgstore.Column
	timeExpr  string
	ofItsRuns bool
}

// Views lists the views that may be read, with their columns.
func Views(ctx context.Context, r *pgstore.ViewReader) ([]View, error) {
	found, err := r.Views(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]View, 0, len(found))
	for _, f := range found {
		columns, err := r.Columns(ctx, f.Name)
		if err != nil {
			return nil, err
		}
		views = append(views, newView(f, columns))
	}
	return views, nil
}

func newView(f pgstore.View, columns []pgstore.Column) View {
	v := View{Name: f.Name, Comment: f.Comment, Columns: columns}
	has := func(name string) bool { return column(columns, name) >= 0 }
	of := known[f.Name]
	// A view of another version may lack what is known here.
	if len(of.key) > 0 && !slices.ContainsFunc(of.key, func(name string) bool { return !has(name) }) {
		v.Key = of.key
		for _, name := range of.key {
			v.keys = append(v.keys, columns[column(columns, name)])
		}
	}
	v.Time, v.timeExpr = of.time, of.expression
	both := has("scenario_id") && has("environment")
	v.ofItsRuns = !both && has("execution_id") && has("run")
	v.Scenario = both || v.ofItsRuns
	return v
}

func column(columns []pgstore.Column, name string) int {
	return slices.IndexFunc(columns, func(c pgstore.Column) bool { return c.Name == name })
}

// Find is the view of a name, with or without the prefix that all have.
func Find(views []View, name string) (View, error) {
	for _, candidate := range []string{name, prefix + name} {
		if i := slices.IndexFunc(views, func(v View) bool { return v.Name == candidate }); i >= 0 {
			return views[i], nil
		}
	}
	names := make([]string, len(views))
	for i, v := range views {
		names[i] = strings.TrimPrefix(v.Name, prefix)
	}
	return View{}, fmt.Errorf("there is no view %q that may be read here; there are: %s", name, strings.Join(names, ", "))
}

// pick are the columns of these names, in their order; all where none are given.
func (v *View) pick(names []string) ([]pgstore.Column, error) {
	if len(names) == 0 {
		return v.Columns, nil
	}
	picked := make([]pgstore.Column, 0, len(names))
	for _, name := range names {
		i := column(v.Columns, name)
		switch {
		case i < 0:
			return nil, fmt.Errorf("%s has no column %q", v.Name, name)
		case column(picked, name) >= 0:
			return nil, fmt.Errorf("column %q is given twice", name)
		}
		picked = append(picked, v.Columns[i])
	}
	return picked, nil
}
