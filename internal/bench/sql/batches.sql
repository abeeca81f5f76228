-- Which batch each stored event belongs to, when $1 events of a partition are
-- one: batches of the partitions by turns, as the service writes them.
SET work_mem = '256MB';
CREATE TEMPORARY TABLE bench_batches AS
SELECT e.execution_id, e.run, e.arrival, e.kafka_offset,
       row_number() OVER (PARTITION BY e.execution_id, e.run ORDER BY e.arrival) - 1 AS place,
       count(*) OVER (PARTITION BY e.execution_id, e.run) AS places,
       (dense_rank() OVER (ORDER BY e.turn, e.partition) - 1)::integer AS batch
FROM (
  SELECT v.execution_id, v.run, v.arrival, v.kafka_offset, v.partition,
         (row_number() OVER (PARTITION BY v.partition ORDER BY v.kafka_offset) - 1) / batch_size AS turn
  FROM test_coordination.execution_events AS v
) AS e;
CREATE INDEX ON bench_batches (execution_id, run, arrival);
CREATE INDEX ON bench_batches (execution_id, run, place);
ANALYZE bench_batches;
