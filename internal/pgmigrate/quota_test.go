package pgmigrate_test

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

// Records that were quarantined before they were counted are counted.
func TestTheQuotaBeginsWithWhatIsOpen(t *testing.T) {
	t.Parallel()
	const before, quota = "20261123050000", "20261125163606"
	db := testenv.EmptyPostgres(t)
	up(t, db.URL, pgmigrate.Options{Migrations: until(t, before)})
	exec(t, db.URL, `INSERT INTO test_coordination.quarantined_records (topic, partition, generation, kafka_offset, reason, record_value, status, quarantined_at)
		SELECT 't', 0, 1, n, 'json', 'value', CASE WHEN n < 3 THEN 'open' ELSE 'discarded' END, now() FROM generate_series(0, 9) AS n`)
	up(t, db.URL, pgmigrate.Options{Migrations: until(t, quota)})
	var records, bytes int64
	if err := db.Pool(t).QueryRow(t.Context(), `SELECT open_records, open_bytes FROM test_coordination.quarantine_usage`).Scan(&records, &bytes); err != nil {
		t.Fatal(err)
	}
	if want := int64(3 * (512 + len("value") + len("[]"))); records != 3 || bytes != want {
		t.Errorf("%d records of %d bytes are counted, want 3 of %d", records, bytes, want)
	}
}

// until is the directory of migrations as it was at a version.
func until(t *testing.T, version string) fs.FS {
	t.Helper()
	all := schema.Migrations()
	names, err := fs.Glob(all, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	var files []fstest.MapFS
	for _, name := range names {
		if name > version+"_~" {
			continue
		}
		content, err := fs.ReadFile(all, name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, fstest.MapFS{name: &fstest.MapFile{Data: content}})
	}
	return dir(t, files...)
}
