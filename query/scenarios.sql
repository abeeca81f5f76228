-- ScenariosByID loads scenarios.
-- name: ScenariosByID :many
SELECT * FROM test_coordination.scenarios WHERE scenario_id = ANY (sqlc.arg(ids)::text[]);

-- ScenarioVersionsByHash loads what describes the named contents, without their texts.
-- name: ScenarioVersionsByHash :many
SELECT v.scenario_id, v.number, v.content_hash, v.author, v.change_note, v.published_at, v.marks
FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(hashes)::bytea[])) AS u(id, hash)
JOIN test_coordination.scenario_versions AS v ON v.scenario_id = u.id AND v.content_hash = u.hash;

-- SaveScenario is part of S4e.
-- name: SaveScenario :batchexec
INSERT INTO test_coordination.scenarios AS s
  (scenario_id, version, versions, status, current_hash, scenario_type, category, services_under_test, expected_outcomes, tags, author, change_note,
   template_id, template_version, template_parameters, published_at, dependencies_order, created_at, updated_at, marks, changed_at)
VALUES
  (sqlc.arg(scenario_id), 1, sqlc.arg(versions), sqlc.arg(status), sqlc.narg(current_hash), sqlc.arg(scenario_type), sqlc.arg(category), sqlc.arg(services_under_test), sqlc.arg(expected_outcomes), sqlc.arg(tags), sqlc.arg(author), sqlc.arg(change_note),
   sqlc.arg(template_id), sqlc.arg(template_version), sqlc.narg(template_parameters), sqlc.narg(published_at), sqlc.narg(dependencies_order), sqlc.arg(created_at), sqlc.arg(updated_at), sqlc.arg(marks), sqlc.arg(changed_at))
ON CONFLICT (scenario_id) DO UPDATE SET
  version = s.version + 1, versions = excluded.versions, status = excluded.status, current_hash = excluded.current_hash,
  scenario_type = excluded.scenario_type, category = excluded.category, services_under_test = excluded.services_under_test,
  expected_outcomes = excluded.expected_outcomes, tags = excluded.tags, author = excluded.author, change_note = excluded.change_note,
  template_id = excluded.template_id, template_version = excluded.template_version, template_parameters = excluded.template_parameters,
  published_at = excluded.published_at, dependencies_order = excluded.dependencies_order, created_at = excluded.created_at, updated_at = excluded.updated_at,
  marks = excluded.marks, changed_at = excluded.changed_at;

-- SaveScenarioVersion is part of S4e. The text of a content never changes.
-- name: SaveScenarioVersion :batchexec
INSERT INTO test_coordination.scenario_versions (scenario_id, number, content_hash, definition, author, change_note, published_at, marks)
VALUES (sqlc.arg(scenario_id), sqlc.arg(number), sqlc.arg(content_hash), sqlc.arg(definition), sqlc.arg(author), sqlc.arg(change_note), sqlc.arg(published_at), sqlc.arg(marks))
ON CONFLICT (scenario_id, number) DO UPDATE SET
  author = excluded.author, change_note = excluded.change_note, published_at = excluded.published_at, marks = excluded.marks;

-- ScenarioVersionsOf are all contents of one scenario.
-- name: ScenarioVersionsOf :many
SELECT * FROM test_coordination.scenario_versions WHERE scenario_id = $1 ORDER BY number;

-- ScenarioVersion is one content of a scenario: by number, by sha-256 in hex, or
-- (empty) the current one.
-- name: ScenarioVersion :one
SELECT v.* FROM test_coordination.scenarios AS s
JOIN test_coordination.scenario_versions AS v ON v.scenario_id = s.scenario_id
WHERE s.scenario_id = sqlc.arg(scenario_id)
  AND CASE WHEN sqlc.arg(version)::text = '' THEN v.content_hash = s.current_hash
    ELSE v.number::text = sqlc.arg(version)::text OR encode(v.content_hash, 'hex') = sqlc.arg(version)::text END;

-- ScenarioVersionsPage is a page of a scenario's contents, newest first, without
-- their texts.
-- name: ScenarioVersionsPage :many
SELECT scenario_id, number, content_hash, author, change_note, published_at, marks FROM test_coordination.scenario_versions
WHERE scenario_id = sqlc.arg(scenario_id) AND number < sqlc.arg(before) ORDER BY number DESC LIMIT sqlc.arg(page);

-- ScenariosPage walks scenarios by id, each with the number of its current
-- version.
-- name: ScenariosPage :many
SELECT sqlc.embed(s), COALESCE((SELECT v.number FROM test_coordination.scenario_versions AS v
    WHERE v.scenario_id = s.scenario_id AND v.content_hash = s.current_hash), 0)::integer AS current_number
FROM test_coordination.scenarios AS s WHERE s.scenario_id > sqlc.arg(after) ORDER BY s.scenario_id LIMIT sqlc.arg(page);

-- ScenarioByID is one scenario, with the number of its current version.
-- name: ScenarioByID :one
SELECT sqlc.embed(s), COALESCE((SELECT v.number FROM test_coordination.scenario_versions AS v
    WHERE v.scenario_id = s.scenario_id AND v.content_hash = s.current_hash), 0)::integer AS current_number
FROM test_coordination.scenarios AS s WHERE s.scenario_id = $1;

-- ScenarioStatuses are the statuses of the given scenarios.
-- name: ScenarioStatuses :many
SELECT scenario_id, status FROM test_coordination.scenarios WHERE scenario_id = ANY (sqlc.arg(ids)::text[]);
