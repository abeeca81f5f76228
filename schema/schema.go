// Package schema carries the SQL of the database in the binary: the desired
// state, the migrations that lead to it, the statements that install and
// inspect it. It holds text and runs nothing; of what the tables mean, and of
// drivers, it knows nothing.
//
// Together with query/ it is the only place where SQL may be written.
package schema

import (
	"embed"
	"io/fs"
	"strings"
)

// Name is the one schema that holds everything of this service.
const Name = "test_coordination"

// Desired is the desired state: schema.sql.
//
//go:embed schema.sql
var Desired string

// Bootstrap makes the owner, writer and reader roles of a hardened
// installation. A database administrator runs it once, before the migrations.
//
//go:embed bootstrap.sql
var Bootstrap string

//go:embed migrations
var migrations embed.FS

// Migrations returns the versioned migration files and their atlas.sum.
func Migrations() fs.FS { return sub(migrations, "migrations") }

//go:embed catalog/*.sql
var catalog embed.FS

// Catalog returns the queries that describe a schema from the server's
// catalogs. The first prepares the transaction; each other takes the schema's
// name as $1 and gives kind, name and a line of an object, in order.
func Catalog() fs.FS { return sub(catalog, "catalog") }

// Statements about an installation.
var (
	// CreateAnalysts creates the roles of analysts on a scratch server.
	//
	//go:embed installation/create_analysts.sql
	CreateAnalysts string

	// ForeignTables lists, in one text column, the tables and views of our
	// schema apart from the revisions table.
	//
	//go:embed installation/foreign_tables.sql
	ForeignTables string
)

// Statements about the table of applied migrations.
var (
	//go:embed revisions/create_schema.sql
	createSchema string
	//go:embed revisions/create_table.sql
	createRevisions string
	//go:embed revisions/protect_table.sql
	protectRevisions string
	//go:embed revisions/exists.sql
	revisionsExist string
	//go:embed revisions/list.sql
	listRevisions string
	//go:embed revisions/get.sql
	getRevision string
	//go:embed revisions/upsert.sql
	upsertRevision string
	//go:embed revisions/delete.sql
	deleteRevision string
)

// RevisionStatements are the statements on the table of applied migrations.
type RevisionStatements struct {
	CreateSchema string // creates the table's schema where it is missing
	CreateTable  string // creates the table where it is missing
	ProtectTable string // leaves the writer of a hardened installation the right to read it only
	Exists       string // one boolean: whether there is a table
	List         string // all revisions by version
	Get          string // $1 version; columns as List
	Upsert       string // $1..$12 as the table's columns
	Delete       string // $1 version
}

// RevisionsIn returns the statements for a revisions table in the named
// schema. The name is put into the text, so it must be a plain identifier.
func RevisionsIn(name string) RevisionStatements {
	in := func(sql string) string { return strings.ReplaceAll(sql, `"revisions_schema"`, `"`+name+`"`) }
	return RevisionStatements{
		CreateSchema: in(createSchema),
		CreateTable:  in(createRevisions),
		ProtectTable: in(protectRevisions),
		Exists:       in(revisionsExist),
		List:         in(listRevisions),
		Get:          in(getRevision),
		Upsert:       in(upsertRevision),
		Delete:       in(deleteRevision),
	}
}

func sub(files fs.FS, name string) fs.FS {
	dir, err := fs.Sub(files, name)
	if err != nil {
		panic(err) // only for an invalid name, and ours are constants
	}
	return dir
}
