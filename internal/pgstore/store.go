package pgstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// Config says how to reach PostgreSQL. Zero durations leave the server's own
// settings.
type Config struct {
	URL              string // postgres://, postgresql://; a "+driver" suffix of the scheme is dropped
	MaxConns         int32
	StatementTimeout time.Duration
	LockTimeout      time.Duration
	IdleTimeout      time.Duration // of a session that waits for its client in a transaction; see EndStalled
	ConnectTimeout   time.Duration
	ApplicationName  string
	Quarantine       QuarantineLimits
	DeadLetters      bool // a copy of each quarantined record goes to the outbox
}

// Store is a pool of connections to the service's schema. It is safe for
// concurrent use.
type Store struct {
	pool        *pgxpool.Pool
	q           *dbsqlc.Queries
	types       columnTypes
	quarantine  QuarantineLimits
	deadLetters bool
	idle        time.Duration // see Config.IdleTimeout
}

// Open makes the pool. It does not connect: a database that is down is an
// infrastructure error of the first query, to be retried like any other.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	u, err := NormalizeURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	pc, err := pgxpool.ParseConfig(u)
	if err != nil {
		return nil, fmt.Errorf("database URL cannot be used: %s", reasonWithoutURL(err))
	}
	if cfg.MaxConns > 0 {
		pc.MaxConns = cfg.MaxConns
	}
	if cfg.ConnectTimeout > 0 {
		pc.ConnConfig.ConnectTimeout = cfg.ConnectTimeout
	}
	params := pc.ConnConfig.RuntimeParams
	for name, d := range map[string]time.Duration{
		"statement_timeout":                   cfg.StatementTimeout,
		"lock_timeout":                        cfg.LockTimeout,
		"idle_in_transaction_session_timeout": cfg.IdleTimeout,
	} {
		if d > 0 {
			params[name] = strconv.FormatInt(d.Milliseconds(), 10)
		}
	}
	for _, settings := range []map[string]string{planning, keepalives, quiet} {
		maps.Copy(params, settings)
	}
	if cfg.ApplicationName != "" {
		params["application_name"] = cfg.ApplicationName
	}
	pc.AfterRelease = writable
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("open database pool: %w", err)
	}
	return &Store{pool: pool, q: dbsqlc.New(pool), quarantine: cfg.Quarantine, deadLetters: cfg.DeadLetters, idle: cfg.IdleTimeout}, nil
}

// planning are the settings of a session under which its statements, all of
// which go along keys, are planned as such. Left alone the planner looks at how
// much the tables hold just then: of a young partition it read all rows to find
// a few, with a plan that would be kept while the partition grows, and it
// planned anew for each list of keys.
var planning = map[string]string{
	"plan_cache_mode":  "force_generic_plan",
	"enable_seqscan":   "off",
	"enable_hashjoin":  "off",
	"enable_mergejoin": "off",
	"jit":              "off", // what the settings above forbid looks expensive enough to compile
}

// keepalives let the server notice within half a minute that a client's machine
// has gone, whose transaction would keep its locks for hours.
var keepalives = map[string]string{
	"tcp_keepalives_idle":     "10",
	"tcp_keepalives_interval": "5",
	"tcp_keepalives_count":    "4",
}

// quiet keeps the server from sending what nobody reads: while it cannot get rid
// of the notices of a trigger that is not ours, it does not read the rows that are
// sent to it.
var quiet = map[string]string{"client_min_messages": "error"}

// writable tells whether a session that was given back is worth keeping. One
// that began on a standby, or when the database was read-only, would go on to
// refuse every write after the address leads to a primary again, or after the
// setting is gone. The server reports both without being asked.
func writable(c *pgx.Conn) bool {
	session := c.PgConn()
	return session.ParameterStatus("in_hot_standby") != "on" && session.ParameterStatus("default_transaction_read_only") != "on"
}

// Close waits for connections in use and closes the pool.
func (s *Store) Close() { s.pool.Close() }

// Ping asks the server for a sign of life.
func (s *Store) Ping(ctx context.Context) error { return interpret("ping database", s.pool.Ping(ctx)) }

// NormalizeURL drops the "+driver" part that other languages' libraries put
// into the scheme, as in postgresql+asyncpg://.
func NormalizeURL(raw string) (string, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return raw, nil // a key=value connection string
	}
	scheme, _, _ = strings.Cut(scheme, "+")
	if scheme != "postgres" && scheme != "postgresql" {
		return "", fmt.Errorf("database URL: scheme is %q, want postgres or postgresql", scheme)
	}
	u := scheme + "://" + rest
	if _, err := url.Parse(u); err != nil {
		// url.Error repeats the URL, and with it the password.
		return "", errors.New("database URL cannot be parsed; escape special characters of the password as %XX")
	}
	return u, nil
}

// reasonWithoutURL is why the driver cannot read a URL. Its own error repeats
// the URL, and hides the password only where it can find it; what it quotes may
// be a password too.
func reasonWithoutURL(err error) string {
	reason := errors.Unwrap(err)
	if reason == nil || strings.ContainsAny(reason.Error(), "\"'`") {
		return "one of its parts or settings is not understood"
	}
	return reason.Error()
}

// Cluster identifies the PostgreSQL that answered.
type Cluster struct {
	SystemIdentifier string // of the cluster, and the oid of our schema in it
	Timeline         uint32 // rises with each failover; 0 on a standby
}

// History is where a cluster stands in its own past: it falls only when the
// cluster is restored from a copy of former days.
type History int64

// History asks for the position in the write-ahead log; 0 on a standby.
func (s *Store) History(ctx context.Context) (History, error) {
	position, err := s.q.WALPosition(ctx)
	return History(position), interpret("read position of the write-ahead log", err)
}

// Cluster asks which cluster this is, and on which timeline.
func (s *Store) Cluster(ctx context.Context) (Cluster, error) {
	row, err := s.q.ClusterIdentity(ctx)
	if err != nil {
		return Cluster{}, interpret("identify database cluster", err)
	}
	timeline, err := parseTimeline(row.TimelineHex)
	if err != nil {
		return Cluster{}, fmt.Errorf("identify database cluster: %w", err)
	}
	return Cluster{SystemIdentifier: row.SystemIdentifier, Timeline: timeline}, nil
}

// String is the cluster as logs show it: system identifier and timeline.
func (c Cluster) String() string { return fmt.Sprintf("%s/%d", c.SystemIdentifier, c.Timeline) }

func parseTimeline(hex string) (uint32, error) {
	timeline, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("read timeline %q: %w", hex, err)
	}
	return uint32(timeline), nil
}

// EnsurePartitions makes the partitions for the buckets first..last ahead of
// time, grain is "month" or "day", and tells how many were new. Each table has a
// transaction of its own: one that locked all of them would run into deadlocks
// with those who use several. A table that is in use ends the try, for writers
// wait as long as we do; which one comes first is drawn, so that it does not
// keep the others from their partitions in each.
func (s *Store) EnsurePartitions(ctx context.Context, first, last time.Time, grain string) (made int, err error) {
	tables, err := s.q.PartitionedTables(ctx)
	if err != nil {
		return 0, interpret("list partitioned tables", err)
	}
	for _, table := range tables {
		n, err := s.q.EnsurePartitions(ctx, dbsqlc.EnsurePartitionsParams{TableName: table, First: first, Last: last, Grain: grain})
		if err != nil {
			return made, interpret("make partitions of "+table, err)
		}
		made += int(n)
	}
	return made, nil
}

// StrayRows counts the rows that lie in DEFAULT partitions, by table: their
// partition was not made in time.
func (s *Store) StrayRows(ctx context.Context) (map[string]int64, error) {
	rows, err := s.q.StrayRows(ctx)
	if err != nil {
		return nil, interpret("count stray rows", err)
	}
	stray := make(map[string]int64, len(rows))
	for _, r := range rows {
		stray[r.Parent] = r.Stray
	}
	return stray, nil
}

// EndStalled ends other sessions of this program, on whatever machine, that wait
// for a client who has stopped in the middle of what it sends, for longer than
// Config.IdleTimeout; and tells how many. The server's own timeout is for those who
// wait between two statements.
func (s *Store) EndStalled(ctx context.Context) (int, error) {
	if s.idle <= 0 {
		return 0, nil
	}
	ended, err := s.q.EndStalledSessions(ctx, s.idle.Seconds())
	return int(ended), interpret("end stalled sessions", err)
}

// Lead runs work while a session holds the advisory lock of a loop that must run
// once among all instances. It returns false at once when another instance holds
// it. The session is not one of the pool's: leaders that held all of those would
// wait for each other, for their work takes more.
func (s *Store) Lead(ctx context.Context, loop string, work func(context.Context) error) (bool, error) {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return false, interpret("connect", err)
	}
	q := dbsqlc.New(conn)
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
		defer cancel()
		_ = q.EndLeadership(ending)
		_ = conn.Close(ending) // the lock ends with the session at the latest
	}()
	won, err := q.TryLeadership(ctx, loop)
	if err != nil || !won {
		return false, interpret("ask for leadership of "+loop, err)
	}
	return true, work(ctx)
}

// unlockTimeout bounds the end of a leadership.
const unlockTimeout = time.Second

// rollbackTimeout bounds a rollback after the caller's context has ended.
const rollbackTimeout = 5 * time.Second

// Tx is the transaction of one batch. Statements of which nobody waits for a
// result are sent with the next one of which somebody does, or with COMMIT; their
// errors come then.
type Tx struct {
	q        *dbsqlc.Queries // waits for each statement
	queued   *dbsqlc.Queries // does not
	pipe     *pipeline       // under both
	now      time.Time
	changed  time.Time              // of runs that have ended, by PostgreSQL's clock; LockExecutions reads it
	timeline uint32                 // 0: not known yet
	parts    map[PartKey]soughtPart // that were asked for

	serverNow time.Time // see serverTime; zero: nobody has asked

	quarantine  QuarantineLimits
	quarantined Quarantined
	watched     watched
	deadLetters bool
}

// Now is the one time that all rows of the transaction get, but for plans and
// occurrences of schedules.
func (tx *Tx) Now() time.Time { return tx.now }

// Batch runs work in one READ COMMITTED transaction and commits it. All rows
// get the one time now, but for plans and occurrences of schedules. An error of
// work rolls back and is returned as it is.
//
// When the outcome of COMMIT cannot be known, the error is ErrInDoubt: the
// caller asks Position on a new connection.
func (s *Store) Batch(ctx context.Context, now time.Time, work func(*Tx) error) error {
	return s.transact(ctx, now, work, (*pipeline).commit)
}

// Trial runs work in a transaction that is always rolled back: it finds out
// whether the database would accept it.
func (s *Store) Trial(ctx context.Context, now time.Time, work func(*Tx) error) error {
	return s.transact(ctx, now, work, (*pipeline).finish)
}

func (s *Store) transact(ctx context.Context, now time.Time, work func(*Tx) error, end func(*pipeline, context.Context) error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return interpret("begin transaction", err)
	}
	defer conn.Release()
	p := begin(conn.Conn(), &s.types)
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		p.rollback(ctx)
	}()
	if err := work(&Tx{q: dbsqlc.New(waiting{p}), queued: dbsqlc.New(queued{p}), pipe: p, now: now, parts: map[PartKey]soughtPart{}, quarantine: s.quarantine, deadLetters: s.deadLetters}); err != nil {
		return err
	}
	return end(p, ctx)
}
