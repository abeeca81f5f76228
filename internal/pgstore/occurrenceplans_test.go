package pgstore_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// What is due stays a small part of what ever was. Each statement must go along
// the index that holds its part alone, in the order in which it is wanted, also
// when it was planned while the table was empty.
func TestStatementsAboutOccurrencesGoAlongTheirIndexes(t *testing.T) {
	t.Parallel()
	const byKey = "Index Cond: ((schedule_id = u.schedule_id) AND (occurrence_id = u.occurrence_id))"
	indexes := map[string]struct {
		uses   string
		sorted bool // the rows come in order
	}{
		"LockDue":             {"schedule_occurrences_due_idx", true},
		"LockExpired":         {"schedule_occurrences_lease_idx", true},
		"LockDueOf":           {"schedule_occurrences_open_idx", false},
		"LatestDueOf":         {"Index Scan Backward using schedule_occurrences_open_idx", false},
		"RivalsOf":            {"schedule_occurrences_open_idx", false},
		"SettleLate":          {"schedule_occurrences_start_by_idx", true},
		"ForgetOccurrences":   {"Index Scan using schedule_occurrences_settled_idx", true},
		"OccurrencesPage":     {"schedule_occurrences_list_idx", true},
		"OccurrenceByID":      {"schedule_occurrences_pkey", true},
		"RenewClaim":          {"schedule_occurrences_pkey", true},
		"CompleteClaim":       {"schedule_occurrences_pkey", true},
		"ClaimOccurrences":    {byKey, true},
		"SettleOccurrences":   {byKey, true},
		"MoveStartBy":         {byKey, true},
		"EndRuns":             {byKey, true},
		"LockPlans":           {"schedule_plans_pkey", true},
		"LockDuePlans":        {"schedule_plans_next_due_at_idx", true},
		"SchedulesPage":       {"schedules_pkey", true},
		"SchedulesOfScenario": {"schedules_scenario_id_idx", false},
		"WatchedTriggers":     {"schedules_event_idx", false},
		"SchedulesWaiting":    {"schedules_after_scenario_idx", false},
	}
	conn := planningConn(t)
	for _, c := range append(reading(new(int)), apiCalls(new(int))...) {
		if _, ok := indexes[c.method]; ok {
			if err := c.run(t.Context(), dbsqlc.New(conn)); err != nil && !errors.Is(err, pgx.ErrNoRows) {
				t.Fatalf("%s: %v", c.method, err)
			}
		}
	}
	q := dbsqlc.New(conn)
	// Those that look for the occurrence first.
	if _, err := q.RenewClaim(t.Context(), dbsqlc.RenewClaimParams{}); !errors.Is(err, pgx.ErrNoRows) {
		t.Fatal(err)
	}
	if _, err := q.CompleteClaim(t.Context(), dbsqlc.CompleteClaimParams{}); !errors.Is(err, pgx.ErrNoRows) {
		t.Fatal(err)
	}
	plans := preparedPlans(t, conn)
	for name, want := range indexes {
		plan := plans[name]
		if !strings.Contains(plan, want.uses) || want.sorted && strings.Contains(plan, "Sort") {
			t.Errorf("%s does not go along %s:\n%s", name, want.uses, plan)
		}
		for _, bad := range []string{"Seq Scan", "Hash Join", "Merge Join"} {
			if strings.Contains(plan, bad) {
				t.Errorf("%s: %s in\n%s", name, bad, plan)
			}
		}
	}
	// Whether another occurrence names the run is asked of those that name it.
	if plan := plans["RivalsOf"]; !strings.Contains(plan, "using schedule_occurrences_run_idx") {
		t.Errorf("RivalsOf does not go along schedule_occurrences_run_idx:\n%s", plan)
	}
	// A clock that is read for each row bounds no index, and all claims are read to
	// find the few that have ended.
	if plan := plans["LockExpired"]; !strings.Contains(plan, "Index Cond: (lease_expires_at < ") {
		t.Errorf("LockExpired reads claims that last:\n%s", plan)
	}
}
