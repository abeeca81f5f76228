package ingest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event/eventtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// typeRows says by which query the row of a type's golden event is seen, in
// which every column that the event fills is compared with what it says.
var typeRows = map[fact.Type]string{
	fact.TypeTemplatePublished: `SELECT count(*) FROM templates t JOIN template_versions v USING (template_id)
		WHERE template_id = 'tpl-exchange-disruption' AND t.author = 'Ada' AND t.change_note = 'first' AND t.versions = 1 AND v.number = 1
		AND v.content_hash = t.current_hash AND v.content_hash = sha256(convert_to(v.definition, 'UTF8')) AND v.definition LIKE 'apiVersion: chaos.trading/v1%'`,
	fact.TypeScenarioPublished: `SELECT count(*) FROM scenarios s JOIN scenario_versions v USING (scenario_id)
		WHERE scenario_id = 'market-crash' AND status = 'active' AND scenario_type = 'combined' AND category = 'market' AND services_under_test = '{risk-monitor,exchange}'
		AND expected_outcomes = '{"alert within 4h"}' AND tags = '{nightly,36h}' AND s.author = 'Ada' AND s.change_note = '=HYPERLINK(1)'
		AND template_id = 'tpl-exchange-disruption' AND template_version = '3' AND template_parameters->>'factor' = '1.5' AND v.number = 1 AND v.content_hash = s.current_hash`,
	fact.TypeScenarioStatusChanged: `SELECT count(*) FROM scenarios WHERE scenario_id = 'market-crash' AND status = 'active' AND current_hash IS NULL`,
	fact.TypeDependenciesDeclared: `SELECT count(*)/2 FROM scenario_dependencies WHERE scenario_id = 'market-crash'
		AND (depends_on, kind, coalesce(max_age_seconds, 0)) IN (('smoke', 'requires_success', 86400), ('failover', 'must_not_overlap', 0))`,
	fact.TypeScheduleSet: `SELECT count(*) FROM schedules WHERE schedule_id = 'nightly' AND NOT removed AND scenario_id = 'market-crash' AND kind = 'cron' AND cron = '0 3 * * 1-5'
		AND time_zone = 'Europe/Zurich' AND enabled AND concurrency_policy = 'forbid' AND starting_deadline_seconds = 600
		AND not_before = '2026-01-01Z' AND not_after = '2027-01-01Z' AND parameters = '{"depth": 2}'`,
	fact.TypeScheduleRemoved: `SELECT count(*) FROM schedules WHERE schedule_id = 'nightly' AND removed AND kind IS NULL`,

	fact.TypeRequested: `SELECT count(*) FROM executions e JOIN execution_details d USING (execution_id, run)
		WHERE status = 'pending' AND scenario_id = 'market-crash' AND scenario_version = '7' AND environment = 'staging' AND trigger_type = 'schedule' AND trigger_actor = 'nightly'
		AND attempt = 1 AND group_id = 'release-42' AND dry_run = false AND requested_at IS NOT NULL AND labels = '{"team": "risk", "build": "42"}'
		AND parameters = '{"factor": 2}' AND configuration_snapshot = '[1, "two", null]'`,
	fact.TypeStarted: `SELECT count(*) FROM executions e JOIN execution_details d USING (execution_id, run)
		WHERE status = 'running' AND coordinator_id = 'coordinator-1' AND start_source = '/coordinator/a' AND run_id = 'run/7' AND started_at = '2026-04-01T12:00:00.123456Z'
		AND deadline = '2026-04-03T12:00:00Z' AND configuration_snapshot->'retries' = '3'`,
	fact.TypeHeartbeat: `SELECT count(*) FROM executions e JOIN execution_details d USING (execution_id, run)
		WHERE progress = 0.25 AND message = 'injecting' AND current_phase = 'injection' AND system_state->>'exchange' = 'degraded' AND last_heartbeat_at = last_event_at`,
	fact.TypePaused:  `SELECT count(*) FROM executions WHERE status = 'paused' AND pause_reason = 'manual'`,
	fact.TypeResumed: `SELECT count(*) FROM executions WHERE status = 'running' AND pause_reason = ''`,
	fact.TypePhaseStarted: `SELECT count(*) FROM execution_phases JOIN executions USING (execution_id, run, bucket) WHERE phase = 'injection' AND ordinal = 0
		AND execution_phases.status = 'running' AND description = 'depeg' AND execution_phases.started_at IS NOT NULL AND phases_total = 1 AND current_phase = 'injection'`,
	fact.TypePhaseFinished: `SELECT count(*) FROM execution_phases WHERE phase = 'injection' AND status = 'failed' AND error = 'timed out' AND finished_at IS NOT NULL`,
	fact.TypeStepStarted: `SELECT count(*) FROM execution_steps WHERE step_id = 'step-1' AND attempt = 2 AND kind = 'parallel_action' AND phase = 'injection' AND service = 'exchange'
		AND action = 'delay' AND parameters = '{"ms": 250}' AND status = 'running' AND started_at IS NOT NULL AND finished_at IS NULL`,
	fact.TypeStepFinished: `SELECT count(*) FROM execution_steps WHERE step_id = 'step-1' AND attempt = 1 AND kind = 'action' AND status = 'passed' AND duration_seconds = 90.25
		AND started_at = '2026-04-01T12:00:00.5Z' AND finished_at IS NOT NULL AND error = 'none'`,
	fact.TypeFaultInjected: `SELECT count(*) FROM fault_injections JOIN executions USING (execution_id, run, bucket) WHERE fault_id = 'fault-1' AND fault_type = 'network_latency'
		AND target_service = 'exchange' AND fault_injections.status = 'in_progress' AND blast_radius = 'one venue' AND error = 'slow' AND injected_at IS NOT NULL AND faults_active = 1`,
	fact.TypeFaultCleared:   `SELECT count(*) FROM fault_injections WHERE fault_id = 'fault-1' AND status = 'pending' AND clear_error = 'stuck' AND cleared_at IS NULL`,
	fact.TypeFaultRecovered: `SELECT count(*) FROM fault_injections WHERE fault_id = 'fault-1' AND status = 'recovered' AND recovery_seconds = 12 AND recovered_at IS NOT NULL`,
	fact.TypeValidationRecorded: `SELECT count(*) FROM validation_results JOIN executions USING (execution_id, run, bucket) WHERE validation_id = 'val-1' AND assertion_type = 'alert_raised'
		AND validation_results.status = 'failed' AND fault_id = 'fault-1' AND expected = 'alert' AND actual = 'none' AND operator = '<=' AND threshold = 0 AND unit = 's'
		AND within_seconds = 14400 AND observed_after_seconds = 0 AND evidence = '{"alerts": []}' AND steady_state = 'after' AND correlation_id = 'corr/1' AND validations_failed = 1`,
	fact.TypeSnapshotCaptured: `SELECT count(*) FROM system_snapshots JOIN executions USING (execution_id, run, bucket) WHERE snapshot_id = 'snap-1' AND kind = 'pre_injection'
		AND service = 'exchange' AND health = 'healthy' AND state::text = '{"book":[[1,2],[3,4]],"open":true}' AND metrics = '{"p99_ms": 12.5, "orders": 1200}' AND snapshots = 1`,
	fact.TypeLogAppended: `SELECT count(*)/2 FROM execution_logs JOIN executions USING (execution_id, run, bucket) WHERE log_lines = 2
		AND (line, level, execution_logs.message) IN ((0, 'info', E'started\n{"level":"error"}'), (1, '', E'\x1b[2J'))`,
	fact.TypeFinished: `SELECT count(*) FROM executions JOIN execution_details USING (execution_id, run)
		WHERE status = 'passed' AND reported_outcome = 'passed' AND exit_code = 0 AND error_message = 'none' AND summary = '"all good"' AND ended_at IS NOT NULL AND end_order IS NOT NULL`,
}

func TestEachTypeFromRecordToRowToLiveState(t *testing.T) {
	t.Parallel()
	for _, typ := range fact.Types() {
		t.Run(typ.Short(), func(t *testing.T) {
			t.Parallel()
			query, ok := typeRows[typ]
			if !ok {
				t.Fatal("the type has no query for its row")
			}
			w := newWorld(t)
			w.produce(eventtest.Golden(t, typ)...)
			w.run()

			w.wantReasons()
			w.wantSums(1, 3, 0) // the same event in four forms
			w.verify()
			if n := w.count(query); n != 1 {
				t.Errorf("%d rows as the event says, want 1", n)
			}
			events := "SELECT count(*) FROM definition_events WHERE type = '" + string(typ) + "'"
			if typ.OfExecution() {
				events = "SELECT count(*) FROM execution_events WHERE type = '" + string(typ) + "' AND extensions->>'tenant' = 't1' AND correlation_id = 'order 66'"
				w.wantLive("exec-market-crash-001")
			}
			if n := w.count(events); n != 1 {
				t.Errorf("%d stored events, want 1", n)
			}
		})
	}
}

// wantLive sees that Redis shows what the row says.
func (w *world) wantLive(id execution.ID) {
	w.Helper()
	runs, err := w.store.RunsAfter(w.Context(), pgstore.RunKey{ID: id}, 1)
	if err != nil || len(runs) != 1 {
		w.Fatalf("run of %s: %v, error %v", id, runs, err)
	}
	live, _, ok, err := w.live.State(w.Context(), id)
	if err != nil || !ok {
		w.Errorf("live state of %s: found %t, error %v", id, ok, err)
		return
	}
	if live.Version != runs[0].Version || live.Status != runs[0].Status || live.Events != runs[0].Counts.Events {
		w.Errorf("live state %+v, stored %+v", live, runs[0])
	}
}

// count runs a query of one number in the service's schema.
func (w *world) count(query string) int {
	w.Helper()
	var n int
	// Not w.db.Pool, which stays open until the test ends: rows ask this again and again.
	conn, err := pgx.Connect(w.Context(), w.db.URL)
	if err != nil {
		w.Fatalf("%s: %v", query, err)
	}
	defer conn.Close(w.Context()) //nolint:errcheck // all of it was read
	err = pgx.BeginFunc(w.Context(), conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(w.Context(), "SET LOCAL search_path = test_coordination"); err != nil {
			return err
		}
		return tx.QueryRow(w.Context(), query).Scan(&n)
	})
	if err != nil {
		w.Fatalf("%s: %v", query, err)
	}
	return n
}
