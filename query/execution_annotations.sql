-- InsertAnnotations is part of S4e.
-- name: InsertAnnotations :copyfrom
INSERT INTO test_coordination.execution_annotations (bucket, execution_id, run, order_key, annotated_at, author, text)
VALUES (sqlc.arg(bucket), sqlc.arg(execution_id), sqlc.arg(run), sqlc.arg(order_key), sqlc.arg(annotated_at), sqlc.arg(author), sqlc.arg(text));

-- AnnotationsPage is a page of the notes of a run, oldest first.
-- name: AnnotationsPage :many
SELECT order_key, annotated_at, author, text FROM test_coordination.execution_annotations
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket) AND order_key > sqlc.arg(after)
ORDER BY order_key LIMIT sqlc.arg(page);
