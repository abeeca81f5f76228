package pgmigrate

import (
	"context"
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
	path := filepath.Join(folder, version+"_"+name+".sql")
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
	const layout = "20060102150405"
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
		latest, err := time.Parse(layout, existing[n-1].Version())
		if err != nil {
			return "", fmt.Errorf("read version of %s: %w", existing[n-1].Name(), err)
		}
		if !version.After(latest) {
			version = latest.Add(time.Second)
		}
	}
	return version.Format(layout), nil
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
