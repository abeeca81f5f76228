package pgstore_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

func TestURLsOfOtherLibrariesAreUnderstood(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"postgres://u:p@h:5432/d":                 "postgres://u:p@h:5432/d",
		"postgresql://h/d?sslmode=disable":        "postgresql://h/d?sslmode=disable",
		"postgresql+asyncpg://u:p%40@h/d":         "postgresql://u:p%40@h/d",
		"postgres+psycopg2+x://h/d":               "postgres://h/d",
		"host=h user=u password=p dbname=d":       "host=h user=u password=p dbname=d",
		"postgresql:///d?host=/var/run/postgres":  "postgresql:///d?host=/var/run/postgres",
		"postgres://u:p@h1:5432,h2:5432/d?x=a+b":  "postgres://u:p@h1:5432,h2:5432/d?x=a+b",
		"postgres://user:pa+ss@host/database?a=b": "postgres://user:pa+ss@host/database?a=b",
	} {
		got, err := pgstore.NormalizeURL(raw)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", raw, got, err, want)
		}
	}
}

func TestErrorsAboutAURLKeepItsPassword(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	for _, raw := range []string{
		"mysql://u:" + secret + "@h/d",
		"postgres://u:" + secret + "%zz@h/d",
		"postgres://u:" + secret + " @h/d",
		"postgres://u:" + secret + "\x7f@h/d",
		"postgres://u:" + secret + "@h:port/d",
		"postgres://u:a/" + secret + "@h/d",
		"postgres://u:a?" + secret + "@h/d",
		"postgres://u:a#" + secret + "@h/d",
		"postgres://u:a@b:" + secret + "@h/d",
		"postgres://u:" + secret + "@h/d?sslmode=nonsense",
		"postgres://h/d?sslmode=nonsense&password=" + secret,
		"postgres://u:" + secret + "@h/d?pool_max_conns=many",
		"host=h user=u password=" + secret + " sslmode=nonsense",
		`host=h user=u password='it\'s ` + secret + `' sslmode=nonsense`,
		"host=h user=u password = " + secret + " sslmode=nonsense",
		"host=h user=u password='" + secret,
		secret,
	} {
		s, err := pgstore.Open(t.Context(), pgstore.Config{URL: raw})
		if err == nil {
			// It could be read, if not as meant; connecting must not tell either.
			err = s.Ping(canceled(t))
			s.Close()
		}
		if err == nil {
			t.Errorf("%q: no error", raw)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

func canceled(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestOneSessionLeadsALoop(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	a, b := openStore(t, db), openStore(t, db)
	failed := errors.New("loop failed")
	lead := func(s *pgstore.Store, loop string, work func(context.Context) error) bool {
		won, err := s.Lead(t.Context(), loop, work)
		if err != nil && !errors.Is(err, failed) {
			t.Error(err)
		}
		return won
	}
	nothing := func(context.Context) error { return nil }
	if !lead(a, "reconcile", func(context.Context) error {
		if lead(b, "reconcile", nothing) || lead(a, "reconcile", nothing) {
			t.Error("two sessions lead one loop")
		}
		if !lead(b, "partitions", nothing) {
			t.Error("one loop's leader keeps another loop from running")
		}
		return failed
	}) {
		t.Error("the first session did not win")
	}
	for range 20 { // the server would notice the end of a session a moment later
		if !lead(b, "reconcile", nothing) || !lead(a, "reconcile", nothing) {
			t.Fatal("the lock outlived its leader")
		}
	}
}

func TestLeadersDoNotUseUpThePool(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	s, err := pgstore.Open(t.Context(), pgstore.Config{URL: db.URL, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	for range 10 {
		if _, err := s.Lead(t.Context(), "loop", s.Ping); err != nil {
			t.Fatal(err)
		}
	}
	// However many lead, their work has the whole pool.
	var leading errgroup.Group
	all := make(chan struct{})
	var leaders atomic.Int32
	for _, loop := range []string{"a", "b", "c", "d"} {
		leading.Go(func() error {
			_, err := s.Lead(t.Context(), loop, func(ctx context.Context) error {
				if leaders.Add(1) == 4 {
					close(all)
				}
				<-all
				return s.Ping(ctx)
			})
			return err
		})
	}
	if err := leading.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestATrialLeavesNothing(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	s := openStore(t, db)
	work := func(tx *pgstore.Tx) error {
		_, err := tx.LockExecutions(t.Context(), []string{"exec-1"}, nil)
		return err
	}
	if err := s.Trial(t.Context(), now, work); err != nil {
		t.Fatal(err)
	}
	if n := countRows(t, db, "execution_ids"); n != 0 {
		t.Errorf("a trial left %d rows", n)
	}
	failed := errors.New("work failed")
	err := s.Batch(t.Context(), now, func(tx *pgstore.Tx) error { return errors.Join(work(tx), failed) })
	if !errors.Is(err, failed) {
		t.Errorf("batch: %v, want the error of its work", err)
	}
	if n := countRows(t, db, "execution_ids"); n != 0 {
		t.Errorf("a batch that failed left %d rows", n)
	}
	if err := s.Batch(t.Context(), now, work); err != nil {
		t.Fatal(err)
	}
	if n := countRows(t, db, "execution_ids"); n != 1 {
		t.Errorf("a batch left %d rows, want 1", n)
	}
}

// The caller's context may end in the middle of a batch; the connection must
// come back without the transaction, and without its locks.
func TestACanceledBatchRollsBack(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	s := openStore(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Batch(ctx, now, func(tx *pgstore.Tx) error {
		if _, err := tx.LockExecutions(ctx, []string{"exec-1"}, nil); err != nil {
			return err
		}
		cancel()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the cancellation", err)
	}
	if err := s.Batch(t.Context(), now, func(tx *pgstore.Tx) error {
		_, err := tx.LockExecutions(t.Context(), []string{"exec-1"}, nil)
		return err
	}); err != nil {
		t.Error(err)
	}
}

// A process that is frozen while it sends rows keeps its locks: no timeout of the
// server's holds in the middle of a COPY.
func TestAProcessFrozenWhileItSendsRowsKeepsNothing(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	const idle = 3 * time.Second
	open := func(name string, idle time.Duration) *pgstore.Store {
		s, err := pgstore.Open(t.Context(), pgstore.Config{URL: db.URL, ApplicationName: name, LockTimeout: 100 * time.Millisecond, IdleTimeout: idle})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return s
	}
	s := open("tcda", idle)
	claim(t, s, "t", 0)
	cfg, err := pgconn.ParseConfig(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg.RuntimeParams["application_name"] = "tcda"
	cfg.RuntimeParams["idle_in_transaction_session_timeout"] = strconv.FormatInt(idle.Milliseconds(), 10)
	cfg.RuntimeParams["statement_timeout"] = strconv.FormatInt(idle.Milliseconds(), 10)
	frozen, err := pgconn.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = frozen.Close(context.WithoutCancel(t.Context())) })
	begun := time.Now()
	frozen.Exec(t.Context(), "BEGIN; UPDATE test_coordination.ingest_partitions SET next_offset = 1; COPY test_coordination.execution_logs FROM STDIN")
	ask := pgstore.ClaimRequest{Topic: "t", TopicID: pgstore.TopicID{1}, Owner: "other", Now: now}
	testenv.Eventually(t, "it has the lock", func() bool {
		_, err := s.Claim(t.Context(), ask)
		return pgstore.WaitedForLock(err)
	})
	// Those of others are not ours to end, nor is who has not waited long.
	if n, err := open("psql", idle).EndStalled(t.Context()); n != 0 || err != nil {
		t.Errorf("as another program: %d sessions ended, %v", n, err)
	}
	if n, err := open("tcda", time.Hour).EndStalled(t.Context()); n != 0 || err != nil {
		t.Errorf("with more patience: %d sessions ended, %v", n, err)
	}
	testenv.Eventually(t, "it is longer than it may take", func() bool { return time.Since(begun) > 2*idle })
	if _, err := s.Claim(t.Context(), ask); !pgstore.WaitedForLock(err) {
		t.Fatalf("the server has ended it itself, or not given it the lock: %v", err)
	}
	if n, err := s.EndStalled(t.Context()); n != 1 || err != nil {
		t.Errorf("%d sessions ended, %v; want 1", n, err)
	}
	testenv.Eventually(t, "the partition is free", func() bool {
		p, err := s.Claim(t.Context(), ask)
		return err == nil && p.Next == 0
	})
}

func TestACommittedTimelineIsTheCluster(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	cluster, err := s.Cluster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if cluster.Timeline == 0 || cluster.SystemIdentifier == "" {
		t.Errorf("cluster %s", cluster)
	}
	p := claim(t, s, "t", 0)
	var last *pgstore.Tx
	if err := s.Batch(t.Context(), now, func(tx *pgstore.Tx) error {
		last = tx
		tx.Advance(t.Context(), p, 0, 1)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if last.Timeline() != cluster.Timeline {
		t.Errorf("timeline %d, want %d", last.Timeline(), cluster.Timeline)
	}
}

func claim(t testing.TB, s *pgstore.Store, topic string, logStart int64) pgstore.Partition {
	t.Helper()
	p, err := s.Claim(t.Context(), pgstore.ClaimRequest{Topic: topic, TopicID: pgstore.TopicID{1}, Owner: "me", LogStart: logStart, CarefulRecords: 10, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
