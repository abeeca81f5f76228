package pgmigrate

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ariga.io/atlas/sql/migrate"
	atlas "ariga.io/atlas/sql/schema"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

const revisionsTable = "atlas_schema_revisions"

// revisions reads and writes the table of applied migrations in the form of
// the atlas CLI. It implements migrate.RevisionReadWriter.
type revisions struct {
	db     atlas.ExecQuerier // the pool, or the transaction that the migration runs in
	schema string
	sql    schema.RevisionStatements
}

var _ migrate.RevisionReadWriter = (*revisions)(nil)

func newRevisions(db atlas.ExecQuerier, schemaName string) *revisions {
	return &revisions{db: db, schema: schemaName, sql: schema.RevisionsIn(schemaName)}
}

// within returns the same table seen through another handle.
func (r *revisions) within(db atlas.ExecQuerier) *revisions {
	return &revisions{db: db, schema: r.schema, sql: r.sql}
}

// install creates the table, and its schema, where they are missing.
func (r *revisions) install(ctx context.Context) error {
	found, err := r.exists(ctx)
	if err != nil || found {
		return err
	}
	for _, stmt := range []string{r.sql.CreateSchema, r.sql.CreateTable, r.sql.ProtectTable} {
		if _, err := r.db.ExecContext(ctx, stmt); err != nil {
			return fmt.Errorf("create revisions table in schema %s: %w", r.schema, err)
		}
	}
	return nil
}

func (r *revisions) exists(ctx context.Context) (bool, error) {
	var found bool
	err := queryRow(ctx, r.db, r.sql.Exists, nil, &found)
	if err != nil {
		return false, fmt.Errorf("look for revisions table in schema %s: %w", r.schema, err)
	}
	return found, nil
}

// Ident implements migrate.RevisionReadWriter.
func (r *revisions) Ident() *migrate.TableIdent {
	return &migrate.TableIdent{Name: revisionsTable, Schema: r.schema}
}

// ReadRevisions implements migrate.RevisionReadWriter.
func (r *revisions) ReadRevisions(ctx context.Context) ([]*migrate.Revision, error) {
	rows, err := r.db.QueryContext(ctx, r.sql.List)
	if err != nil {
		return nil, fmt.Errorf("read revisions: %w", err)
	}
	defer rows.Close()
	var all []*migrate.Revision
	for rows.Next() {
		rev, err := scanRevision(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, rev)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read revisions: %w", err)
	}
	return all, nil
}

// ReadRevision implements migrate.RevisionReadWriter.
func (r *revisions) ReadRevision(ctx context.Context, version string) (*migrate.Revision, error) {
	rows, err := r.db.QueryContext(ctx, r.sql.Get, version)
	if err != nil {
		return nil, fmt.Errorf("read revision %s: %w", version, err)
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return nil, fmt.Errorf("read revision %s: %w", version, err)
		}
		return nil, migrate.ErrRevisionNotExist
	}
	return scanRevision(rows)
}

// WriteRevision implements migrate.RevisionReadWriter.
func (r *revisions) WriteRevision(ctx context.Context, rev *migrate.Revision) error {
	var partial string
	if len(rev.PartialHashes) > 0 {
		text, err := json.Marshal(rev.PartialHashes)
		if err != nil {
			return fmt.Errorf("encode partial hashes of revision %s: %w", rev.Version, err)
		}
		partial = string(text)
	}
	_, err := r.db.ExecContext(ctx, r.sql.Upsert,
		rev.Version, rev.Description, int64(rev.Type), int64(rev.Applied), int64(rev.Total), //nolint:gosec // a set of three bits
		rev.ExecutedAt, int64(rev.ExecutionTime), rev.Error, rev.ErrorStmt, rev.Hash, partial, rev.OperatorVersion)
	if err != nil {
		return fmt.Errorf("write revision %s: %w", rev.Version, err)
	}
	return nil
}

// DeleteRevision implements migrate.RevisionReadWriter.
func (r *revisions) DeleteRevision(ctx context.Context, version string) error {
	if _, err := r.db.ExecContext(ctx, r.sql.Delete, version); err != nil {
		return fmt.Errorf("delete revision %s: %w", version, err)
	}
	return nil
}

func scanRevision(rows *sql.Rows) (*migrate.Revision, error) {
	var (
		rev      migrate.Revision
		kind     int64
		duration int64
		partial  []byte
	)
	err := rows.Scan(&rev.Version, &rev.Description, &kind, &rev.Applied, &rev.Total, &rev.ExecutedAt, &duration,
		&rev.Error, &rev.ErrorStmt, &rev.Hash, &partial, &rev.OperatorVersion)
	if err != nil {
		return nil, fmt.Errorf("scan revision: %w", err)
	}
	if err := json.Unmarshal(partial, &rev.PartialHashes); err != nil {
		return nil, fmt.Errorf("decode partial hashes of revision %s: %w", rev.Version, err)
	}
	rev.Type = migrate.RevisionType(kind) //nolint:gosec // a set of three bits
	rev.ExecutionTime = time.Duration(duration)
	rev.ExecutedAt = rev.ExecutedAt.UTC()
	return &rev, nil
}

// queryRow scans the only row of a query. Atlas's handle type has no QueryRow.
func queryRow(ctx context.Context, db atlas.ExecQuerier, query string, args []any, into ...any) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		return errors.Join(rows.Err(), sql.ErrNoRows)
	}
	if err := rows.Scan(into...); err != nil {
		return err
	}
	return rows.Err()
}
