package checker

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Postgres is the store of a real history, read by plain SQL.
type Postgres struct{ pool *pgxpool.Pool }

// OpenPostgres connects.
func OpenPostgres(ctx context.Context, url string) (*Postgres, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read the address of PostgreSQL: %w", err)
	}
	config.MaxConns = 20 // each table of a pass is read on a connection of its own
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		// JSON as it is stored; what it means is decided where it is compared.
		raw := func(b []byte, v any) error {
			*v.(*any) = json.RawMessage(slices.Clone(b))
			return nil
		}
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "json", OID: pgtype.JSONOID, Codec: &pgtype.JSONCodec{Marshal: json.Marshal, Unmarshal: raw}})
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "jsonb", OID: pgtype.JSONBOID, Codec: &pgtype.JSONBCodec{Marshal: json.Marshal, Unmarshal: raw}})
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	return &Postgres{pool}, nil
}

// Close ends the connections.
func (p *Postgres) Close() { p.pool.Close() }

// byExecution are the tables that are read in ranges of execution ids.
var byExecution = slices.Clone(tables)

// Rows reads a table.
func (p *Postgres) Rows(ctx context.Context, table, from, to string) iter.Seq2[Row, error] {
	name := pgx.Identifier{"test_coordination", table}.Sanitize()
	query, args := "SELECT * FROM "+name, []any(nil)
	if slices.Contains(byExecution, table) {
		query += ` WHERE execution_id >= $1 AND ($2 = '' OR execution_id < $2) ORDER BY execution_id`
		args = []any{from, to}
	}
	return func(yield func(Row, error) bool) {
		if err := p.read(ctx, query, args, func(r Row) bool { return yield(r, nil) }); err != nil {
			yield(nil, fmt.Errorf("read %s: %w", table, err))
		}
	}
}

func (p *Postgres) read(ctx context.Context, query string, args []any, each func(Row) bool) error {
	rows, err := p.pool.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var columns []string
	for _, field := range rows.FieldDescriptions() {
		columns = append(columns, field.Name)
	}
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return err
		}
		row := make(Row, len(columns))
		for i, column := range columns {
			row[column] = plain(values[i])
		}
		if !each(row) {
			return nil
		}
	}
	return rows.Err()
}

// plain gives a value one of the few types that rows have.
func plain(v any) any {
	switch v := v.(type) {
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case time.Time:
		return v.UTC()
	case []any: // of texts, in the tables that are judged
		list := make([]string, len(v))
		for i := range v {
			list[i] = fmt.Sprint(v[i])
		}
		return list
	}
	return v
}

// Split divides the ids by the number of their events.
func (p *Postgres) Split(ctx context.Context, ranges int) ([]string, error) {
	if ranges < 2 {
		return nil, nil
	}
	rows, err := p.pool.Query(ctx, `SELECT min(execution_id) FROM (
		SELECT execution_id, ntile($1) OVER (ORDER BY execution_id) AS part FROM test_coordination.execution_ids
	) AS parts GROUP BY part ORDER BY part OFFSET 1`, ranges)
	if err != nil {
		return nil, fmt.Errorf("divide the execution ids: %w", err)
	}
	bounds, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("divide the execution ids: %w", err)
	}
	return bounds, nil
}

// Timeline is that of the server.
func (p *Postgres) Timeline(ctx context.Context) (timeline uint32, err error) {
	var name string
	if err = p.pool.QueryRow(ctx, "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)").Scan(&name); err == nil {
		_, err = fmt.Sscanf(name, "%X", &timeline)
	}
	if err != nil {
		return 0, fmt.Errorf("ask for the timeline: %w", err)
	}
	return timeline, nil
}
