package pgmigrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

// runAtlas runs Atlas's part of a plan in one transaction. Where a view stands
// in its way (PostgreSQL neither alters the type of a column that a view shows
// nor drops it) all views are dropped first: they are made again by what
// completes the plan.
func runAtlas(ctx context.Context, db *sql.DB, statements []Statement) ([]Statement, error) {
	err := runAll(ctx, db, statements)
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return statements, err
	}
	if refused.Code != "0A000" && refused.Code != "2BP01" { // feature_not_supported, dependent_objects_still_exist
		return nil, err
	}
	have, dumpErr := dump(ctx, db)
	if dumpErr != nil {
		return nil, dumpErr
	}
	var views []string
	for _, object := range have {
		if object.Kind == "view" {
			views = append(views, object.Name)
		}
	}
	if len(views) == 0 {
		return nil, err
	}
	drop := Statement{SQL: schema.DropView(strings.Join(views, ", ")), Comment: "They stand in the way of a change of their columns, and are made again below"}
	statements = append([]Statement{drop}, statements...)
	return statements, runAll(ctx, db, statements)
}

func runAll(ctx context.Context, db *sql.DB, statements []Statement) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin plan: %w", err)
	}
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement.SQL); err != nil {
			return errors.Join(fmt.Errorf("run planned statement %q: %w", statement.SQL, err), rollback(tx))
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit plan: %w", err)
	}
	return nil
}
