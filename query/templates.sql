-- TemplatesByID loads templates.
-- name: TemplatesByID :many
SELECT * FROM test_coordination.templates WHERE template_id = ANY (sqlc.arg(ids)::text[]);

-- TemplateVersionsByHash loads what describes the named contents, without their texts.
-- name: TemplateVersionsByHash :many
SELECT v.template_id, v.number, v.content_hash, v.author, v.change_note, v.published_at, v.marks
FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(hashes)::bytea[])) AS u(id, hash)
JOIN test_coordination.template_versions AS v ON v.template_id = u.id AND v.content_hash = u.hash;

-- TemplateText is the text of the version that a scenario names: by number, by
-- sha-256 in hex, or (empty) the current one.
-- name: TemplateText :one
SELECT v.definition FROM test_coordination.templates AS t
JOIN test_coordination.template_versions AS v ON v.template_id = t.template_id
WHERE t.template_id = sqlc.arg(template_id)
  AND CASE WHEN sqlc.arg(version)::text = '' THEN v.content_hash = t.current_hash
    ELSE v.number::text = sqlc.arg(version)::text OR encode(v.content_hash, 'hex') = lower(sqlc.arg(version)::text) END;

-- SaveTemplate is part of S4e.
-- name: SaveTemplate :batchexec
INSERT INTO test_coordination.templates AS t (template_id, version, versions, current_hash, author, change_note, published_at, created_at, marks, changed_at)
VALUES (sqlc.arg(template_id), 1, sqlc.arg(versions), sqlc.arg(current_hash), sqlc.arg(author), sqlc.arg(change_note), sqlc.arg(published_at), sqlc.arg(created_at), sqlc.arg(marks), sqlc.arg(changed_at))
ON CONFLICT (template_id) DO UPDATE SET
  version = t.version + 1, versions = excluded.versions, current_hash = excluded.current_hash, author = excluded.author, change_note = excluded.change_note,
  published_at = excluded.published_at, created_at = excluded.created_at, marks = excluded.marks, changed_at = excluded.changed_at;

-- SaveTemplateVersion is part of S4e. The text of a content never changes.
-- name: SaveTemplateVersion :batchexec
INSERT INTO test_coordination.template_versions (template_id, number, content_hash, definition, author, change_note, published_at, marks)
VALUES (sqlc.arg(template_id), sqlc.arg(number), sqlc.arg(content_hash), sqlc.arg(definition), sqlc.arg(author), sqlc.arg(change_note), sqlc.arg(published_at), sqlc.arg(marks))
ON CONFLICT (template_id, number) DO UPDATE SET
  author = excluded.author, change_note = excluded.change_note, published_at = excluded.published_at, marks = excluded.marks;

-- TemplateVersionsOf are all contents of one template.
-- name: TemplateVersionsOf :many
SELECT * FROM test_coordination.template_versions WHERE template_id = $1 ORDER BY number;

-- TemplateVersion is one content of a template: by number, by sha-256 in hex, or
-- (empty) the current one.
-- name: TemplateVersion :one
SELECT v.* FROM test_coordination.templates AS t
JOIN test_coordination.template_versions AS v ON v.template_id = t.template_id
WHERE t.template_id = sqlc.arg(template_id)
  AND CASE WHEN sqlc.arg(version)::text = '' THEN v.content_hash = t.current_hash
    ELSE v.number::text = sqlc.arg(version)::text OR encode(v.content_hash, 'hex') = sqlc.arg(version)::text END;

-- TemplatesPage walks templates by id, each with the number of its current
-- version.
-- name: TemplatesPage :many
SELECT sqlc.embed(t), COALESCE((SELECT v.number FROM test_coordination.template_versions AS v
    WHERE v.template_id = t.template_id AND v.content_hash = t.current_hash), 0)::integer AS current_number
FROM test_coordination.templates AS t WHERE t.template_id > sqlc.arg(after) ORDER BY t.template_id LIMIT sqlc.arg(page);

-- TemplateByID is one template, with the number of its current version.
-- name: TemplateByID :one
SELECT sqlc.embed(t), COALESCE((SELECT v.number FROM test_coordination.template_versions AS v
    WHERE v.template_id = t.template_id AND v.content_hash = t.current_hash), 0)::integer AS current_number
FROM test_coordination.templates AS t WHERE t.template_id = $1;
