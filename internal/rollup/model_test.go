package rollup_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
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

func dailyRuns(all []unit) map[string]row {
	parts := map[string][]unit{}
	for _, u := range all {
		labels := map[string]string{"": ""}
		maps.Copy(labels, u.labels)
		for k, v := range labels {
			key := keyOf(u.scenario, dayOf(u.ranAt()), u.environment, u.version, k, v)
			parts[key] = append(parts[key], u)
		}
	}
	rows := map[string]row{}
	for key, part := range parts {
		r, took := ofUnits(part)
		r["duration_seconds_sum"] = took.sum()
		rows[key] = r
	}
	return rows
}

func dailyAssertions(all []unit) map[string]row {
	counts := map[string]map[string]int64{}
	for _, u := range all {
		for _, v := range u.validations {
			key := keyOf(u.scenario, dayOf(u.ranAt()), u.environment, v.kind, v.service)
			if counts[key] == nil {
				counts[key] = map[string]int64{}
			}
			counts[key][v.status]++
		}
	}
	rows := map[string]row{}
	for key, n := range counts {
		rows[key] = row{
			"passed": n["passed"], "failed": n["failed"], "skipped": n["skipped"], "error": n["error"], "pass_rate": rate(n["passed"], n["passed"]+n["failed"]+n["error"]),
		}
	}
	return rows
}

// ofFaults are times to recover and to detect.
type ofFaults struct {
	faults, injected, failed, recovered int64
	recoveries, detections              lengths
}

func (f *ofFaults) add(u unit, fault *rawFault) {
	f.faults++
	if fault.injected != nil {
		f.injected++
	}
	switch fault.status {
	case "failed":
		f.failed++
	case "recovered":
		f.recovered++
	}
	if s, ok := fault.recovery(); ok {
		f.recoveries = append(f.recoveries, s)
	}
	if s, ok := u.detection(fault); ok {
		f.detections = append(f.detections, s)
	}
}

func dailyFaults(all []unit) map[string]row {
	parts := map[string]*ofFaults{}
	for _, u := range all {
		for i := range u.faults {
			f := &u.faults[i]
			key := keyOf(u.scenario, dayOf(u.ranAt()), u.environment, f.kind, f.service)
			if parts[key] == nil {
				parts[key] = &ofFaults{}
			}
			parts[key].add(u, f)
		}
	}
	rows := map[string]row{}
	for key, f := range parts {
		rows[key] = row{
			"faults": f.faults, "injected": f.injected, "failed": f.failed, "recovered": f.recovered,
			"recovery_count": int64(len(f.recoveries)), "recovery_seconds_sum": f.recoveries.sum(), "recovery_seconds_mean": f.recoveries.mean(),
			"recovery_seconds_max": f.recoveries.greatest(), "recovery_seconds_p95": f.recoveries.percentile(95),
			"detection_count": int64(len(f.detections)), "detection_seconds_sum": f.detections.sum(), "detection_seconds_mean": f.detections.mean(),
			"detection_seconds_max": f.detections.greatest(), "detection_seconds_p95": f.detections.percentile(95),
		}
	}
	return rows
}

func coverage(all []unit) map[string]row {
	rows, latest := map[string]row{}, map[string]time.Time{}
	for _, u := range all {
		for i := range u.faults {
			f := &u.faults[i]
			key := keyOf(f.service, f.kind)
			r := rows[key]
			if r == nil {
				r = row{
					"injected": int64(0), "last_tested_at": nil, "last_scenario_id": nil, "last_environment": nil, "last_execution_id": "", "last_run": int64(0),
					"last_run_status": "", "last_fault_status": "",
				}
				rows[key] = r
			}
			if f.injected == nil {
				continue
			}
			r["injected"] = r["injected"].(int64) + 1
			if f.injected.After(latest[key]) {
				latest[key] = *f.injected
				maps.Copy(r, row{
					"last_tested_at": f.injected.UTC(), "last_scenario_id": u.scenario, "last_environment": u.environment, "last_execution_id": u.id, "last_run": int64(u.run),
					"last_run_status": u.status, "last_fault_status": f.status,
				})
			}
		}
	}
	return rows
}

func summaries(all []unit, today time.Time) map[string]row {
	rows := map[string]row{}
	for _, window := range []int{7, 30, 90, 365} {
		of := map[string][]unit{}
		for _, u := range all {
			if dayOf(u.ranAt()) > dayOf(today.AddDate(0, 0, -window)) {
				of[u.scenario] = append(of[u.scenario], u)
			}
		}
		for scenario, part := range of {
			r, took := ofUnits(part)
			var f ofFaults
			for _, u := range part {
				for i := range u.faults {
					f.add(u, &u.faults[i])
				}
			}
			maps.Copy(r, row{
				"as_of": dayOf(today), "duration_seconds_mean": took.mean(), "faults": f.faults,
				"recovery_count": int64(len(f.recoveries)), "recovery_seconds_mean": f.recoveries.mean(), "recovery_seconds_p95": f.recoveries.percentile(95),
				"detection_count": int64(len(f.detections)), "detection_seconds_mean": f.detections.mean(), "detection_seconds_p95": f.detections.percentile(95),
			})
			rows[keyOf(scenario, window)] = r
		}
	}
	return rows
}

// byScenario are decided units, oldest first, of each scenario in each environment
// and (nil) over all.
func byScenario(all []unit) map[string][]unit {
	of := map[string][]unit{}
	for _, u := range all {
		if u.status == "passed" || failing(u.status) {
			for _, environment := range []any{nil, u.environment} {
				key := keyOf(u.scenario, environment)
				of[key] = append(of[key], u)
			}
		}
	}
	return of
}

func flakiness(all []unit) map[string]row {
	rows := map[string]row{}
	for key, decided := range byScenario(all) {
		decided = decided[max(0, len(decided)-50):]
		var passed, retried, flips int64
		var weight, weights float64
		for i, u := range decided {
			w := math.Pow(0.95, float64(len(decided)-1-i))
			weights += w
			if u.status == "passed" {
				passed, weight = passed+1, weight+w
			}
			if u.retried {
				retried, flips = retried+1, flips+1
			}
			if i > 0 && (u.status == "passed") != (decided[i-1].status == "passed") {
				flips++
			}
		}
		flipRate, health := rate(flips, int64(len(decided))-1+retried), weight/weights
		if f, ok := flipRate.(float64); ok {
			health *= 1 - f
		}
		rows[key] = row{
			"units": int64(len(decided)), "passed": passed, "passed_after_retries": retried, "flips": flips, "flip_rate": flipRate,
			"weighted_pass_rate": weight / weights, "health": health, "newest_at": decided[len(decided)-1].ranAt(), "oldest_at": decided[0].ranAt(),
		}
	}
	return rows
}

func failures(all []unit) map[string]row {
	rows := map[string]row{}
	for key, decided := range byScenario(all) {
		first := len(decided)
		for first > 0 && decided[first-1].status != "passed" {
			first--
		}
		if first == len(decided) {
			continue
		}
		var passed any
		if first > 0 {
			passed = decided[first-1].ranAt()
		}
		f := decided[first]
		rows[key] = row{
			"units": int64(len(decided) - first), "first_execution_id": f.id, "first_run": int64(f.run), "first_scenario_version": f.version, "first_status": f.status,
			"first_failed_at": f.ranAt(), "last_failed_at": decided[len(decided)-1].ranAt(), "last_passed_at": passed,
		}
	}
	return rows
}

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
