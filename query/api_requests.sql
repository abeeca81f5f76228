-- BeginRequest notes a request that writes. A repeat waits until the first has
-- committed or rolled back, and adds nothing.
-- name: BeginRequest :execrows
INSERT INTO test_coordination.api_requests (request_id, procedure, parameters, caller, received_at)
VALUES (sqlc.arg(request_id), sqlc.arg(procedure), sqlc.arg(parameters), sqlc.arg(caller), sqlc.arg(received_at))
ON CONFLICT (request_id) DO NOTHING;

-- FindRequest is a request that has been carried out; without its answer when that
-- has been forgotten.
-- name: FindRequest :one
SELECT procedure, parameters, answer FROM test_coordination.api_requests WHERE request_id = $1;

-- AnswerRequest notes what was answered.
-- name: AnswerRequest :exec
UPDATE test_coordination.api_requests SET answer = sqlc.arg(answer) WHERE request_id = sqlc.arg(request_id);

-- ForgetAnswers forgets the oldest answers, to requests of before a moment, so many
-- at once.
-- name: ForgetAnswers :execrows
UPDATE test_coordination.api_requests SET answer = NULL WHERE request_id IN (
  SELECT r.request_id FROM test_coordination.api_requests AS r WHERE r.received_at < sqlc.arg(before) AND r.answer IS NOT NULL ORDER BY r.received_at LIMIT sqlc.arg(most));
