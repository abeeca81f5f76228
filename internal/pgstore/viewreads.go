package pgstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// The reads of bulk exports: whole views, row by row. Which views there are, and
// their columns, is asked of the catalog, so their statements are put together
// here, of quoted names alone; values are arguments.

// Kind is how the values of a column are read.
type Kind int

// The kinds.
const (
	KindText      Kind = iota // text, and types that have no kind of their own, as PostgreSQL writes them
	KindBool                  // Cell.Int is 0 or 1
	KindInt32                 // Cell.Int
	KindInt64                 // Cell.Int
	KindDouble                // Cell.Double, NaN and infinities included
	KindNumeric               // Cell.Bytes, all digits
	KindJSON                  // Cell.Bytes; arrays, too
	KindBytes                 // Cell.Bytes
	KindTimestamp             // Cell.Int is microseconds since 1970 in UTC; see Infinite
	KindDate                  // Cell.Int is days since 1970; see Infinite
)

// Infinite are the values of Cell.Int for times that PostgreSQL calls infinity
// and -infinity.
const (
	InfiniteFuture = math.MaxInt64
	InfinitePast   = math.MinInt64
)

// View is a view for analysts.
type View struct {
	Name    string
	Comment string
}

// Column is a column of a view.
type Column struct {
	Name    string
	Type    string // as PostgreSQL writes it
	Comment string
	Kind    Kind
}

// Cell is one value. Its bytes are valid until the next row.
type Cell struct {
	Null   bool
	Int    int64
	Double float64
	Bytes  []byte
}

// ViewReader reads views over one connection, which can only read.
type ViewReader struct {
	conn *pgx.Conn
	q    *dbsqlc.Queries
}

// OpenViewReader connects. It has no limit of time for a statement: a view is
// read for as long as it takes.
func OpenViewReader(ctx context.Context, cfg Config) (*ViewReader, error) {
	u, err := NormalizeURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	cc, err := pgx.ParseConfig(u)
	if err != nil {
		return nil, fmt.Errorf("database URL cannot be used: %s", reasonWithoutURL(err))
	}
	if cfg.ConnectTimeout > 0 {
		cc.ConnectTimeout = cfg.ConnectTimeout
	}
	for _, settings := range []map[string]string{keepalives, quiet, {
		"application_name":                    cfg.ApplicationName,
		"default_transaction_read_only":       "on",
		"statement_timeout":                   "0",
		"idle_in_transaction_session_timeout": "0",
		"timezone":                            "UTC",
		"datestyle":                           "ISO",
		"extra_float_digits":                  "1",
		"client_encoding":                     "UTF8",
		"jit":                                 "off", // see planning
	}} {
		for name, value := range settings {
			cc.RuntimeParams[name] = value
		}
	}
	conn, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return nil, interpret("connect", err)
	}
	return &ViewReader{conn: conn, q: dbsqlc.New(conn)}, nil
}

// Close ends the connection, also when ctx has ended.
func (r *ViewReader) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_ = r.conn.Close(ctx) // nothing was written
}

// Views lists the views that may be read, by name.
func (r *ViewReader) Views(ctx context.Context) ([]View, error) {
	rows, err := r.q.AnalyticsViews(ctx)
	if err != nil {
		return nil, interpret("list views", err)
	}
	views := make([]View, len(rows))
	for i, row := range rows {
		views[i] = View{Name: row.Name, Comment: row.Comment}
	}
	return views, nil
}

// Columns are those of a view; ErrNotFound where there is no such view.
func (r *ViewReader) Columns(ctx context.Context, view string) ([]Column, error) {
	rows, err := r.q.AnalyticsViewColumns(ctx, view)
	if err != nil {
		return nil, interpret("list columns of a view", err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("view %q: %w", view, ErrNotFound)
	}
	columns := make([]Column, len(rows))
	for i, row := range rows {
		columns[i] = Column{Name: row.Name, Type: row.TypeName, Comment: row.Comment, Kind: kindOf(row.BaseType, row.Category)}
	}
	return columns, nil
}

func kindOf(base, category string) Kind {
	if category == "A" {
		return KindJSON
	}
	switch base {
	case "bool":
		return KindBool
	case "int2", "int4":
		return KindInt32
	case "int8":
		return KindInt64
	case "float4", "float8":
		return KindDouble
	case "numeric":
		return KindNumeric
	case "json", "jsonb":
		return KindJSON
	case "bytea":
		return KindBytes
	case "timestamptz", "timestamp":
		return KindTimestamp
	case "date":
		return KindDate
	}
	return KindText
}

// Selection says which rows and columns of a view are wanted.
type Selection struct {
	View    string
	Columns []Column
	Key     []Column // unique together, never NULL, never changed; none: no order
	After   []string // the rows behind that of this key, as KeyOf gave it; none: from the first

	Time        string    // expression over columns of the view that Since and Until are held against
	Since       time.Time // inclusive; zero: no limit
	Until       time.Time // exclusive; zero: no limit
	Scenario    string    // empty: all
	Environment string    // empty: all
	ByRun       bool      // the view has neither scenario nor environment: those of the run count
}

// statement is the SELECT and its arguments.
func (s *Selection) statement() (sql string, args []any) {
	var b strings.Builder
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	list := make([]string, 0, len(s.Columns)+len(s.Key))
	for _, c := range s.Columns {
		list = append(list, c.expression())
	}
	for _, c := range s.Key {
		list = append(list, "v."+quoted(c.Name)+"::text")
	}
	fmt.Fprintf(&b, "SELECT %s FROM test_coordination.%s AS v", strings.Join(list, ", "), quoted(s.View))
	var conditions []string
	if len(s.After) > 0 {
		names, values := make([]string, len(s.Key)), make([]string, len(s.Key))
		for i, c := range s.Key {
			names[i], values[i] = "v."+quoted(c.Name), arg(s.After[i])+"::text::"+c.Type
		}
		conditions = append(conditions, fmt.Sprintf("(%s) > (%s)", strings.Join(names, ", "), strings.Join(values, ", ")))
	}
	if !s.Since.IsZero() {
		conditions = append(conditions, s.Time+" >= "+arg(s.Since.UTC())+"::timestamptz")
	}
	if !s.Until.IsZero() {
		conditions = append(conditions, s.Time+" < "+arg(s.Until.UTC())+"::timestamptz")
	}
	var ofRun []string
	for _, c := range []struct{ name, value string }{{"scenario_id", s.Scenario}, {"environment", s.Environment}} {
		switch {
		case c.value == "":
		case s.ByRun:
			ofRun = append(ofRun, "e."+c.name+" = "+arg(c.value)+"::text")
		default:
			conditions = append(conditions, "v."+c.name+" = "+arg(c.value)+"::text")
		}
	}
	if len(ofRun) > 0 {
		conditions = append(conditions, "EXISTS (SELECT FROM test_coordination.analytics_executions AS e WHERE e.execution_id = v.execution_id AND e.run = v.run AND "+strings.Join(ofRun, " AND ")+")")
	}
	if len(conditions) > 0 {
		b.WriteString(" WHERE " + strings.Join(conditions, " AND "))
	}
	if len(s.Key) > 0 {
		order := make([]string, len(s.Key))
		for i, c := range s.Key {
			order[i] = "v." + quoted(c.Name)
		}
		b.WriteString(" ORDER BY " + strings.Join(order, ", "))
	}
	return b.String(), args
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

// expression is the column in the form that its kind is read in.
func (c *Column) expression() string {
	name := "v." + quoted(c.Name)
	switch c.Kind {
	case KindDouble:
		return name + "::float8"
	case KindTimestamp:
		if strings.HasPrefix(c.Type, "timestamp without") || c.Type == "timestamp" {
			return "(" + name + " AT TIME ZONE 'UTC')"
		}
		return name
	case KindJSON:
		if c.Type == "json" || c.Type == "jsonb" {
			return name + "::text"
		}
		return "to_json(" + name + ")::text"
	case KindText, KindNumeric:
		return name + "::text"
	case KindBool, KindInt32, KindInt64, KindBytes, KindDate:
	}
	return name
}

// ViewRows are the rows of a selection as they were at one moment. They are read
// some at a time, by a cursor, so that whoever reads them may stop anywhere.
type ViewRows struct {
	AsOf time.Time // that moment, by PostgreSQL's clock

	selection Selection
	tx        pgx.Tx
	formats   pgx.QueryResultFormats
	cells     []Cell
	key       []string
	ended     bool
}

// fetchRows is how many rows are asked for at once, at most.
const fetchRows = 1000

// Open begins to read. The rows must be closed.
func (r *ViewReader) Open(ctx context.Context, s Selection) (_ *ViewRows, err error) {
	tx, err := r.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, interpret("begin to read a view", err)
	}
	rows := &ViewRows{selection: s, tx: tx, cells: make([]Cell, len(s.Columns)), key: make([]string, len(s.Key))}
	defer func() {
		if err != nil {
			rows.Close(ctx)
		}
	}()
	if err := planAlongKey(ctx, tx, &s); err != nil {
		return nil, err
	}
	if err := tx.QueryRow(ctx, "SELECT now()").Scan(&rows.AsOf); err != nil {
		return nil, interpret("begin to read a view", err)
	}
	rows.AsOf = rows.AsOf.UTC()
	sql, args := s.statement()
	// The driver's memory of statements is by their text, and knows no types of
	// arguments that are in a cursor's declaration only.
	if _, err := tx.Exec(ctx, "DECLARE export_rows NO SCROLL CURSOR FOR "+sql, append([]any{pgx.QueryExecModeExec}, args...)...); err != nil {
		return nil, interpret("read view "+s.View, err)
	}
	for _, c := range s.Columns {
		rows.formats = append(rows.formats, c.format())
	}
	for range s.Key {
		rows.formats = append(rows.formats, pgx.TextFormatCode)
	}
	return rows, nil
}

// planAlongKey lets a selection with a key be read in its order, along its index:
// a plan that sorts would read the whole view for each part.
func planAlongKey(ctx context.Context, tx pgx.Tx, s *Selection) error {
	if len(s.Key) == 0 {
		return nil
	}
	for _, method := range []string{"enable_seqscan", "enable_hashjoin", "enable_sort"} {
		if _, err := tx.Exec(ctx, "SET LOCAL "+method+" = off"); err != nil {
			return interpret("plan to read a view", err)
		}
	}
	return nil
}

// Explain gives the lines of the plan by which a selection would be read.
func (r *ViewReader) Explain(ctx context.Context, s Selection, line func(string)) error {
	tx, err := r.conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return interpret("explain", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if err := planAlongKey(ctx, tx, &s); err != nil {
		return err
	}
	sql, args := s.statement()
	rows, err := tx.Query(ctx, "EXPLAIN "+sql, append([]any{pgx.QueryExecModeExec}, args...)...)
	if err != nil {
		return interpret("explain", err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, l := range lines {
		line(l)
	}
	return interpret("explain", err)
}

func (c *Column) format() int16 {
	switch c.Kind {
	case KindText, KindNumeric, KindJSON:
		return pgx.TextFormatCode
	case KindBool, KindInt32, KindInt64, KindDouble, KindBytes, KindTimestamp, KindDate:
	}
	return pgx.BinaryFormatCode
}

// Next reads some rows, at most so many, and calls each for one after the other,
// with its cells and its key as text; more says whether there may be further
// ones. What each is given is valid until it returns. Its error ends the reading.
func (v *ViewRows) Next(ctx context.Context, most int64, each func(cells []Cell, key []string) error) (more bool, err error) {
	if v.ended {
		return false, nil
	}
	wanted := min(most, fetchRows)
	rows, err := v.tx.Query(ctx, fmt.Sprintf("FETCH FORWARD %d FROM export_rows", wanted), pgx.QueryExecModeDescribeExec, v.formats)
	if err != nil {
		return false, interpret("read view "+v.selection.View, err)
	}
	defer rows.Close()
	n := int64(0)
	for rows.Next() {
		n++
		if err := v.decode(rows.RawValues()); err != nil {
			return false, err
		}
		if err := each(v.cells, v.key); err != nil {
			return false, err
		}
	}
	if err := rows.Err(); err != nil {
		return false, interpret("read view "+v.selection.View, err)
	}
	v.ended = n < wanted
	return !v.ended, nil
}

// Close ends the reading, also when ctx has ended.
func (v *ViewRows) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_ = v.tx.Rollback(ctx) // nothing was written
}

var errForm = errors.New("not in the form that was asked for")

// Between the epochs of Unix and of PostgreSQL, 2000-01-01.
const (
	epochMicros = 946_684_800_000_000
	epochDays   = 10_957
)

func (v *ViewRows) decode(raw [][]byte) error {
	if len(raw) != len(v.cells)+len(v.key) {
		return fmt.Errorf("read view %s: %w", v.selection.View, errForm)
	}
	for i := range v.cells {
		c, b := &v.selection.Columns[i], raw[i]
		v.cells[i] = Cell{Null: b == nil}
		if b == nil {
			continue
		}
		if err := v.cells[i].decode(c.Kind, b); err != nil {
			return fmt.Errorf("read column %s of %s: %w", c.Name, v.selection.View, err)
		}
	}
	for i, b := range raw[len(v.cells):] {
		if b == nil {
			return fmt.Errorf("read view %s: %s, of its key, is NULL", v.selection.View, v.selection.Key[i].Name)
		}
		v.key[i] = string(b)
	}
	return nil
}

func (c *Cell) decode(kind Kind, b []byte) error {
	switch kind {
	case KindText, KindNumeric, KindJSON, KindBytes:
		c.Bytes = b
		return nil
	case KindBool:
		if len(b) == 1 {
			c.Int = int64(b[0])
			return nil
		}
	case KindInt32, KindInt64:
		switch len(b) {
		case 2:
			c.Int = int64(int16(binary.BigEndian.Uint16(b))) //nolint:gosec // its bits
			return nil
		case 4:
			c.Int = int64(int32(binary.BigEndian.Uint32(b))) //nolint:gosec // its bits
			return nil
		case 8:
			c.Int = int64(binary.BigEndian.Uint64(b)) //nolint:gosec // its bits
			return nil
		}
	case KindDouble:
		if len(b) == 8 {
			c.Double = math.Float64frombits(binary.BigEndian.Uint64(b))
			return nil
		}
	case KindTimestamp:
		if len(b) == 8 {
			c.Int = sinceUnix(int64(binary.BigEndian.Uint64(b)), math.MinInt64, math.MaxInt64, epochMicros) //nolint:gosec // its bits
			return nil
		}
	case KindDate:
		if len(b) == 4 {
			c.Int = sinceUnix(int64(int32(binary.BigEndian.Uint32(b))), math.MinInt32, math.MaxInt32, epochDays) //nolint:gosec // its bits
			return nil
		}
	}
	return errForm
}

// sinceUnix is a time of PostgreSQL's counted from 1970. A time of the last 30
// years that PostgreSQL has (about the year 294,260) becomes the last that fits.
func sinceUnix(n, past, future, epoch int64) int64 {
	switch {
	case n == past:
		return InfinitePast
	case n == future:
		return InfiniteFuture
	case n > InfiniteFuture-1-epoch:
		return InfiniteFuture - 1
	}
	return n + epoch
}
