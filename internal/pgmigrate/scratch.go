package pgmigrate

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

// cleanupTimeout bounds the dropping of a scratch database, also after its
// user was cancelled.
const cleanupTimeout = 30 * time.Second

// Scratch is a server on which databases may be created and dropped: a plan is
// made by trying both sides out. The role needs CREATEDB, and CREATEROLE
// unless the analysts' roles exist.
type Scratch struct {
	URL string
}

// state is one side of a comparison: it fills an empty database.
type state func(ctx context.Context, db *sql.DB) error

// fromText is the state that a schema file describes.
func fromText(text string) state {
	return func(ctx context.Context, db *sql.DB) error { return runText(ctx, db, text) }
}

// fromMigrations is the state that a migration directory leads to. The
// revisions table goes to a schema of its own, out of the comparison's sight.
func fromMigrations(files fs.FS) state {
	return func(ctx context.Context, db *sql.DB) error {
		dir, err := loadDir(files)
		if err != nil {
			return err
		}
		opts, err := Options{RevisionsSchema: "revisions", Migrations: files}.withDefaults()
		if err != nil {
			return err
		}
		_, err = up(ctx, db, dir, opts)
		return err
	}
}

// database creates a database in the given state. The caller calls drop when done.
func (s Scratch) database(ctx context.Context, in state) (db *sql.DB, drop func() error, err error) {
	config, err := pgx.ParseConfig(s.URL)
	if err != nil {
		return nil, nil, fmt.Errorf("parse scratch server URL: %w", err)
	}
	server := openConfig(config)
	name := "tcda_scratch_" + strings.ToLower(rand.Text())
	if _, err := server.ExecContext(ctx, schema.CreateDatabase(name)); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("create scratch database: %w", err), server.Close())
	}
	config.Database = name
	db = openConfig(config)
	drop = func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
		defer cancel()
		err := db.Close()
		_, dropErr := server.ExecContext(ctx, schema.DropDatabase(name))
		return errors.Join(err, dropErr, server.Close())
	}
	if _, err := db.ExecContext(ctx, schema.CreateAnalysts); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("create the roles of analysts: %w", err), drop())
	}
	if err := in(ctx, db); err != nil {
		return nil, nil, errors.Join(err, drop())
	}
	return db, drop, nil
}

// runText runs the statements of a text one by one, so that an error names its statement.
func runText(ctx context.Context, db *sql.DB, text string) error {
	stmts, err := scan(text)
	if err != nil {
		return fmt.Errorf("scan statements: %w", err)
	}
	for _, stmt := range stmts {
		if _, err := db.ExecContext(ctx, stmt.Text); err != nil {
			line := 1 + strings.Count(text[:stmt.Pos], "\n")
			return fmt.Errorf("run statement at line %d: %w", line, err)
		}
	}
	return nil
}
