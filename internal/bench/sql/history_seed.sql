-- Puts the runs that have ended aside, to be multiplied, and empties the
-- service's own tables.
CREATE SCHEMA bench_seed;
CREATE TABLE bench_seed.executions AS SELECT * FROM test_coordination.executions WHERE settled_change_at IS NOT NULL;
CREATE TABLE bench_seed.execution_ids AS SELECT t.* FROM test_coordination.execution_ids AS t WHERE t.execution_id IN (SELECT execution_id FROM bench_seed.executions);
CREATE TABLE bench_seed.execution_details AS SELECT t.* FROM test_coordination.execution_details AS t JOIN bench_seed.executions AS e USING (execution_id, run);
CREATE TABLE bench_seed.execution_events AS SELECT t.* FROM test_coordination.execution_events AS t JOIN bench_seed.executions AS e USING (execution_id, run) ORDER BY t.kafka_offset, t.partition;
CREATE TABLE bench_seed.execution_phases AS SELECT t.* FROM test_coordination.execution_phases AS t JOIN bench_seed.executions AS e USING (execution_id, run) ORDER BY t.tableoid, t.ctid;
CREATE TABLE bench_seed.execution_steps AS SELECT t.* FROM test_coordination.execution_steps AS t JOIN bench_seed.executions AS e USING (execution_id, run) ORDER BY t.tableoid, t.ctid;
CREATE TABLE bench_seed.fault_injections AS SELECT t.* FROM test_coordination.fault_injections AS t JOIN bench_seed.executions AS e USING (execution_id, run) ORDER BY t.tableoid, t.ctid;
CREATE TABLE bench_seed.validation_results AS SELECT t.* FROM test_coordination.validation_results AS t JOIN bench_seed.executions AS e USING (execution_id, run) ORDER BY t.tableoid, t.ctid;
CREATE TABLE bench_seed.system_snapshots AS SELECT t.* FROM test_coordination.system_snapshots AS t JOIN bench_seed.executions AS e USING (execution_id, run) ORDER BY t.tableoid, t.ctid;
CREATE TABLE bench_seed.execution_logs AS SELECT t.* FROM test_coordination.execution_logs AS t JOIN bench_seed.executions AS e USING (execution_id, run) ORDER BY t.tableoid, t.ctid;
TRUNCATE test_coordination.executions, test_coordination.execution_ids, test_coordination.execution_details, test_coordination.execution_events,
         test_coordination.execution_phases, test_coordination.execution_steps, test_coordination.fault_injections, test_coordination.validation_results,
         test_coordination.system_snapshots, test_coordination.execution_logs, test_coordination.ingest_partitions;
