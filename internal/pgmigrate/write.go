package pgmigrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"ariga.io/atlas/sql/migrate"
)

// migrationName is what the part of a file name after the version may be.
var migrationName = regexp.MustCompile(`^[a-z0-9][a-z0-9_]{0,79}$`)

// versionLayout is the form of versions, as Atlas writes them.
const versionLayout = "20060102150405"

// ErrNoChange says that the migrations already lead to the desired schema.
var ErrNoChange = errors.New("the migrations already lead to schema.sql: nothing to write")

// New writes the migration that leads from the files in folder to the desired
// schema, renews atlas.sum, and returns the file's path and the plan. What of
// the plan must be added by hand is in its Rest. It is ErrNoChange if there is
// nothing to do.
func New(ctx context.Context, server Scratch, folder, name, desired string) (string, Plan, error) {
	if !migrationName.MatchString(name) {
		return "", Plan{}, fmt.Errorf("name %q is not lower-case words joined by underscores", name)
	}
	p, err := Diff(ctx, server, os.DirFS(folder), desired)
	if err != nil {
		return "", Plan{}, err
	}
	if p.Empty() {
		return "", p, ErrNoChange
	}
	version, err := nextVersion(os.DirFS(folder), time.Now())
	if err != nil {
		return "", p, err
	}
	return p.write(folder, version+"_"+name+".sql")
}

// Rewrite replaces all migrations in folder by one that leads from nothing to
// the desired schema, and returns its path and plan. It keeps the name of the
// first. Only for as long as no database that matters has any of them.
func Rewrite(ctx context.Context, server Scratch, folder, desired string) (string, Plan, error) {
	nothing := func(context.Context, *sql.DB) error { return nil }
	p, err := plan(ctx, server, nothing, desired)
	if err != nil {
		return "", Plan{}, err
	}
	dir, err := migrate.NewLocalDir(folder)
	if err != nil {
		return "", p, fmt.Errorf("open migrations: %w", err)
	}
	old, err := dir.Files()
	if err != nil {
		return "", p, fmt.Errorf("list migrations: %w", err)
	}
	name := time.Now().UTC().Format(versionLayout) + "_initial.sql"
	if len(old) > 0 {
		name = old[0].Name()
	}
	for _, file := range old {
		if err := os.Remove(filepath.Join(folder, file.Name())); err != nil {
			return "", p, fmt.Errorf("remove migration: %w", err)
		}
	}
	return p.write(folder, name)
}

// write puts the plan's statements into a new file.
func (p Plan) write(folder, name string) (string, Plan, error) {
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(p.SQL()), 0o644); err != nil { //nolint:gosec // a source file
		return "", p, fmt.Errorf("write migration: %w", err)
	}
	return path, p, Hash(folder)
}

// Hash renews atlas.sum after a migration was written or, before it was
// applied anywhere, edited.
func Hash(folder string) error {
	dir, err := migrate.NewLocalDir(folder)
	if err != nil {
		return fmt.Errorf("open migrations: %w", err)
	}
	sum, err := dir.Checksum()
	if err != nil {
		return fmt.Errorf("sum migrations: %w", err)
	}
	if err := migrate.WriteSumFile(dir, sum); err != nil {
		return fmt.Errorf("write %s: %w", migrate.HashFileName, err)
	}
	return nil
}

// nextVersion is the time in Atlas's form, and above the latest version even
// if that was written by a clock ahead of ours: the executor goes by order.
func nextVersion(files fs.FS, now time.Time) (string, error) {
	dir, err := loadDir(files)
	if err != nil {
		return "", err
	}
	existing, err := dir.Files()
	if err != nil {
		return "", fmt.Errorf("list migrations: %w", err)
	}
	version := now.UTC().Truncate(time.Second)
	if n := len(existing); n > 0 {
		latest, err := time.Parse(versionLayout, existing[n-1].Version())
		if err != nil {
			return "", fmt.Errorf("read version of %s: %w", existing[n-1].Name(), err)
		}
		if !version.After(latest) {
			version = latest.Add(time.Second)
		}
	}
	return version.Format(versionLayout), nil
}

// SQL returns the plan's statements as the text of a migration file.
func (p Plan) SQL() string {
	var text strings.Builder
	for _, statement := range p.Statements {
		for line := range strings.Lines(statement.Comment) {
			fmt.Fprintf(&text, "-- %s\n", strings.TrimSpace(line))
		}
		fmt.Fprintf(&text, "%s;\n", statement.SQL)
	}
	return text.String()
}
