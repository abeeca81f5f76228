package pgmigrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"ariga.io/atlas/sql/migrate"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/schemadiff"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

// What Atlas does not compare is completed from the schema file itself: an
// object that still differs is made by the statements that speak of it there.
// They run one by one on the scratch database, in the order of the file;
// whether they were enough is seen by comparing the catalogs again.

const qualified = `("?\w+"?\."?\w+"?)`

var (
	createView     = regexp.MustCompile(`(?i)^CREATE\s+(?:OR\s+REPLACE\s+)?VIEW\s+` + qualified)
	createFunction = regexp.MustCompile(`(?i)^CREATE\s+(?:OR\s+REPLACE\s+)?(FUNCTION|PROCEDURE)\s+` + qualified)
	createTrigger  = regexp.MustCompile(`(?is)^CREATE\s+(?:OR\s+REPLACE\s+)?(?:CONSTRAINT\s+)?TRIGGER\s.*?\sON\s+` + qualified)
	createChild    = regexp.MustCompile(`(?i)^CREATE\s+TABLE\s+` + qualified + `\s+PARTITION\s+OF\s`)
	ofTable        = regexp.MustCompile(`(?i)^(?:CREATE\s+(?:UNIQUE\s+)?INDEX|CREATE\s+TABLE|CREATE\s+SCHEMA|COMMENT\s+ON\s+(?:TABLE|INDEX|SCHEMA|CONSTRAINT))\s`)
	onColumn       = regexp.MustCompile(`(?i)^COMMENT\s+ON\s+COLUMN\s+` + qualified)
	anyName        = regexp.MustCompile(qualified)
	storage        = regexp.MustCompile(`^storage parameter (\w+)=(.+)$`)
)

// complement runs what the schema file says about the objects that differ, and
// returns the statements that could be run.
func complement(ctx context.Context, db *sql.DB, rest []schemadiff.Difference, desired string) ([]Statement, error) {
	stmts, err := scan(desired)
	if err != nil {
		return nil, fmt.Errorf("scan schema file: %w", err)
	}
	var ran []Statement
	for _, group := range [][]Statement{storageParameters(rest), removals(rest), mentions(stmts, rest)} {
		for _, statement := range group {
			done, err := try(ctx, db, statement)
			if err != nil {
				return nil, err
			}
			ran = append(ran, done...)
		}
	}
	return ran, nil
}

// try runs a statement. One that the server refuses is left out, and shows as
// a difference that remains; a view whose columns do not fit its former ones is
// dropped first.
func try(ctx context.Context, db *sql.DB, statement Statement) ([]Statement, error) {
	_, err := db.ExecContext(ctx, statement.SQL)
	if err == nil {
		return []Statement{statement}, nil
	}
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return nil, fmt.Errorf("try a statement of the plan: %w", err)
	}
	view := createView.FindStringSubmatch(statement.SQL)
	if view == nil || refused.Code != "42P16" { // invalid_table_definition
		return nil, nil
	}
	drop := Statement{SQL: schema.DropView(view[1]), Comment: "Its columns changed, so it cannot be replaced"}
	for _, step := range []Statement{drop, statement} {
		if _, err := db.ExecContext(ctx, step.SQL); err != nil {
			if errors.As(err, &refused) {
				return nil, nil
			}
			return nil, fmt.Errorf("try a statement of the plan: %w", err)
		}
	}
	return []Statement{drop, statement}, nil
}

// mentions returns the statements of the schema file that make an object of
// the differences, or speak of one, and are not Atlas's business.
func mentions(stmts []*migrate.Stmt, rest []schemadiff.Difference) []Statement {
	wanted, views := map[string]bool{}, map[string]bool{}
	for _, difference := range rest {
		name, _, _ := strings.Cut(difference.Name, "(")
		wanted[name] = true
		views[name] = difference.Kind == "view"
	}
	var found []Statement
	for _, stmt := range stmts {
		text := strings.TrimSuffix(stmt.Text, ";")
		if slices.ContainsFunc(subjects(text, views), func(name string) bool { return wanted[name] }) {
			found = append(found, Statement{SQL: replaceable(text), Comment: comment(stmt)})
		}
	}
	return found
}

// subjects names the objects that a statement is about: the one it creates, or
// all that a grant or a block mentions. None for what Atlas compares.
func subjects(text string, views map[string]bool) []string {
	switch {
	case createView.MatchString(text):
		return []string{plain(createView.FindStringSubmatch(text)[1])}
	case createFunction.MatchString(text):
		return []string{plain(createFunction.FindStringSubmatch(text)[2])}
	case createTrigger.MatchString(text):
		return []string{plain(createTrigger.FindStringSubmatch(text)[1])}
	case createChild.MatchString(text):
		return []string{plain(createChild.FindStringSubmatch(text)[1])}
	case ofTable.MatchString(text):
		return nil
	case onColumn.MatchString(text):
		if name := plain(onColumn.FindStringSubmatch(text)[1]); views[name] {
			return []string{name}
		}
		return nil
	default:
		var names []string
		for _, match := range anyName.FindAllStringSubmatch(text, -1) {
			names = append(names, plain(match[1]))
		}
		return names
	}
}

// replaceable turns a CREATE of the schema file into one that also works over
// an earlier definition.
func replaceable(text string) string {
	switch {
	case createView.MatchString(text), createFunction.MatchString(text), createTrigger.MatchString(text):
		return regexp.MustCompile(`(?i)^CREATE\s+(OR\s+REPLACE\s+)?`).ReplaceAllString(text, "CREATE OR REPLACE ")
	default:
		return text
	}
}

// storageParameters sets and resets the parameters of tables that differ.
func storageParameters(rest []schemadiff.Difference) []Statement {
	var found []Statement
	for _, difference := range rest {
		if difference.Kind != "table" {
			continue
		}
		for _, line := range difference.Lines {
			parameter := storage.FindStringSubmatch(line.Text)
			switch {
			case parameter == nil:
			case line.Sign == '+':
				found = append(found, Statement{SQL: schema.SetStorageParameter(difference.Name, parameter[1], parameter[2])})
			case line.Sign == '-' && !slices.ContainsFunc(difference.Lines, func(l schemadiff.Line) bool {
				return l.Sign == '+' && strings.HasPrefix(l.Text, "storage parameter "+parameter[1]+"=")
			}):
				found = append(found, Statement{SQL: schema.ResetStorageParameter(difference.Name, parameter[1])})
			}
		}
	}
	return found
}

// removals drops views and functions that the schema file no longer has.
// Tables are left to the author: they hold data.
func removals(rest []schemadiff.Difference) []Statement {
	var found []Statement
	for _, difference := range rest {
		if !difference.Removed {
			continue
		}
		switch difference.Kind {
		case "view":
			found = append(found, Statement{SQL: schema.DropView(difference.Name)})
		case "function", "procedure":
			found = append(found, Statement{SQL: schema.DropRoutine(difference.Name)})
		}
	}
	return found
}

// plain is a qualified name as the catalogs show it: quoted only where needed,
// which no name here needs.
func plain(name string) string { return strings.ReplaceAll(name, `"`, "") }

// comment joins the comment lines directly above a statement of the schema file.
func comment(stmt *migrate.Stmt) string {
	var lines []string
	for _, block := range stmt.Comments {
		for line := range strings.Lines(block) {
			lines = append(lines, strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "--")))
		}
	}
	return strings.Join(lines, "\n")
}
