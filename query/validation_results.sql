-- ValidationsTouched tells what is known of validations before a fold: a new
-- one replaces all other columns, so they are not read.
-- name: ValidationsTouched :batchmany
SELECT v.execution_id, v.run, v.validation_id, v.order_key, v.status
FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(validation_ids)::text[]), unnest(sqlc.arg(buckets)::date[])) AS u(id, run, validation_id, bucket)
JOIN test_coordination.validation_results AS v ON v.execution_id = u.id AND v.run = u.run AND v.validation_id = u.validation_id AND v.bucket = u.bucket;

-- ValidationsOfRun are all validations of one run.
-- name: ValidationsOfRun :many
SELECT * FROM test_coordination.validation_results WHERE execution_id = $1 AND run = $2 AND bucket = $3 ORDER BY validation_id;

-- InsertValidations is part of S4e: validations that are not stored yet.
-- name: InsertValidations :copyfrom
INSERT INTO test_coordination.validation_results
  (bucket, execution_id, run, validation_id, order_key, assertion_type, status, recorded_at, phase, step_id, fault_id, service, expected, actual, operator, threshold,
   unit, within_seconds, observed_after_seconds, message, evidence, steady_state, correlation_id)
VALUES
  (sqlc.arg(bucket), sqlc.arg(execution_id), sqlc.arg(run), sqlc.arg(validation_id), sqlc.arg(order_key), sqlc.arg(assertion_type), sqlc.arg(status),
   sqlc.arg(recorded_at), sqlc.arg(phase), sqlc.arg(step_id), sqlc.arg(fault_id), sqlc.arg(service), sqlc.arg(expected), sqlc.arg(actual), sqlc.arg(operator),
   sqlc.narg(threshold), sqlc.arg(unit), sqlc.narg(within_seconds), sqlc.narg(observed_after_seconds), sqlc.arg(message), sqlc.narg(evidence), sqlc.arg(steady_state),
   sqlc.arg(correlation_id));

-- SaveValidations is part of S4e: those that are stored. NaN stands for NULL.
-- name: SaveValidations :exec
INSERT INTO test_coordination.validation_results
  (bucket, execution_id, run, validation_id, order_key, assertion_type, status, recorded_at, phase, step_id, fault_id, service, expected, actual,
   operator, threshold, unit, within_seconds, observed_after_seconds, message, evidence, steady_state, correlation_id)
SELECT u.bucket, u.id, u.run, u.validation_id, u.order_key, u.assertion_type, u.status, u.recorded_at, u.phase, u.step_id, u.fault_id, u.service, u.expected, u.actual,
   u.operator, NULLIF(u.threshold, 'NaN'), u.unit, NULLIF(u.within_seconds, 'NaN'), NULLIF(u.observed_after, 'NaN'), u.message, u.evidence, u.steady_state, u.correlation_id
FROM ROWS FROM (
  unnest(sqlc.arg(buckets)::date[]), unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(validation_ids)::text[]),
  unnest(sqlc.arg(order_keys)::bytea[]), unnest(sqlc.arg(assertion_types)::text[]), unnest(sqlc.arg(statuses)::text[]), unnest(sqlc.arg(recorded)::timestamptz[]),
  unnest(sqlc.arg(phases)::text[]), unnest(sqlc.arg(step_ids)::text[]), unnest(sqlc.arg(fault_ids)::text[]), unnest(sqlc.arg(services)::text[]),
  unnest(sqlc.arg(expected)::text[]), unnest(sqlc.arg(actual)::text[]), unnest(sqlc.arg(operators)::text[]), unnest(sqlc.arg(thresholds)::double precision[]),
  unnest(sqlc.arg(units)::text[]), unnest(sqlc.arg(within_seconds)::double precision[]), unnest(sqlc.arg(observed_after_seconds)::double precision[]), unnest(sqlc.arg(messages)::text[]),
  unnest(sqlc.arg(evidence)::jsonb[]), unnest(sqlc.arg(steady_states)::text[]), unnest(sqlc.arg(correlation_ids)::text[])
) AS u(bucket, id, run, validation_id, order_key, assertion_type, status, recorded_at, phase, step_id, fault_id, service, expected, actual,
   operator, threshold, unit, within_seconds, observed_after, message, evidence, steady_state, correlation_id)
ON CONFLICT (execution_id, run, validation_id, bucket) DO UPDATE SET
  order_key = excluded.order_key, assertion_type = excluded.assertion_type, status = excluded.status, recorded_at = excluded.recorded_at,
  phase = excluded.phase, step_id = excluded.step_id, fault_id = excluded.fault_id, service = excluded.service, expected = excluded.expected,
  actual = excluded.actual, operator = excluded.operator, threshold = excluded.threshold, unit = excluded.unit,
  within_seconds = excluded.within_seconds, observed_after_seconds = excluded.observed_after_seconds, message = excluded.message,
  evidence = excluded.evidence, steady_state = excluded.steady_state, correlation_id = excluded.correlation_id;

-- ValidationsPage is a page of the validations of a run.
-- name: ValidationsPage :many
SELECT * FROM test_coordination.validation_results
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket) AND validation_id > sqlc.arg(after)
ORDER BY validation_id LIMIT sqlc.arg(page);
