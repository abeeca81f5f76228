package rollup_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// viewKeys are the columns that name a row of a view.
var viewKeys = map[string][]string{
	"analytics_units":              {"execution_id", "run"},
	"analytics_daily_runs":         {"scenario_id", "day", "environment", "scenario_version", "label_key", "label_value"},
	"analytics_daily_assertions":   {"scenario_id", "day", "environment", "assertion_type", "service"},
	"analytics_daily_faults":       {"scenario_id", "day", "environment", "fault_type", "target_service"},
	"analytics_coverage":           {"target_service", "fault_type"},
	"analytics_scenario_summaries": {"scenario_id", "window_days"},
	"analytics_flakiness":          {"scenario_id", "environment"},
	"analytics_failures":           {"scenario_id", "environment"},
}

// compareViews holds every column of every row of the views against what it
// should be.
func compareViews(t testing.TB, pool *pgxpool.Pool, want map[string]map[string]row) {
	t.Helper()
	for view, rows := range want {
		got := query(t.Context(), t, pool, pgx.RowToMap, "SELECT * FROM test_coordination."+view)
		seen := map[string]bool{}
		for _, g := range got {
			var key []any
			for _, column := range viewKeys[view] {
				key = append(key, plain(g[column]))
				delete(g, column)
			}
			name := keyOf(key...)
			if seen[name] {
				t.Errorf("%s has %s twice", view, name)
			}
			seen[name] = true
			if rows[name] == nil {
				t.Errorf("%s has a row too many: %s", view, name)
				continue
			}
			compareRow(t, view+" "+name, rows[name], g)
		}
		for name := range rows {
			if !seen[name] {
				t.Errorf("%s lacks %s", view, name)
			}
		}
		if len(rows) == 0 {
			t.Errorf("no row is wanted of %s: the history is too short", view)
		}
	}
}

// plain is a value as the calculation writes it.
func plain(v any) any {
	switch v := v.(type) {
	case int32:
		return int64(v)
	case time.Time:
		if v.Equal(v.UTC().Truncate(24*time.Hour)) && v.Location() == time.UTC {
			return v.Format(time.DateOnly)
		}
		return v.UTC()
	}
	return v
}

func compareRow(t testing.TB, name string, want, got row) {
	t.Helper()
	for column, value := range got {
		expected, known := want[column]
		switch {
		case strings.HasSuffix(column, "_buckets") || strings.HasSuffix(column, "_counts"): // percentiles and counts come of them
		case !known:
			t.Errorf("%s: nothing is said of column %s", name, column)
		case !same(expected, plain(value)):
			t.Errorf("%s: %s is %v, want %v", name, column, plain(value), expected)
		}
	}
	for column := range want {
		if _, ok := got[column]; !ok {
			t.Errorf("%s: there is no column %s", name, column)
		}
	}
}

func same(want, got any) bool {
	switch w := want.(type) {
	case about:
		g, ok := got.(float64)
		return ok && math.Abs(g-float64(w)) <= 0.0101*float64(w)+1e-9
	case float64:
		g, ok := got.(float64)
		return ok && math.Abs(g-w) <= 2e-6+1e-9*math.Abs(w)
	case time.Time:
		switch g := got.(type) {
		case time.Time:
			return g.Equal(w)
		case string: // a moment at midnight looks like a day
			return g == w.Format(time.DateOnly)
		}
		return false
	}
	return want == got
}
