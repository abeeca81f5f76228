// Package schemadiff compares what two databases hold in one schema, catalog
// by catalog: tables, columns, constraints, indexes, views, functions,
// triggers, partitions, storage parameters, rights and comments. Atlas
// compares about half of these.
//
// It reads catalogs and writes text. It does not know where a schema comes
// from, nor what its tables mean; the queries are in schema/catalog.
package schemadiff

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

// Key names an object of a schema.
type Key struct {
	Kind string // "table", "view", "function" ...
	Name string // qualified and quoted where needed; of a function with its argument types
}

// String returns, for instance, "view test_coordination.analytics_faults".
func (k Key) String() string { return k.Kind + " " + k.Name }

// Object is one object as the catalogs describe it, a property a line.
type Object struct {
	Key
	Lines []string
}

// Catalog holds the objects of a schema in a fixed order.
type Catalog []Object

// Dump reads the catalogs of one schema, as the transaction sees them. A schema
// that does not exist has no objects. It leaves the transaction without a
// search path. Unless the transaction is repeatable read, objects that others
// change meanwhile may come out half old, half new.
func Dump(ctx context.Context, tx *sql.Tx, schemaName string) (Catalog, error) {
	session, queries, err := loadQueries()
	if err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, session); err != nil {
		return nil, fmt.Errorf("prepare reading catalogs: %w", err)
	}
	var (
		catalog Catalog
		place   = map[Key]int{}
	)
	for _, query := range queries {
		rows, err := readLines(ctx, tx, query.text, schemaName)
		if err != nil {
			return nil, fmt.Errorf("read catalog %s: %w", query.name, err)
		}
		for _, row := range rows {
			at, known := place[row.key]
			if !known {
				at = len(catalog)
				place[row.key] = at
				catalog = append(catalog, Object{Key: row.key})
			}
			if row.line.Valid {
				catalog[at].Lines = append(catalog[at].Lines, row.line.String)
			}
		}
	}
	return catalog, nil
}

// String returns all objects as text, a block each, in the order of Dump.
func (c Catalog) String() string {
	var text strings.Builder
	for _, object := range c {
		fmt.Fprintf(&text, "%s\n", object.Key)
		for _, line := range object.Lines {
			fmt.Fprintf(&text, "  %s\n", line)
		}
	}
	return text.String()
}

func (c Catalog) find(key Key) (Object, bool) {
	for _, object := range c {
		if object.Key == key {
			return object, true
		}
	}
	return Object{}, false
}

type query struct{ name, text string }

// loadQueries returns the statement that prepares a transaction and the
// queries in the order in which their lines make up an object.
func loadQueries() (session string, queries []query, err error) {
	entries, err := fs.ReadDir(schema.Catalog(), ".")
	if err != nil {
		return "", nil, fmt.Errorf("list catalog queries: %w", err)
	}
	for _, entry := range entries { // sorted by name, and names begin with a number
		text, err := fs.ReadFile(schema.Catalog(), entry.Name())
		if err != nil {
			return "", nil, fmt.Errorf("load catalog query: %w", err)
		}
		queries = append(queries, query{name: entry.Name(), text: string(text)})
	}
	if len(queries) < 2 {
		return "", nil, errors.New("load catalog queries: none embedded")
	}
	return queries[0].text, queries[1:], nil
}

type catalogLine struct {
	key  Key
	line sql.NullString // NULL: the object exists, there is nothing else to say
}

func readLines(ctx context.Context, tx *sql.Tx, text, schemaName string) ([]catalogLine, error) {
	rows, err := tx.QueryContext(ctx, text, schemaName)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var lines []catalogLine
	for rows.Next() {
		var line catalogLine
		if err := rows.Scan(&line.key.Kind, &line.key.Name, &line.line); err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, rows.Err()
}
