-- set comment to column: "record_value" on table: "quarantined_records"
COMMENT ON COLUMN "test_coordination"."quarantined_records"."record_value" IS 'NULL for a tombstone. Where complete is false only the first bytes: 64 KiB of a record that is too large, 1 KiB when the quarantine was over its soft limit, none when the record was never read. Given up when the record is settled.';
-- create "quarantine_usage" table
CREATE TABLE "test_coordination"."quarantine_usage" (
  "singleton" boolean NOT NULL DEFAULT true,
  "open_records" bigint NOT NULL DEFAULT 0,
  "open_bytes" bigint NOT NULL DEFAULT 0,
  PRIMARY KEY ("singleton"),
  CONSTRAINT "quarantine_usage_singleton_check" CHECK (singleton)
);
-- set comment to table: "quarantine_usage"
COMMENT ON TABLE "test_coordination"."quarantine_usage" IS 'What the open quarantined records take, in one row. Triggers keep it, so that it is exact whoever writes; a batch that quarantines locks it and decides by it.';
-- set comment to column: "open_bytes" on table: "quarantine_usage"
COMMENT ON COLUMN "test_coordination"."quarantine_usage"."open_bytes" IS 'Sum of quarantined_bytes over the open records.';
CREATE OR REPLACE FUNCTION "test_coordination"."quarantined_bytes"(record_key bytea, record_value bytea, record_headers jsonb, field text, detail text) RETURNS bigint
LANGUAGE sql IMMUTABLE
AS $$
  SELECT 512 + coalesce(octet_length(record_key), 0) + coalesce(octet_length(record_value), 0) + octet_length(record_headers::text)
       + octet_length(field) + octet_length(detail)::bigint;
$$;
COMMENT ON FUNCTION "test_coordination"."quarantined_bytes"(bytea, bytea, jsonb, text, text) IS 'What a quarantined record is counted with: its bytes, and 512 for the row and its index entries.';
CREATE OR REPLACE FUNCTION "test_coordination"."count_quarantined"() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
  records bigint := 0;
  bytes   bigint := 0;
BEGIN
  IF TG_OP <> 'INSERT' THEN
    SELECT -count(*), -coalesce(sum(test_coordination.quarantined_bytes(r.record_key, r.record_value, r.record_headers, r.field, r.detail)), 0)
    INTO records, bytes FROM former AS r WHERE r.status = 'open';
  END IF;
  IF TG_OP <> 'DELETE' THEN
    SELECT records + count(*), bytes + coalesce(sum(test_coordination.quarantined_bytes(r.record_key, r.record_value, r.record_headers, r.field, r.detail)), 0)
    INTO records, bytes FROM latest AS r WHERE r.status = 'open';
  END IF;
  IF records <> 0 OR bytes <> 0 THEN
    INSERT INTO test_coordination.quarantine_usage AS u (open_records, open_bytes) VALUES (records, bytes)
    ON CONFLICT (singleton) DO UPDATE SET open_records = u.open_records + excluded.open_records, open_bytes = u.open_bytes + excluded.open_bytes;
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION "test_coordination"."count_quarantined"() IS 'Keeps quarantine_usage: what a statement adds to, or takes from, the open quarantined records.';
CREATE OR REPLACE TRIGGER "quarantined_records_count_insert" AFTER INSERT ON "test_coordination"."quarantined_records"
  REFERENCING NEW TABLE AS latest FOR EACH STATEMENT EXECUTE FUNCTION "test_coordination"."count_quarantined"();
CREATE OR REPLACE TRIGGER "quarantined_records_count_update" AFTER UPDATE ON "test_coordination"."quarantined_records"
  REFERENCING OLD TABLE AS former NEW TABLE AS latest FOR EACH STATEMENT EXECUTE FUNCTION "test_coordination"."count_quarantined"();
CREATE OR REPLACE TRIGGER "quarantined_records_count_delete" AFTER DELETE ON "test_coordination"."quarantined_records"
  REFERENCING OLD TABLE AS former FOR EACH STATEMENT EXECUTE FUNCTION "test_coordination"."count_quarantined"();
-- What is open already. The triggers hold off writers until the end of this transaction, so that none is counted twice or not at all.
INSERT INTO "test_coordination"."quarantine_usage" (open_records, open_bytes)
SELECT count(*), coalesce(sum("test_coordination"."quarantined_bytes"(record_key, record_value, record_headers, field, detail)), 0)
FROM "test_coordination"."quarantined_records" WHERE status = 'open';
