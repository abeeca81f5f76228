package bench

import (
	"context"
	_ "embed" // the statements
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

//go:embed sql/batches.sql
var batchesSQL string

//go:embed sql/columns.sql
var columnsSQL string

// placement is how the rows of a table are dealt out to batches, and ordered in
// them: by run, which is the cheapest for the indexes.
type placement string

const (
	// byArrival: with the event that brought the row.
	byArrival placement = "JOIN bench_batches AS b ON b.execution_id = t.execution_id AND b.run = t.run AND b.arrival = t.arrival ORDER BY b.batch, b.execution_id, b.run, b.arrival"
	// withFirst: with the first event of the run.
	withFirst placement = "JOIN bench_batches AS b ON b.execution_id = t.execution_id AND b.run = t.run AND b.place = 0 ORDER BY b.batch, b.execution_id, b.run"
	// withFirstOfID: with the first event of the execution id.
	withFirstOfID placement = "JOIN (SELECT execution_id, min(batch) AS batch FROM bench_batches GROUP BY 1) AS b ON b.execution_id = t.execution_id ORDER BY b.batch, t.execution_id"
	// spread: over the run's events, in the order in which the rows were first
	// written, since the row does not say which event brought it.
	spread placement = "JOIN bench_batches AS b ON b.execution_id = t.execution_id AND b.run = t.run AND b.place = t.bench_place * b.places / t.bench_places ORDER BY b.batch, b.execution_id, b.run, b.arrival"
)

// storedTable is a table that the service fills, in the order of its foreign
// keys.
type storedTable struct {
	name string
	placement
}

// storedTables are those that events of executions come to lie in.
var storedTables = []storedTable{
	{"execution_ids", withFirstOfID},
	{"executions", withFirst},
	{"execution_details", withFirst},
	{"execution_events", byArrival},
	{"execution_phases", spread},
	{"execution_steps", spread},
	{"fault_injections", spread},
	{"validation_results", spread},
	{"system_snapshots", byArrival},
	{"execution_logs", byArrival},
}

// rowsPerStatement is where multi-row inserts are about the quickest.
const rowsPerStatement = 1000

// insert is one statement, ready to be sent: its parameters are arrays in the
// server's own form, one for each column.
type insert struct {
	table  int // of storedTables
	rows   int
	arrays [][]byte
}

// column is one of a table.
type column struct {
	name, typ, arrayType string
	oid                  uint32
	isArray              bool
}

// recording is everything that the service stored, as batches of inserts.
type recording struct {
	events     int64
	rows       int64
	bytes      int64
	statements []string // by table
	batches    [][]insert
}

// record reads what a database holds.
func record(ctx context.Context, conn *pgx.Conn, eventsPerBatch int) (*recording, error) {
	script := strings.ReplaceAll(batchesSQL, "batch_size", strconv.Itoa(eventsPerBatch))
	if _, err := conn.PgConn().Exec(ctx, script).ReadAll(); err != nil {
		return nil, fmt.Errorf("deal events out to batches: %w", err)
	}
	r := &recording{}
	for i, table := range storedTables {
		columns, err := columnsOf(ctx, conn, table.name)
		if err != nil {
			return nil, fmt.Errorf("describe %s: %w", table.name, err)
		}
		r.statements = append(r.statements, insertStatement(table, columns))
		rows, err := r.read(ctx, conn, i, columns)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", table.name, err)
		}
		r.rows += rows
		if table.name == "execution_events" {
			r.events = rows
		}
	}
	return r, nil
}

func columnsOf(ctx context.Context, conn *pgx.Conn, table string) ([]column, error) {
	rows, err := conn.Query(ctx, columnsSQL, "test_coordination."+table)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c column, err error) {
		err = row.Scan(&c.name, &c.typ, &c.oid, &c.arrayType, &c.isArray)
		if c.isArray { // unnest would flatten an array of arrays: such a value goes as its text
			c.oid, c.arrayType = textOID, "text[]"
		}
		return c, err
	})
}

// textOID is PostgreSQL's type text.
const textOID = 25

func insertStatement(table storedTable, columns []column) string {
	names, values, arrays := make([]string, len(columns)), make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
		values[i] = "u." + c.name
		if c.isArray {
			values[i] += "::" + c.typ
		}
		arrays[i] = fmt.Sprintf("unnest($%d::%s)", i+1, c.arrayType)
	}
	list := strings.Join(names, ", ")
	return fmt.Sprintf("INSERT INTO test_coordination.%s (%s) SELECT %s FROM ROWS FROM (%s) AS u(%s)",
		table.name, list, strings.Join(values, ", "), strings.Join(arrays, ", "), list)
}

func selectStatement(table storedTable, columns []column) string {
	values := make([]string, len(columns))
	for i, c := range columns {
		values[i] = "t." + c.name
		if c.isArray {
			values[i] += "::text"
		}
	}
	from := "test_coordination." + table.name
	if table.placement == spread {
		const over = "OVER (PARTITION BY execution_id, run"
		from = "(SELECT *, row_number() " + over + " ORDER BY tableoid, ctid) - 1 AS bench_place, count(*) " + over + ") AS bench_places FROM " + from + ")"
	}
	return "SELECT b.batch, " + strings.Join(values, ", ") + " FROM " + from + " AS t " + string(table.placement)
}

// read adds the rows of a table to the batches.
func (r *recording) read(ctx context.Context, conn *pgx.Conn, table int, columns []column) (rows int64, err error) {
	formats := make([]int16, len(columns)+1)
	for i := range formats {
		formats[i] = 1
	}
	result := conn.PgConn().ExecParams(ctx, selectStatement(storedTables[table], columns), nil, nil, nil, formats)
	var (
		open  *insert
		batch = -1
	)
	closeOpen := func() {
		if open == nil {
			return
		}
		for i, c := range columns {
			finishArray(open.arrays[i], c.oid, open.rows)
			r.bytes += int64(len(open.arrays[i]))
		}
		r.batches[batch] = append(r.batches[batch], *open)
		open = nil
	}
	for result.NextRow() {
		values := result.Values()
		if at := int(binary.BigEndian.Uint32(values[0])); at != batch {
			closeOpen()
			batch = at
		} else if open != nil && open.rows == rowsPerStatement {
			closeOpen()
		}
		for len(r.batches) <= batch {
			r.batches = append(r.batches, nil)
		}
		if open == nil {
			open = &insert{table: table, arrays: make([][]byte, len(columns))}
			for i := range open.arrays {
				open.arrays[i] = make([]byte, arrayHeader)
			}
		}
		for i, value := range values[1:] {
			open.arrays[i] = appendElement(open.arrays[i], value)
		}
		open.rows++
		rows++
	}
	closeOpen()
	_, err = result.Close()
	return rows, err
}

// arrayHeader is the length of what comes before the elements of an array of
// one dimension, in the server's binary form.
const arrayHeader = 20

func appendElement(array, value []byte) []byte {
	if value == nil {
		array[7] = 1 // it has NULLs
		return binary.BigEndian.AppendUint32(array, ^uint32(0))
	}
	return append(binary.BigEndian.AppendUint32(array, uint32(len(value))), value...) //nolint:gosec // at most a gigabyte
}

func finishArray(array []byte, oid uint32, rows int) {
	binary.BigEndian.PutUint32(array, 1) // dimensions
	binary.BigEndian.PutUint32(array[8:], oid)
	binary.BigEndian.PutUint32(array[12:], uint32(rows)) //nolint:gosec // at most rowsPerStatement
	binary.BigEndian.PutUint32(array[16:], 1)            // the first index
}
