package pgmigrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"ariga.io/atlas/schemahcl"
	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
	_ "ariga.io/atlas/sql/postgres/postgrescheck" // registers Atlas's rules for PostgreSQL
	atlas "ariga.io/atlas/sql/schema"
	"ariga.io/atlas/sql/sqlcheck"
	"ariga.io/atlas/sql/sqlclient"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/schemadiff"
)

// Finding is something in a migration that a reviewer should know.
type Finding struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Code string `json:"code"` // Atlas's (DS102: atlasgo.io/lint/analyzers) or ours (rules.go)
	Text string `json:"text"`
}

// String returns the finding as a compiler would print it.
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s (%s)", f.File, f.Line, f.Text, f.Code)
}

// Lint analyses the latest n migrations, or all if n is negative: they run
// statement by statement on a scratch server, after those before them. A
// statement with the comment "-- atlas:nolint CODE" above it, as the atlas CLI
// reads it, is not reported under that code; without a code under none.
func Lint(ctx context.Context, server Scratch, migrations fs.FS, n int) (findings []Finding, err error) {
	dir, err := loadDir(migrations)
	if err != nil {
		return nil, err
	}
	files, err := dir.Files()
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	if n < 0 || n > len(files) {
		n = len(files)
	}
	old, fresh := files[:len(files)-n], files[len(files)-n:]
	db, drop, err := server.database(ctx, func(ctx context.Context, db *sql.DB) error {
		for _, file := range old {
			if err := runText(ctx, db, string(file.Bytes())); err != nil {
				return fmt.Errorf("run migration %s: %w", file.Name(), err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, drop()) }()

	for _, file := range fresh {
		found, err := lintFile(ctx, db, file)
		if err != nil {
			return nil, fmt.Errorf("lint migration %s: %w", file.Name(), err)
		}
		findings = append(findings, found...)
	}
	return findings, nil
}

func lintFile(ctx context.Context, db *sql.DB, file migrate.File) ([]Finding, error) {
	drv, err := openDriver(db)
	if err != nil {
		return nil, err
	}
	before, err := dump(ctx, db)
	if err != nil {
		return nil, err
	}
	stmts, err := scan(string(file.Bytes()))
	if err != nil {
		return nil, fmt.Errorf("scan statements: %w", err)
	}
	checked, err := runObserved(ctx, db, drv, file, stmts, len(before) == 0)
	if err != nil {
		return nil, err
	}
	after, err := dump(ctx, db)
	if err != nil {
		return nil, err
	}
	analyzers, err := sqlcheck.AnalyzerFor(postgres.DriverName, &schemahcl.Resource{})
	if err != nil {
		return nil, fmt.Errorf("load Atlas's rules: %w", err)
	}
	report := &report{file: file, stmts: stmts}
	pass := &sqlcheck.Pass{File: checked, Dev: &sqlclient.Client{Name: postgres.DriverName, DB: db, Driver: drv.Driver}, Reporter: report}
	for _, analyzer := range analyzers {
		// An analyzer's error may only repeat that it has reported something.
		report.heard = false
		if err := analyzer.Analyze(ctx, pass); err != nil && !report.heard {
			return nil, fmt.Errorf("analyse: %w", err)
		}
	}
	ownRules(report, schemadiff.Compare(before, after))
	slices.SortStableFunc(report.findings, func(a, b Finding) int { return a.Line - b.Line })
	return report.findings, nil
}

// runObserved runs the statements of a file and notes what each changed. Those
// of the first file run in one go: on an empty database there is nothing that
// they could harm, and inspecting after each takes its time.
func runObserved(ctx context.Context, db *sql.DB, drv *driver, file migrate.File, stmts []*migrate.Stmt, first bool) (*sqlcheck.File, error) {
	from, err := inspect(ctx, db)
	if err != nil {
		return nil, err
	}
	checked := &sqlcheck.File{File: file, From: from}
	current := from
	for i, stmt := range stmts {
		if _, err := db.ExecContext(ctx, stmt.Text); err != nil {
			return nil, fmt.Errorf("run statement at line %d: %w", lineOf(file, stmt.Pos), err)
		}
		if first && i < len(stmts)-1 {
			continue
		}
		next, err := inspect(ctx, db)
		if err != nil {
			return nil, err
		}
		changes, err := drv.RealmDiff(current, next, atlas.DiffNormalized())
		if err != nil {
			return nil, fmt.Errorf("compare schemas: %w", err)
		}
		checked.Changes = append(checked.Changes, &sqlcheck.Change{Changes: changes, Stmt: stmt})
		current = next
	}
	checked.To = current
	if checked.Sum, err = drv.RealmDiff(from, current, atlas.DiffNormalized()); err != nil {
		return nil, fmt.Errorf("compare schemas: %w", err)
	}
	return checked, nil
}

// report collects findings, without those that the file itself waives.
type report struct {
	file     migrate.File
	stmts    []*migrate.Stmt
	findings []Finding
	heard    bool // whether anything was reported, waived or not
}

var _ sqlcheck.ReportWriter = (*report)(nil)

// WriteReport implements sqlcheck.ReportWriter.
func (r *report) WriteReport(found sqlcheck.Report) {
	r.heard = true
	for _, diagnostic := range found.Diagnostics {
		r.add(diagnostic.Pos, diagnostic.Code, diagnostic.Text)
	}
}

func (r *report) add(pos int, code, text string) {
	for _, stmt := range r.stmts {
		if stmt.Pos == pos && waives(stmt.Directive("nolint"), code) {
			return
		}
	}
	if local, ok := r.file.(*migrate.LocalFile); ok && waives(local.Directive("nolint"), code) {
		return
	}
	r.findings = append(r.findings, Finding{File: r.file.Name(), Line: lineOf(r.file, pos), Code: code, Text: text})
}

func waives(directives []string, code string) bool {
	return slices.ContainsFunc(directives, func(codes string) bool {
		return codes == "" || slices.Contains(strings.FieldsFunc(codes, func(r rune) bool { return r == ' ' || r == ',' }), code)
	})
}

func lineOf(file migrate.File, pos int) int {
	text := file.Bytes()
	return 1 + strings.Count(string(text[:min(pos, len(text))]), "\n")
}
