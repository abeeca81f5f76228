package rollup_test

import (
	"maps"
	"math"
	"time"
)

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
