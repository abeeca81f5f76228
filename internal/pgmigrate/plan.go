package pgmigrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"ariga.io/atlas/sql/migrate"
	atlas "ariga.io/atlas/sql/schema"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/schemadiff"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

// Plan is the way from one state of the schema to another.
type Plan struct {
	// Differences are all that the catalogs of the two states disagree on.
	Differences []schemadiff.Difference
	// Statements lead from the first state to the second, as far as they could
	// be found: Atlas's, then for what it does not compare those of the schema
	// file itself.
	Statements []Statement
	// Rest still differs after all Statements: to be written by hand.
	Rest []schemadiff.Difference
}

// Statement is one step of a plan.
type Statement struct {
	SQL     string // without the semicolon
	Comment string // what it does, in a few words, or the comment of the schema file
}

// Empty reports whether the two states are the same.
func (p Plan) Empty() bool { return len(p.Differences) == 0 && len(p.Statements) == 0 }

// Diff plans the way from what a migration directory leads to, to the schema
// that a text describes.
func Diff(ctx context.Context, server Scratch, migrations fs.FS, desired string) (Plan, error) {
	return plan(ctx, server, fromMigrations(migrations), desired)
}

// DiffText plans the way from one version of the schema file to another.
func DiffText(ctx context.Context, server Scratch, from, to string) (Plan, error) {
	return plan(ctx, server, fromText(from), to)
}

func plan(ctx context.Context, server Scratch, from state, desired string) (p Plan, err error) {
	before, dropBefore, err := server.database(ctx, from)
	if err != nil {
		return Plan{}, fmt.Errorf("build the state to start from: %w", err)
	}
	defer func() { err = errors.Join(err, dropBefore()) }()
	after, dropAfter, err := server.database(ctx, fromText(desired))
	if err != nil {
		return Plan{}, fmt.Errorf("build the desired state: %w", err)
	}
	defer func() { err = errors.Join(err, dropAfter()) }()

	want, err := dump(ctx, after)
	if err != nil {
		return Plan{}, err
	}
	if p.Differences, err = difference(ctx, before, want); err != nil {
		return Plan{}, err
	}
	planned, err := planAtlas(ctx, before, after)
	if err != nil {
		return Plan{}, err
	}
	// From here on the first database is led to the second, statement by
	// statement, and what cannot be done is left in Rest.
	if p.Statements, err = runAtlas(ctx, before, planned); err != nil {
		return Plan{}, err
	}
	rest, err := difference(ctx, before, want)
	if err != nil {
		return Plan{}, err
	}
	if len(rest) > 0 {
		added, err := complement(ctx, before, rest, desired)
		if err != nil {
			return Plan{}, err
		}
		p.Statements = append(p.Statements, added...)
		if p.Rest, err = difference(ctx, before, want); err != nil {
			return Plan{}, err
		}
	}
	return p, nil
}

func difference(ctx context.Context, db *sql.DB, want schemadiff.Catalog) ([]schemadiff.Difference, error) {
	have, err := dump(ctx, db)
	if err != nil {
		return nil, err
	}
	return schemadiff.Compare(have, want), nil
}

func dump(ctx context.Context, db *sql.DB) (schemadiff.Catalog, error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
	if err != nil {
		return nil, fmt.Errorf("begin reading catalogs: %w", err)
	}
	catalog, err := schemadiff.Dump(ctx, tx, schema.Name)
	return catalog, errors.Join(err, rollback(tx))
}

// planAtlas lets Atlas compare our schema in two databases. Only that schema is
// inspected, so that no plan can touch another. DiffNormalized: both sides come
// from a server; without it Atlas misses changed checks.
func planAtlas(ctx context.Context, from, to *sql.DB) ([]Statement, error) {
	drv, err := openDriver(from)
	if err != nil {
		return nil, err
	}
	before, err := inspect(ctx, from)
	if err != nil {
		return nil, err
	}
	after, err := inspect(ctx, to)
	if err != nil {
		return nil, err
	}
	changes, err := drv.RealmDiff(before, after, atlas.DiffNormalized())
	if err != nil {
		return nil, fmt.Errorf("compare schemas: %w", err)
	}
	planned, err := drv.PlanChanges(ctx, "", changes, func(o *migrate.PlanOptions) { o.Indent = "  " })
	if err != nil {
		return nil, fmt.Errorf("plan changes: %w", err)
	}
	statements := make([]Statement, 0, len(planned.Changes))
	for _, change := range planned.Changes {
		text, err := guardSchema(change.Cmd)
		if err != nil {
			return nil, err
		}
		statements = append(statements, Statement{SQL: text, Comment: change.Comment})
	}
	return statements, nil
}

func inspect(ctx context.Context, db *sql.DB) (*atlas.Realm, error) {
	drv, err := openDriver(db)
	if err != nil {
		return nil, err
	}
	realm, err := drv.InspectRealm(ctx, &atlas.InspectRealmOption{
		Schemas: []string{schema.Name},
		Mode:    atlas.InspectSchemas | atlas.InspectTables | atlas.InspectTypes | atlas.InspectObjects,
	})
	if err != nil {
		return nil, fmt.Errorf("inspect schema: %w", err)
	}
	return realm, nil
}

// guardSchema replaces Atlas's CREATE SCHEMA by one that runs only where the
// schema is missing: the role of a shared installation finds it there and may
// not create any, with or without IF NOT EXISTS.
func guardSchema(statement string) (string, error) {
	if !strings.HasPrefix(statement, "CREATE SCHEMA") {
		return statement, nil
	}
	stmts, err := scan(schema.RevisionsIn(schema.Name).CreateSchema)
	if err != nil || len(stmts) != 1 {
		return "", fmt.Errorf("scan the guarded CREATE SCHEMA: %d statements: %w", len(stmts), err)
	}
	return strings.TrimSuffix(stmts[0].Text, ";"), nil
}

// RestText describes what must be written by hand, as plain text.
func (p Plan) RestText() string { return schemadiff.Text(p.Rest) }
