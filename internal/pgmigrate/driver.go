package pgmigrate

import (
	"context"
	"database/sql"
	"fmt"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
	atlas "ariga.io/atlas/sql/schema"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

// open returns a pool for a database URL. It does not connect yet.
func open(databaseURL string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("parse database URL: %w", err) // pgx leaves the password out
	}
	return openConfig(config), nil
}

// openConfig returns a pool that prepares nothing: each statement here runs
// once, and a plan kept over a change of the schema would be a wrong one.
func openConfig(config *pgx.ConnConfig) *sql.DB {
	config = config.Copy()
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	return stdlib.OpenDB(*config)
}

// driver is Atlas's driver for PostgreSQL, narrowed to our schema: the
// database is shared, and its other schemas are none of our business.
type driver struct {
	*postgres.Driver
}

func openDriver(db atlas.ExecQuerier) (*driver, error) {
	opened, err := postgres.Open(db)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	drv, ok := opened.(*postgres.Driver)
	if !ok {
		return nil, fmt.Errorf("connect: the server is not PostgreSQL (atlas driver %T)", opened)
	}
	return &driver{drv}, nil
}

// CheckClean implements migrate.CleanChecker: before the first migration our
// schema may hold nothing but the revisions table. Atlas's own check would
// refuse every database that has another schema.
func (d *driver) CheckClean(ctx context.Context, _ *migrate.TableIdent) error {
	rows, err := d.QueryContext(ctx, schema.ForeignTables)
	if err != nil {
		return fmt.Errorf("look for tables: %w", err)
	}
	defer rows.Close()
	if rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return fmt.Errorf("look for tables: %w", err)
		}
		return &migrate.NotCleanError{Reason: fmt.Sprintf("found %s.%s although no migration is recorded", schema.Name, name)}
	}
	return rows.Err()
}

// scan splits a text into its statements as Atlas does when it applies them.
func scan(text string) ([]*migrate.Stmt, error) {
	return new(postgres.Driver).ScanStmts(text)
}
