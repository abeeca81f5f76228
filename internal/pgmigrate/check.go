package pgmigrate

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/schemadiff"
)

// DriftError says that schema file and migrations lead to different schemas.
type DriftError struct {
	Plan Plan
}

// Error implements error.
func (e *DriftError) Error() string {
	if len(e.Plan.Differences) == 0 {
		return "Atlas sees a difference between schema.sql and the migrations that the catalogs do not show: " + e.Plan.Statements[0].SQL
	}
	names := make([]string, 0, len(e.Plan.Differences))
	for _, difference := range e.Plan.Differences {
		names = append(names, difference.String())
	}
	return fmt.Sprintf("schema.sql and the migrations differ in %d objects: %s", len(names), strings.Join(names, ", "))
}

// Check holds the migrations against their atlas.sum and against the schema
// that a text describes, catalog by catalog: a *DriftError if they differ. What
// a database has of them is Status's.
func Check(ctx context.Context, server Scratch, migrations fs.FS, desired string) error {
	p, err := Diff(ctx, server, migrations, desired)
	if err != nil {
		return err
	}
	if !p.Empty() {
		return &DriftError{Plan: p}
	}
	return nil
}

// Markdown returns the plan as the text of a comment on a change: what differs
// between the catalogs, then the statements that lead over.
func (p Plan) Markdown() string {
	if p.Empty() {
		return "No change of the schema.\n"
	}
	var text strings.Builder
	text.WriteString("### What changes in the database\n\n")
	text.WriteString(schemadiff.Markdown(p.Differences))
	if sql := p.SQL(); sql != "" {
		fmt.Fprintf(&text, "### Planned statements\n\n%s", schemadiff.Fenced("sql", sql))
	}
	if len(p.Rest) > 0 {
		fmt.Fprintf(&text, "\n### To be written by hand\n\nNo statement was found for these:\n\n%s", schemadiff.Markdown(p.Rest))
	}
	return text.String()
}
