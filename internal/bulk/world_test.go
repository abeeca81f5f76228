package bulk_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/bulk"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// world is a database with views, and a folder for exports.
type world struct {
	testing.TB
	db   *testenv.DB
	pool *pgxpool.Pool
	from *pgstore.ViewReader
	dir  string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, db: testenv.Postgres(t), dir: t.TempDir()}
	w.pool = w.db.Pool(t)
	w.from = w.reader()
	return w
}

func (w *world) reader() *pgstore.ViewReader {
	w.Helper()
	from, err := pgstore.OpenViewReader(w.Context(), pgstore.Config{URL: w.db.URL})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { from.Close(context.Background()) })
	return from
}

func (w *world) exec(sql string, args ...any) {
	w.Helper()
	if _, err := w.pool.Exec(w.Context(), sql, args...); err != nil {
		w.Fatal(err)
	}
}

// runs makes so many runs, of two scenarios by turns, one a minute.
func (w *world) runs(first, last int) {
	w.Helper()
	w.exec(`INSERT INTO test_coordination.executions (execution_id, run, bucket, version, status, lifecycle, marks, created_at, updated_at, scenario_id, environment, started_at, message, error_message)
		SELECT 'exec-' || lpad(n::text, 7, '0'), 1, '2026-04-01', 1, 'passed', 'running', '', at, at, 'scenario-' || n % 2, 'staging', at, repeat('m', 50), repeat('e', 50)
		FROM (SELECT n, '2026-04-01T00:00:00Z'::timestamptz + n * interval '1 minute' AS at FROM generate_series($1::integer, $2::integer) AS n) AS t`, first, last)
}

// validations makes one of each run.
func (w *world) validations() {
	w.Helper()
	w.exec(`INSERT INTO test_coordination.validation_results (bucket, execution_id, run, validation_id, order_key, assertion_type, status, recorded_at)
		SELECT bucket, execution_id, run, 'v', '', 'alert', 'passed', started_at FROM test_coordination.executions`)
}

func (w *world) view(name string) bulk.View {
	w.Helper()
	views, err := bulk.Views(w.Context(), w.from)
	if err != nil {
		w.Fatal(err)
	}
	v, err := bulk.Find(views, name)
	if err != nil {
		w.Fatal(err)
	}
	return v
}

// options are of a small export.
func (w *world) options(view string, format bulk.Format) bulk.Options {
	w.Helper()
	return bulk.Options{View: w.view(view), Format: format, Dir: w.dir, PartRows: 1_000_000, PartBytes: 1 << 40}
}

func (w *world) export(ctx context.Context, o bulk.Options) *bulk.Manifest {
	w.Helper()
	m, err := bulk.Export(ctx, w.from, o)
	if err != nil {
		w.Fatal(err)
	}
	w.wantWhole(o, m)
	return m
}

// wantWhole holds a folder against its manifest: the very files, and no others.
func (w *world) wantWhole(o bulk.Options, m *bulk.Manifest) {
	w.Helper()
	if !m.Complete {
		w.Error("the manifest says that the export is not complete")
	}
	dir := filepath.Join(o.Dir, o.View.Name)
	entries, err := os.ReadDir(dir)
	if err != nil {
		w.Fatal(err)
	}
	if len(entries) != len(m.Parts)+1 {
		w.Errorf("%d files for %d parts and a manifest: %v", len(entries), len(m.Parts), entries)
	}
	rows := int64(0)
	for i, p := range m.Parts {
		if want := fmt.Sprintf("part-%05d.%s", i+1, o.Format); p.File != want {
			w.Errorf("part %d is %s, want %s", i, p.File, want)
		}
		text := w.read(dir, p.File)
		if sum := sumOf(text); sum != p.SHA256 || int64(len(text)) != p.Bytes {
			w.Errorf("%s has %d bytes and sum %s, the manifest says %d and %s", p.File, len(text), sum, p.Bytes, p.SHA256)
		}
		rows += p.Rows
	}
	if rows != m.Rows {
		w.Errorf("%d rows in parts, %d in all", rows, m.Rows)
	}
}

func (w *world) read(dir, file string) []byte {
	w.Helper()
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		w.Fatal(err)
	}
	return text
}
