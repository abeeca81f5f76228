package rollup_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The independent calculation of every figure: plain Go over the raw rows, with
// nothing of the service's. Slow, and meant to be read beside the definitions.

type rawRun struct {
	id, status, scenario, version, environment, group string
	run                                               int
	attempt                                           *int
	dry                                               *bool
	requested, started, ended                         *time.Time
	created                                           time.Time
	labels                                            map[string]string
	faults                                            []rawFault
	validations                                       []rawValidation
}

type rawFault struct {
	id, kind, service, status    string
	weight                       any
	injected, cleared, recovered *time.Time
	recoverySeconds              *float64
}

type rawValidation struct {
	kind, service, status, fault string
	recorded                     time.Time
}

func query[R any](ctx context.Context, t testing.TB, pool *pgxpool.Pool, scan func(pgx.CollectableRow) (R, error), sql string) []R {
	t.Helper()
	rows, err := pool.Query(ctx, sql)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, scan)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// rawRuns reads the tables that ingest writes.
func rawRuns(t testing.TB, pool *pgxpool.Pool) []*rawRun {
	t.Helper()
	ctx, of := t.Context(), map[string]*rawRun{}
	key := func(id string, run int) string { return fmt.Sprint(id, "/", run) }
	all := query(ctx, t, pool, func(row pgx.CollectableRow) (*rawRun, error) {
		r := &rawRun{}
		err := row.Scan(&r.id, &r.run, &r.status, &r.scenario, &r.version, &r.environment, &r.group, &r.attempt, &r.dry, &r.requested, &r.started, &r.ended, &r.created)
		of[key(r.id, r.run)] = r
		return r, err
	}, "SELECT execution_id, run, status, scenario_id, scenario_version, environment, group_id, attempt, dry_run, requested_at, started_at, ended_at, created_at FROM test_coordination.executions")
	query(ctx, t, pool, func(row pgx.CollectableRow) (any, error) {
		var id, labels string
		var run int
		if err := row.Scan(&id, &run, &labels); err != nil {
			return nil, err
		}
		return nil, json.Unmarshal([]byte(labels), &of[key(id, run)].labels)
	}, "SELECT execution_id, run, labels::text FROM test_coordination.execution_details WHERE labels IS NOT NULL")
	query(ctx, t, pool, func(row pgx.CollectableRow) (any, error) {
		var id, parameters string
		var run int
		var f rawFault
		if err := row.Scan(&id, &run, &f.id, &f.kind, &f.service, &f.status, &parameters, &f.injected, &f.cleared, &f.recovered, &f.recoverySeconds); err != nil {
			return nil, err
		}
		var p map[string]any
		if err := json.Unmarshal([]byte(parameters), &p); err != nil {
			return nil, err
		}
		f.weight = p["weight"]
		r := of[key(id, run)]
		r.faults = append(r.faults, f)
		return nil, nil //nolint:nilnil // kept in of
	}, "SELECT execution_id, run, fault_id, fault_type, target_service, status, coalesce(parameters::text, '{}'), injected_at, cleared_at, recovered_at, recovery_seconds FROM test_coordination.fault_injections")
	query(ctx, t, pool, func(row pgx.CollectableRow) (any, error) {
		var id string
		var run int
		var v rawValidation
		err := row.Scan(&id, &run, &v.kind, &v.service, &v.status, &v.fault, &v.recorded)
		r := of[key(id, run)]
		r.validations = append(r.validations, v)
		return nil, err
	}, "SELECT execution_id, run, assertion_type, service, status, fault_id, recorded_at FROM test_coordination.validation_results")
	return all
}

func (r *rawRun) ranAt() time.Time {
	switch {
	case r.started != nil:
		return r.started.UTC()
	case r.requested != nil:
		return r.requested.UTC()
	}
	return r.created.UTC()
}

func (r *rawRun) counts() bool {
	ended := slices.Contains([]string{"passed", "failed", "error", "cancelled", "timeout", "interrupted"}, r.status)
	return ended && (r.dry == nil || !*r.dry)
}

// attemptOrder is that of the attempts of a group.
func attemptOrder(a, b *rawRun) int {
	number := func(r *rawRun) int {
		if r.attempt == nil {
			return 1
		}
		return *r.attempt
	}
	return cmp.Or(cmp.Compare(number(a), number(b)), a.ranAt().Compare(b.ranAt()), strings.Compare(a.id, b.id), cmp.Compare(a.run, b.run))
}

// unit is what figures count: the last attempt, and how many there were.
type unit struct {
	*rawRun
	attempts int
	retried  bool // passed after an attempt that had failed
}

func failing(status string) bool {
	return status == "failed" || status == "error" || status == "timeout"
}

func units(runs []*rawRun) []unit {
	var all []unit
	groups := map[[2]string][]*rawRun{}
	for _, r := range runs {
		switch {
		case !r.counts():
		case r.group == "":
			all = append(all, unit{r, 1, false})
		default:
			k := [2]string{r.scenario, r.group}
			groups[k] = append(groups[k], r)
		}
	}
	for _, attempts := range groups {
		slices.SortFunc(attempts, attemptOrder)
		last := attempts[len(attempts)-1]
		u := unit{last, len(attempts), false}
		for _, a := range attempts[:len(attempts)-1] {
			u.retried = u.retried || last.status == "passed" && failing(a.status)
		}
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b unit) int {
		return cmp.Or(strings.Compare(a.scenario, b.scenario), a.ranAt().Compare(b.ranAt()), strings.Compare(a.id, b.id), cmp.Compare(a.run, b.run))
	})
	return all
}

// score is the resilience score of a run; nil: it has none.
func (r *rawRun) score() any {
	type group struct{ passed, decided, weight float64 }
	groups := map[string]*group{}
	for _, v := range r.validations {
		if v.status == "skipped" {
			continue
		}
		name, weight := "", 10.0
		for _, f := range r.faults {
			if f.id == v.fault {
				name = "of " + f.id
				if w, ok := f.weight.(float64); ok && w >= 1 && w <= 10 {
					weight = w
				}
			}
		}
		g := groups[name]
		if g == nil {
			g = &group{weight: weight}
			groups[name] = g
		}
		g.decided++
		if v.status == "passed" {
			g.passed++
		}
	}
	if len(groups) == 0 {
		return nil
	}
	var sum, weights float64
	for _, g := range groups {
		sum, weights = sum+g.weight*100*g.passed/g.decided, weights+g.weight
	}
	return sum / weights
}

func (r *rawRun) duration() (float64, bool) {
	if r.started == nil || r.ended == nil || r.ended.Before(*r.started) {
		return 0, false
	}
	return r.ended.Sub(*r.started).Seconds(), true
}

func (f *rawFault) recovery() (float64, bool) {
	switch {
	case f.recoverySeconds != nil:
		return *f.recoverySeconds, true
	case f.recovered == nil:
		return 0, false
	case f.cleared != nil:
		return f.recovered.Sub(*f.cleared).Seconds(), !f.recovered.Before(*f.cleared)
	case f.injected != nil:
		return f.recovered.Sub(*f.injected).Seconds(), !f.recovered.Before(*f.injected)
	}
	return 0, false
}

func (r *rawRun) detection(f *rawFault) (float64, bool) {
	best, found := 0.0, false
	for _, v := range r.validations {
		if f.injected == nil || v.fault != f.id || v.status != "passed" && v.status != "failed" || v.recorded.Before(*f.injected) {
			continue
		}
		if s := v.recorded.Sub(*f.injected).Seconds(); !found || s < best {
			best, found = s, true
		}
	}
	return best, found
}

// lengths are lengths of time, in seconds.
type lengths []float64

// about is a value of which a figure may be 1 % beside.
type about float64

func (l lengths) percentile(percent float64) any {
	if len(l) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(l))
	return about(sorted[max(1, int(math.Ceil(percent*float64(len(l))/100)))-1])
}

func (l lengths) sum() float64 {
	var sum float64
	for _, s := range l {
		sum += s
	}
	return sum
}

func (l lengths) mean() any {
	if len(l) == 0 {
		return nil
	}
	return l.sum() / float64(len(l))
}

func (l lengths) least() any {
	if len(l) == 0 {
		return nil
	}
	return slices.Min(l)
}

func (l lengths) greatest() any {
	if len(l) == 0 {
		return nil
	}
	return slices.Max(l)
}

func rate(part, whole int64) any {
	if whole == 0 {
		return nil
	}
	return float64(part) / float64(whole)
}

// row is one of a view: what it is to say, by column.
type row map[string]any

// ofUnits are the columns that many views have of their units.
func ofUnits(all []unit) (row, lengths) {
	n := map[string]int64{}
	var took, scores lengths
	for _, u := range all {
		n["runs"] += int64(u.attempts)
		n["units"]++
		n[u.status]++
		if u.attempts > 1 {
			n["retries"]++
		}
		if u.retried {
			n["passed_after_retries"]++
		}
		if s, ok := u.duration(); ok {
			took = append(took, s)
		}
		if s, ok := u.score().(float64); ok {
			scores = append(scores, s)
		}
	}
	r := row{
		"pass_rate":      rate(n["passed"], n["passed"]+n["failed"]+n["error"]+n["timeout"]),
		"duration_count": int64(len(took)), "duration_seconds_min": took.least(), "duration_seconds_max": took.greatest(),
		"duration_seconds_p50": took.percentile(50), "duration_seconds_p95": took.percentile(95), "duration_seconds_p99": took.percentile(99),
		"score_count": int64(len(scores)), "resilience_score_mean": scores.mean(),
	}
	for _, name := range []string{"runs", "units", "passed", "failed", "error", "cancelled", "timeout", "interrupted", "retries", "passed_after_retries"} {
		r[name] = n[name]
	}
	return r, took
}

func dayOf(at time.Time) string { return at.UTC().Format(time.DateOnly) }

func keyOf(parts ...any) string { return fmt.Sprintf("%q", parts) }

// expected are the rows of all views, by view and key.
func expected(runs []*rawRun, today time.Time) map[string]map[string]row {
	all := units(runs)
	return map[string]map[string]row{
		"analytics_units":              unitRows(all),
		"analytics_daily_runs":         dailyRuns(all),
		"analytics_daily_assertions":   dailyAssertions(all),
		"analytics_daily_faults":       dailyFaults(all),
		"analytics_coverage":           coverage(all),
		"analytics_scenario_summaries": summaries(all, today),
		"analytics_flakiness":          flakiness(all),
		"analytics_failures":           failures(all),
	}
}

func unitRows(all []unit) map[string]row {
	rows := map[string]row{}
	for _, u := range all {
		var took any
		if s, ok := u.duration(); ok {
			took = s
		}
		rows[keyOf(u.id, u.run)] = row{
			"scenario_id": u.scenario, "environment": u.environment, "scenario_version": u.version, "group_id": u.group, "status": u.status, "ran_at": u.ranAt(), "day": dayOf(u.ranAt()),
			"attempts": int64(u.attempts), "passed_after_retries": u.retried, "decided": u.status == "passed" || failing(u.status), "duration_seconds": took, "resilience_score": u.score(),
		}
	}
	return rows
}
