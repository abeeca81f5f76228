// Package pgmigrate brings a PostgreSQL database to the schema of this
// program, and keeps the schema's two forms, schema.sql and the migrations,
// the same. It drives Atlas as a library: revisions table and lock are those
// of the atlas CLI, so that both can be used on one database.
//
// It knows nothing of what the tables mean. Statements come from package
// schema; comparing catalogs is package schemadiff's.
package pgmigrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"time"

	"ariga.io/atlas/sql/migrate"
	atlas "ariga.io/atlas/sql/schema"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

// lockName is the name that the atlas CLI hashes into its advisory lock:
// neither starts while the other is migrating.
const lockName = "atlas_migrate_execute"

// DefaultLockTimeout is how long Up waits for another migration to end.
const DefaultLockTimeout = time.Minute

// Options are the settings of a migration. The zero value is the embedded
// migrations, recorded in the schema test_coordination.
type Options struct {
	// RevisionsSchema holds the table of applied migrations. The role of a
	// shared installation can create tables in one schema only, so it defaults
	// to that one.
	RevisionsSchema string
	// Migrations replaces the embedded migration directory.
	Migrations fs.FS
	// Baseline names the version that a database made by other means already
	// has; migrations up to it are recorded and not run.
	Baseline string
	// LockTimeout bounds the wait for another migration; DefaultLockTimeout
	// when zero.
	LockTimeout time.Duration
	// Operator is recorded with each migration as the program that ran it.
	Operator string
	// Progress, if set, is told of each migration before it runs.
	Progress func(Step)
}

// Step is a migration that is about to run.
type Step struct {
	Version     string
	Description string
	Statements  int
}

// identifier is what may be put into a statement as a schema's name.
var identifier = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

func (o Options) withDefaults() (Options, error) {
	if o.RevisionsSchema == "" {
		o.RevisionsSchema = schema.Name
	}
	if !identifier.MatchString(o.RevisionsSchema) {
		return o, fmt.Errorf("revisions schema %q is not a plain lower-case identifier", o.RevisionsSchema)
	}
	if o.Migrations == nil {
		o.Migrations = schema.Migrations()
	}
	if o.LockTimeout == 0 {
		o.LockTimeout = DefaultLockTimeout
	}
	if o.Operator == "" {
		o.Operator = "tcda"
	}
	if o.Progress == nil {
		o.Progress = func(Step) {}
	}
	return o, nil
}

// Up applies the migrations that the database does not have yet, each in a
// transaction of its own, and returns their versions. Nothing to do is no
// error. It refuses a database whose applied migrations are not those of the
// directory (HistoryError).
//
// Files that begin with "-- atlas:txmode none" run outside a transaction.
func Up(ctx context.Context, databaseURL string, opts Options) ([]string, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	dir, err := loadDir(opts.Migrations)
	if err != nil {
		return nil, err
	}
	db, err := open(databaseURL)
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // nothing is buffered in it
	return up(ctx, db, dir, opts)
}

func up(ctx context.Context, db *sql.DB, dir migrate.Dir, opts Options) (applied []string, err error) {
	drv, err := openDriver(db)
	if err != nil {
		return nil, err
	}
	unlock, err := drv.Lock(ctx, lockName, opts.LockTimeout)
	if err != nil {
		return nil, fmt.Errorf("wait for another migration to end: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()

	table := newRevisions(db, opts.RevisionsSchema)
	if err := table.install(ctx); err != nil {
		return nil, err
	}
	done, err := table.ReadRevisions(ctx)
	if err != nil {
		return nil, err
	}
	past, err := readHistory(dir, done)
	if err != nil {
		return nil, err
	}
	if err := past.conflict(); err != nil {
		return nil, err
	}
	exec, err := newExecutor(drv, dir, table, opts)
	if err != nil {
		return nil, err
	}
	pending, err := exec.Pending(ctx)
	switch {
	case errors.Is(err, migrate.ErrNoPendingFiles):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("find pending migrations: %w", err)
	}
	for _, file := range pending {
		if err := apply(ctx, db, dir, table, file, opts); err != nil {
			return applied, fmt.Errorf("apply migration %s: %w", file.Name(), err)
		}
		applied = append(applied, file.Version())
	}
	return applied, nil
}

// apply runs one file, in a transaction unless the file asks for none.
func apply(ctx context.Context, db *sql.DB, dir migrate.Dir, table *revisions, file migrate.File, opts Options) (err error) {
	transactional, err := inTransaction(file)
	if err != nil {
		return err
	}
	stmts, err := scan(string(file.Bytes()))
	if err != nil {
		return fmt.Errorf("scan statements: %w", err)
	}
	opts.Progress(Step{Version: file.Version(), Description: file.Desc(), Statements: len(stmts)})

	if !transactional {
		return execute(ctx, db, dir, table, file, opts)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, rollback(tx))
		}
	}()
	if err := execute(ctx, tx, dir, table.within(tx), file, opts); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func execute(ctx context.Context, db atlas.ExecQuerier, dir migrate.Dir, table *revisions, file migrate.File, opts Options) error {
	drv, err := openDriver(db)
	if err != nil {
		return err
	}
	exec, err := newExecutor(drv, dir, table, opts)
	if err != nil {
		return err
	}
	return exec.Execute(ctx, file)
}

func newExecutor(drv migrate.Driver, dir migrate.Dir, table *revisions, opts Options) (*migrate.Executor, error) {
	exec, err := migrate.NewExecutor(drv, dir, table,
		migrate.WithOperatorVersion(opts.Operator), migrate.WithBaselineVersion(opts.Baseline))
	if err != nil {
		return nil, fmt.Errorf("prepare migration: %w", err)
	}
	return exec, nil
}

// inTransaction tells whether a file runs in a transaction: all do but those
// with the CLI's directive "-- atlas:txmode none" at their top.
func inTransaction(file migrate.File) (bool, error) {
	local, ok := file.(*migrate.LocalFile)
	if !ok {
		return true, nil
	}
	switch modes := local.Directive("txmode"); {
	case len(modes) == 0, len(modes) == 1 && modes[0] == "file":
		return true, nil
	case len(modes) == 1 && modes[0] == "none":
		return false, nil
	default:
		return false, fmt.Errorf("directive atlas:txmode is %q, want none or file", modes)
	}
}

// rollback gives up a transaction; one that the server has already ended is no error.
func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}
