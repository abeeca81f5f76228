//go:build interop

package e2e_test

import (
	"bytes"
	"context"
	_ "embed" // the requirements
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/bulk"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/chaostoolkit/chaostoolkittest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv/pythonenv"
)

//go:embed requirements-tools.txt
var toolRequirements []byte

// toolEnvironment has the Chaos Toolkit, pyarrow and DuckDB.
var toolEnvironment = sync.OnceValues(func() (python string, err error) { return pythonenv.Interpreter(toolRequirements) })

// The Chaos Toolkit itself runs experiments here; what is stored of its journals
// is what they say. Then everything is exported, and read by pyarrow and DuckDB.
func TestPythonToolsAgree(t *testing.T) {
	t.Parallel()
	python, err := toolEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldOn(t, testenv.Kafka(t))
	dir := w.experiments()
	files := make([]string, 0, 4)
	for _, experiment := range []struct {
		name string
		exit int
	}{{"passing", 0}, {"deviated", 1}, {"failing-activity", 0}, {"unsteady", 0}, {"broken-probe", 1}, {"deviated-by-crash", 1}} {
		files = append(files, w.runExperiment(python, dir, experiment.name, experiment.exit))
	}
	imported := start(t, w.env, "tcda", append([]string{"import", "chaostoolkit", "--json", "--environment==1+1 <b>"}, files...)...)
	imported.wantSuccess()
	var report []struct {
		File        string `json:"file"`
		ExecutionID string `json:"execution_id"`
		Events      int64  `json:"events"`
		Sent        int64  `json:"sent"`
	}
	if err := json.Unmarshal([]byte(imported.said.text()), &report); err != nil {
		t.Fatalf("%v: %s", err, imported.said.text())
	}
	service := w.serve()
	w.drain()
	pool := w.db.Pool(t)
	events := int64(0)
	for _, r := range report {
		text, err := os.ReadFile(r.File)
		if err != nil {
			t.Fatal(err)
		}
		chaostoolkittest.WantStored(t, pool, r.ExecutionID, text)
		events += r.Events
	}
	if taken := w.ingested(); taken != events {
		t.Errorf("%d records are taken, %d were said to be sent", taken, events)
	}
	w.verify()
	service.interrupt()
	service.wantSuccess()

	if _, err := pool.Exec(t.Context(), hostileView); err != nil {
		t.Fatal(err)
	}
	start(t, w.env, "tcda", "analytics", "rebuild", "--wait").wantSuccess() // or views of figures have no row yet
	exports := t.TempDir()
	start(t, w.env, "tcda", "export", "--all", "--format=parquet", "--output="+exports, "--part-rows=10").wantSuccess()
	views, err := filepath.Glob(filepath.Join(exports, "analytics_*"))
	if err != nil || len(views) < 5 {
		t.Fatalf("views: %v, %v", views, err)
	}
	for _, view := range views {
		w.wantReadBack(python, pool, view)
	}
}

// experiments are those that package chaostoolkit has its journals from, in a
// folder that they may write into.
func (w *world) experiments() string {
	w.Helper()
	dir := w.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../chaostoolkit/testdata/experiments")); err != nil {
		w.Fatal(err)
	}
	return dir
}

// runExperiment runs the tool, and gives its journal.
func (w *world) runExperiment(python, dir, name string, exit int) string {
	w.Helper()
	for file, text := range map[string]string{"state.txt": "up", "level.txt": "0"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			w.Fatal(err)
		}
	}
	journal := filepath.Join(dir, name+".journal.json")
	cmd := exec.CommandContext(context.WithoutCancel(w.Context()), filepath.Join(filepath.Dir(python), "chaos"),
		"--no-version-check", "run", "--rollback-strategy=always", "--journal-path="+journal, name+".json")
	cmd.Dir = dir
	if code := run(w, cmd, map[string]string{"PYTHONPATH": dir}).wait(); code != exit {
		w.Fatalf("chaos run %s: exit code %d, want %d", name, code, exit)
	}
	return journal
}

// hostileView has a column of every kind, and values that break things.
const hostileView = `CREATE VIEW test_coordination.analytics_hostile AS
SELECT * FROM (VALUES
	(1, 9223372036854775807::bigint, 0.1::double precision, true, '=HYPERLINK("http://evil","x")', '{"a": 1.50, "b": [null, "x"]}'::jsonb, '\x00ff'::bytea, '2026-04-01T12:00:00.123456+02:30'::timestamptz, '2026-04-01'::date, ARRAY['a', 'b,"c'], 12345678901234567890.12345::numeric),
	(2, -9223372036854775808, 'NaN', false, E'<script>\x1b[2J\u2028\U0001F600', '"=1+1"', '', 'infinity', '0001-01-01', '{}', 'NaN'),
	(3, 0, 'Infinity', NULL, '''; DROP TABLE executions; --', 'null', NULL, '-infinity', '9999-12-31', ARRAY[NULL, E'\n'], '-0.00'),
	(4, NULL, '-Infinity', NULL, E'\r\n\t', NULL, NULL, '0001-01-01T00:00:00Z', '1969-12-31', NULL, NULL),
	(5, NULL, 5e-324, NULL, '', NULL, NULL, '9999-12-31T23:59:59.999999Z', NULL, NULL, NULL),
	(6, NULL, '-0', NULL, NULL, NULL, NULL, '4713-01-01T00:00:00Z BC', NULL, NULL, NULL),
	(7, NULL, NULL, NULL, NULL, NULL, NULL, '290000-01-01T00:00:00Z', NULL, NULL, NULL)
) AS t ("n", "long", "double", "yes", "zz ""text"", =1", "json", "bytes", "at", "day", "list", "exact") ORDER BY n`

// wantReadBack compares every value of an export, as pyarrow reads it, with that
// in PostgreSQL.
func (w *world) wantReadBack(python string, pool *pgxpool.Pool, dir string) {
	w.Helper()
	manifest, err := bulk.ReadManifest(dir)
	if err != nil {
		w.Fatal(err)
	}
	cmd := exec.CommandContext(w.Context(), python, "readback.py", dir)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	said, err := cmd.Output()
	if err != nil {
		w.Fatalf("read %s back: %v\n%s", dir, err, &complaint)
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	got, described := lines[:len(lines)-1], lines[len(lines)-1]
	expressions := make([]string, len(manifest.Columns))
	duck := map[string]string{}
	for i, c := range manifest.Columns {
		expressions[i], duck[c.Name] = exact(w, c)
	}
	order := strings.Join(manifest.Key, ", ")
	keyed := order != ""
	if !keyed {
		order = "1"
	}
	rows, err := pool.Query(w.Context(), fmt.Sprintf("SELECT jsonb_build_array(%s)::text FROM test_coordination.%s ORDER BY %s", strings.Join(expressions, ", "), manifest.View, order))
	if err != nil {
		w.Fatal(err)
	}
	want, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.Fatal(err)
	}
	if !keyed { // in no order
		slices.Sort(want)
		slices.Sort(got)
	}
	if len(want) == 0 || int64(len(want)) != manifest.Rows {
		w.Errorf("%s: %d rows in the manifest, %d in PostgreSQL", manifest.View, manifest.Rows, len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("%s (-PostgreSQL +pyarrow):\n%s", manifest.View, diff)
	}
	var types map[string]string
	if err := json.Unmarshal([]byte(described), &types); err != nil {
		w.Fatal(err)
	}
	if diff := cmp.Diff(duck, types); diff != "" {
		w.Errorf("%s (-wanted of DuckDB +got):\n%s", manifest.View, diff)
	}
}

// exact is an expression for a column's values as readback.py prints them, and
// the type that DuckDB must find.
func exact(t testing.TB, c bulk.ManifestColumn) (expression, duck string) {
	t.Helper()
	name := pgx.Identifier{c.Name}.Sanitize()
	hexOf := func(text string) string { return "encode(convert_to(" + text + ", 'UTF8'), 'hex')" }
	switch c.Type {
	case "text":
		return hexOf(name), "VARCHAR"
	case "numeric":
		return hexOf(name + "::text"), "VARCHAR"
	case "jsonb":
		return hexOf(name + "::text"), "JSON"
	case "text[]", "integer[]", "bigint[]", "double precision[]":
		return hexOf("to_json(" + name + ")::text"), "JSON"
	case "bytea":
		return "encode(" + name + ", 'hex')", "BLOB"
	case "integer", "smallint":
		return name + "::text", "INTEGER"
	case "bigint":
		return name + "::text", "BIGINT"
	case "boolean":
		return name + "::text", "BOOLEAN"
	case "double precision":
		return "encode(float8send(" + name + "), 'hex')", "DOUBLE"
	case "date":
		return "(" + name + " - '1970-01-01'::date)::text", "DATE"
	case "timestamp with time zone":
		return "CASE " + name + " WHEN 'infinity' THEN '9223372036854775807' WHEN '-infinity' THEN '-9223372036854775807' ELSE (extract(epoch FROM " + name + ") * 1000000)::bigint::text END", "TIMESTAMP WITH TIME ZONE"
	}
	t.Fatalf("column %s is of type %s", c.Name, c.Type)
	return "", ""
}
