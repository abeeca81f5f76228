package pgmigrate_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"ariga.io/atlas/sql/migrate"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

func TestUpThenNothingToDo(t *testing.T) {
	t.Parallel()
	db := testenv.EmptyPostgres(t)
	want := versions(t, schema.Migrations())

	var steps []string
	opts := pgmigrate.Options{Operator: "test", Progress: func(s pgmigrate.Step) { steps = append(steps, s.Version) }}
	if diff := cmp.Diff(want, up(t, db.URL, opts)); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	if again := up(t, db.URL, opts); len(again) > 0 {
		t.Errorf("applied again: %v", again)
	}
	report := status(t, db.URL, opts)
	if report.Current != want[len(want)-1] || len(report.Pending) > 0 || report.Err() != nil {
		t.Errorf("status: %+v, %v", report, report.Err())
	}
	if done := report.Applied[0]; done.Operator != "test" || done.Kind != "applied" || time.Since(done.At) > time.Hour {
		t.Errorf("recorded: %+v", done)
	}
}

// Programs that start together migrate once, whoever comes first.
func TestUpTogether(t *testing.T) {
	t.Parallel()
	db := testenv.EmptyPostgres(t)
	var (
		all     sync.WaitGroup
		applied = make([][]string, 4)
		errs    = make([]error, 4)
	)
	for i := range applied {
		all.Go(func() { applied[i], errs[i] = pgmigrate.Up(t.Context(), db.URL, pgmigrate.Options{}) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if got := slices.Concat(applied...); len(got) != len(versions(t, schema.Migrations())) {
		t.Errorf("applied %v", applied)
	}
}

// The atlas CLI takes this very lock.
func TestUpWaitsForTheCLI(t *testing.T) {
	t.Parallel()
	db := testenv.EmptyPostgres(t)
	conn, err := db.Pool(t).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	name := fnv.New32()
	name.Write([]byte("atlas_migrate_execute"))
	if _, err := conn.Exec(t.Context(), `SELECT pg_advisory_lock($1)`, int64(name.Sum32())); err != nil {
		t.Fatal(err)
	}
	_, err = pgmigrate.Up(t.Context(), db.URL, pgmigrate.Options{LockTimeout: 50 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "wait for another migration") {
		t.Errorf("Up while the lock is held: %v", err)
	}
	if _, err := conn.Exec(t.Context(), `SELECT pg_advisory_unlock($1)`, int64(name.Sum32())); err != nil {
		t.Fatal(err)
	}
	up(t, db.URL, pgmigrate.Options{})
}

func TestUpRefuses(t *testing.T) {
	t.Parallel()
	one, two := file("1_one.sql", `CREATE TABLE test_coordination.one (id integer)`), file("2_two.sql", `CREATE TABLE test_coordination.two (id integer)`)
	tests := []struct {
		name     string
		arrange  func(t *testing.T, url string)
		dir      fs.FS
		contains string
	}{
		{"a schema made by hand", func(t *testing.T, url string) {
			t.Helper()
			exec(t, url, `CREATE SCHEMA test_coordination; CREATE TABLE test_coordination.stray (id integer)`)
		}, dir(t, one), "found test_coordination.stray although no migration is recorded"},
		{"an applied file that was edited", func(t *testing.T, url string) {
			t.Helper()
			up(t, url, pgmigrate.Options{Migrations: dir(t, one)})
		}, dir(t, file("1_one.sql", `CREATE TABLE test_coordination.other (id integer)`), two), "1 was edited after it had been applied"},
		{"a database that is newer", func(t *testing.T, url string) {
			t.Helper()
			up(t, url, pgmigrate.Options{Migrations: dir(t, one, two)})
		}, dir(t, one), "2 was applied but is not among the migrations"},
		{"a file added before an applied one", func(t *testing.T, url string) {
			t.Helper()
			up(t, url, pgmigrate.Options{Migrations: dir(t, file("0_zero.sql", `SELECT 1`), file("2_two.sql", `SELECT 2`))})
		}, dir(t, file("0_zero.sql", `SELECT 1`), one, file("2_two.sql", `SELECT 2`)), "1 comes before a migration that is applied already"},
		{"a file that atlas.sum does not know", func(*testing.T, string) {}, func() fs.FS {
			files := dir(t, one)
			files["2_two.sql"] = two["2_two.sql"]
			return files
		}(), "migration 2_two.sql was added without renewing atlas.sum"},
		{"an edited file that atlas.sum knows otherwise", func(*testing.T, string) {}, func() fs.FS {
			files := dir(t, one)
			files["1_one.sql"] = &fstest.MapFile{Data: []byte("SELECT 1;")}
			return files
		}(), "migration 1_one.sql was edited without renewing atlas.sum"},
		{"no atlas.sum", func(*testing.T, string) {}, one, "have no atlas.sum"},
		{"an unknown transaction mode", func(*testing.T, string) {}, dir(t, file("1_one.sql", "-- atlas:txmode all\n\nSELECT 1")), `directive atlas:txmode is ["all"]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := testenv.EmptyPostgres(t)
			tt.arrange(t, db.URL)
			before := status(t, db.URL, pgmigrate.Options{}).Applied
			_, err := pgmigrate.Up(t.Context(), db.URL, pgmigrate.Options{Migrations: tt.dir})
			if err == nil || !strings.Contains(err.Error(), tt.contains) {
				t.Fatalf("Up: %v, want %q", err, tt.contains)
			}
			if diff := cmp.Diff(before, status(t, db.URL, pgmigrate.Options{}).Applied); diff != "" {
				t.Errorf("a refused Up has recorded something:\n%s", diff)
			}
		})
	}
}

func TestUpRefusesSettings(t *testing.T) {
	t.Parallel()
	for _, opts := range []pgmigrate.Options{{RevisionsSchema: `x"; DROP TABLE y`}, {RevisionsSchema: "Upper"}} {
		if _, err := pgmigrate.Up(t.Context(), "postgres://127.0.0.1:1/none", opts); err == nil || !strings.Contains(err.Error(), "plain lower-case identifier") {
			t.Errorf("%q: %v", opts.RevisionsSchema, err)
		}
	}
	_, err := pgmigrate.Up(t.Context(), "postgres://user:very-secret@127.0.0.1:port/none", pgmigrate.Options{})
	if err == nil || strings.Contains(err.Error(), "very-secret") {
		t.Errorf("broken URL: %v", err)
	}
}

// A file that fails leaves nothing behind; those before it stay.
func TestUpFailingFile(t *testing.T) {
	t.Parallel()
	db := testenv.EmptyPostgres(t)
	good := file("1_good.sql", `CREATE SCHEMA test_coordination_extra`)
	bad := file("2_bad.sql", "CREATE TABLE test_coordination_extra.half (id integer);\nSELECT 1/0")
	applied, err := pgmigrate.Up(t.Context(), db.URL, pgmigrate.Options{Migrations: dir(t, good, bad)})
	if err == nil || !strings.Contains(err.Error(), "2_bad.sql") || !strings.Contains(err.Error(), "division by zero") {
		t.Fatalf("Up: %v", err)
	}
	if diff := cmp.Diff([]string{"1"}, applied); diff != "" {
		t.Errorf("applied:\n%s", diff)
	}
	report := status(t, db.URL, pgmigrate.Options{Migrations: dir(t, good, bad)})
	if diff := cmp.Diff([]string{"2"}, report.Pending); diff != "" || report.Current != "1" || len(report.Partial) > 0 {
		t.Errorf("status: %+v", report)
	}
	mended := dir(t, good, file("2_bad.sql", `CREATE TABLE test_coordination_extra.half (id integer)`))
	if diff := cmp.Diff([]string{"2"}, up(t, db.URL, pgmigrate.Options{Migrations: mended})); diff != "" {
		t.Errorf("applied after mending:\n%s", diff)
	}
}

// Outside a transaction a file may stop half-way; it goes on after the last
// statement that ran.
func TestUpOutsideTransaction(t *testing.T) {
	t.Parallel()
	db := testenv.EmptyPostgres(t)
	const begin = "-- atlas:txmode none\n\nCREATE TABLE public.t (id integer);\n"
	broken := dir(t, file("1_index.sql", begin+"CREATE INDEX CONCURRENTLY i ON public.missing (id)"))
	if _, err := pgmigrate.Up(t.Context(), db.URL, pgmigrate.Options{Migrations: broken}); err == nil {
		t.Fatal("a broken file was applied")
	}
	report := status(t, db.URL, pgmigrate.Options{Migrations: broken})
	if diff := cmp.Diff([]string{"1"}, report.Partial); diff != "" || !strings.Contains(fmt.Sprint(report.Err()), "applied in part") {
		t.Fatalf("status: %+v, %v", report, report.Err())
	}
	exec(t, db.URL, `CREATE TABLE public.missing (id integer)`)
	up(t, db.URL, pgmigrate.Options{Migrations: broken})
	if report := status(t, db.URL, pgmigrate.Options{Migrations: broken}); report.Err() != nil {
		t.Errorf("status after the second try: %v", report.Err())
	}
}

func TestUpBaseline(t *testing.T) {
	t.Parallel()
	db := testenv.EmptyPostgres(t)
	exec(t, db.URL, `CREATE SCHEMA test_coordination; CREATE TABLE test_coordination.one (id integer)`)
	files := dir(t, file("1_one.sql", `CREATE TABLE test_coordination.one (id integer)`), file("2_two.sql", `CREATE TABLE test_coordination.two (id integer)`))
	if diff := cmp.Diff([]string{"2"}, up(t, db.URL, pgmigrate.Options{Migrations: files, Baseline: "1"})); diff != "" {
		t.Errorf("applied:\n%s", diff)
	}
	if report := status(t, db.URL, pgmigrate.Options{Migrations: files}); report.Err() != nil || report.Applied[0].Kind != "baseline" {
		t.Errorf("status: %+v, %v", report, report.Err())
	}
}

func TestPending(t *testing.T) {
	t.Parallel()
	one, two := file("1_one.sql", `SELECT 1`), file("2_two.sql", `SELECT 2`)
	tests := []struct {
		name              string
		applied, expected []fstest.MapFS
		want              string // empty: no error
	}{
		{"nothing applied", nil, []fstest.MapFS{one}, "the database has no schema yet: run tcda migrate up"},
		{"current", []fstest.MapFS{one, two}, []fstest.MapFS{one, two}, ""},
		{"database older", []fstest.MapFS{one}, []fstest.MapFS{one, two}, "the database is at migration 1, this program needs 2: run tcda migrate up"},
		{"database newer", []fstest.MapFS{one, two}, []fstest.MapFS{one}, "the database is at migration 2, newer than this program, which knows up to 1: upgrade the program"},
		{"branches", []fstest.MapFS{one, file("3_three.sql", `SELECT 3`)}, []fstest.MapFS{one, two}, "the database has migrations that this program does not know (3) and lacks others (2): they come from different branches"},
		{"edited", []fstest.MapFS{one}, []fstest.MapFS{file("1_one.sql", `SELECT 9`)}, "1 was edited after it had been applied: restore the file and write a new migration"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := testenv.EmptyPostgres(t)
			if tt.applied != nil {
				up(t, db.URL, pgmigrate.Options{Migrations: dir(t, tt.applied...)})
			}
			err := pgmigrate.Pending(t.Context(), db.URL, pgmigrate.Options{Migrations: dir(t, tt.expected...)})
			if got := strings.TrimPrefix(fmt.Sprint(err), "<nil>"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// file is a directory of one migration, without its sum.
func file(name, sql string) fstest.MapFS {
	return fstest.MapFS{name: &fstest.MapFile{Data: []byte(sql + ";\n")}}
}

// dir joins migrations and sums them.
func dir(t *testing.T, files ...fstest.MapFS) fstest.MapFS {
	t.Helper()
	all, sums := fstest.MapFS{}, new(migrate.MemDir)
	for _, file := range files {
		for name, content := range file {
			all[name] = content
			if err := sums.WriteFile(name, content.Data); err != nil {
				t.Fatal(err)
			}
		}
	}
	sum, err := sums.Checksum()
	if err != nil {
		t.Fatal(err)
	}
	text, err := sum.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	all[migrate.HashFileName] = &fstest.MapFile{Data: text}
	return all
}

func versions(t *testing.T, files fs.FS) []string {
	t.Helper()
	names, err := fs.Glob(files, "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("migrations: %v, %v", names, err)
	}
	var found []string
	for _, name := range names {
		version, _, _ := strings.Cut(name, "_")
		found = append(found, version)
	}
	return found
}

func up(t *testing.T, url string, opts pgmigrate.Options) []string {
	t.Helper()
	applied, err := pgmigrate.Up(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	return applied
}

func status(t *testing.T, url string, opts pgmigrate.Options) pgmigrate.Report {
	t.Helper()
	report, err := pgmigrate.Status(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func exec(t *testing.T, url, sql string) {
	t.Helper()
	if err := tryExec(t.Context(), url, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func tryExec(ctx context.Context, url, sql string) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	_, err = pool.Exec(ctx, sql)
	return err
}
