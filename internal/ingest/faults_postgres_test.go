package ingest_test

import (
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgserver"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// The fault table, PostgreSQL. What goes wrong, and the test that says what
// becomes of it; all promises are checked in each (wantPromises).
//
//	sessions terminated, again and again            TestPostgresTerminatesSessions
//	server restarted; killed, with fsync            TestPostgresRestarts
//	read-only by setting                            TestPostgresIsReadOnly
//	a standby behind the same address               TestPostgresIsAStandby
//	disk full                                       TestPostgresDiskIsFull
//	no connection left                              TestPostgresHasNoConnectionLeft
//	slow network                                    TestPostgresIsSlow
//	server frozen                                   TestPostgresIsFrozen
//	deadlock                                        TestPostgresFindsADeadlock
//	locks held by others                            TestPostgresLocksAreHeld
//	partitions kept by them from being made         TestPartitionsAreMadeOnceALockIsGone, TestPartitionsAreMadeWithoutADeadlock (package pgstore)
//	a partition stalled by them                     TestAStalledPartitionIsGivenBackAndTakenAgain (fault_test.go)
//	COMMIT in doubt, delivered or not               TestACommitInDoubtIsSettledByThePosition (doubt_test.go)
//	a transaction longer than the server allows     TestABatchThatTakesTooLongIsTriedInHalves (batch_test.go)
//	away when the service starts                    TestPostgresIsWaitedFor (package service)
//
// and in faults_history_test.go, where PostgreSQL comes back as another:
//
//	asynchronous failover that loses the tail       TestFailoverLosesTheTail
//	the same, with states not yet shown             TestStatesThatAFailoverLostDoNotHideThoseThatStand (failover_test.go)
//	restored from a backup                          TestPostgresIsRestored
//	restored to where Kafka begins no more          TestPostgresIsRestoredToBeforeTheLog
//	a wrong migration, of several kinds             TestAWrongMigrationUnderLoad
//	the same, record by record                      TestAWrongMigrationStopsThePartitionAndQuarantinesNothing (fault_test.go)

// engineName is what the engine's sessions are called, where they can be told
// from those of the test.
const engineName = "engine"

// newPostgresWorld is newFaultWorld with a PostgreSQL that the test may break.
func newPostgresWorld(t *testing.T, settings ...map[string]string) (*world, *pgserver.Server) {
	t.Helper()
	w := newFaultWorld(t)
	server, db := testenv.PostgresServer(t, settings...)
	w.db, w.store = db, openStore(t, db.URL)
	return w, server
}

// engineStore is a store for the engine alone, which does not wait for long.
func (w *world) engineStore(url string, change ...func(*pgstore.Config)) func(*settings) {
	w.Helper()
	cfg := pgstore.Config{
		URL: url, MaxConns: 6, ApplicationName: engineName, ConnectTimeout: 2 * time.Second,
		StatementTimeout: 5 * time.Second, LockTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second,
	}
	for _, c := range change {
		c(&cfg)
	}
	store, err := pgstore.Open(w.Context(), cfg)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(store.Close)
	return func(s *settings) { s.parts.Store = store }
}

// through is a database's URL that leads through a proxy.
func through(t testing.TB, proxy *testenv.NetworkProxy, databaseURL string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	must(t, err)
	u.Host = proxy.Addr()
	return u.String()
}

// terminateEngine ends the engine's sessions and returns how many there were.
func terminateEngine(t testing.TB, pool *pgxpool.Pool) int {
	t.Helper()
	var n int
	const terminate = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '" + engineName + "'"
	if err := pool.QueryRow(t.Context(), terminate).Scan(&n); err != nil {
		t.Error(err)
	}
	return n
}

// again does something again and again, beside the test, until the returned
// function is called.
func again(t testing.TB, every time.Duration, do func()) (stop func()) {
	t.Helper()
	done := make(chan struct{})
	var doing sync.WaitGroup
	doing.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			do()
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	stop = sync.OnceFunc(func() {
		close(done)
		doing.Wait()
	})
	t.Cleanup(stop)
	return stop
}

func TestPostgresTerminatesSessions(t *testing.T) {
	t.Parallel()
	w := newFaultWorld(t)
	db := testenv.Postgres(t)
	w.db, w.store = db, openStore(t, db.URL)
	pool := w.db.Pool(t)
	var terminated atomic.Int32
	var stop func()
	w.withstand(&fault{
		inject: func() {
			stop = again(t, 20*time.Millisecond, func() {
				var n int32
				const terminate = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND application_name = '" + engineName + "'"
				if err := pool.QueryRow(t.Context(), terminate).Scan(&n); err != nil {
					t.Error(err)
				}
				terminated.Add(n)
			})
		},
		noticed:    func() bool { return terminated.Load() >= 50 && w.said.says("batch not committed", "57P01") },
		heal:       func() { stop() },
		unanswered: "no session lasts",
		engine:     w.engineStore(db.URL),
	})
}

func TestPostgresRestarts(t *testing.T) {
	t.Parallel()
	durable := map[string]string{"fsync": "on", "full_page_writes": "on"}
	for name, end := range map[string]func(*pgserver.Server) error{"in order": (*pgserver.Server).Stop, "killed": (*pgserver.Server).Kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, server := newPostgresWorld(t, durable)
			w.withstand(&fault{
				inject:     func() { must(t, end(server)) },
				noticed:    func() bool { return w.said.says("connection refused") },
				unanswered: "the server is away",
				heal:       func() { must(t, server.Restart(t.Context())) },
				engine:     w.engineStore(w.db.URL),
			})
		})
	}
}

// Sessions keep the setting that they began with: after the fault is healed
// those that the service has are still read-only.
func TestPostgresIsReadOnly(t *testing.T) {
	t.Parallel()
	w, _ := newPostgresWorld(t)
	pool, store := w.db.Pool(t), w.engineStore(w.db.URL)
	set := func(to string) {
		must(t, pgx.BeginTxFunc(t.Context(), pool, pgx.TxOptions{AccessMode: pgx.ReadWrite}, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), "ALTER DATABASE migrated SET default_transaction_read_only = "+to)
			return err
		}))
	}
	w.withstand(&fault{
		inject: func() {
			set("on")
			terminateEngine(t, pool)
		},
		noticed:    func() bool { return w.said.says("batch not committed", "SQLSTATE 25006") },
		unanswered: "nothing can be written",
		heal:       func() { set("off") },
		engine: func(s *settings) {
			store(s)
			s.config.ReconcileEvery = time.Hour // each pass uses up a session
		},
	})
}

func TestPostgresIsAStandby(t *testing.T) {
	t.Parallel()
	w, primary := newPostgresWorld(t)
	proxy := testenv.Proxy(t, primary.Addr())
	standby := standbyOf(t, primary)
	w.withstand(&fault{
		inject:     func() { proxy.Redirect(standby.Addr()) },
		noticed:    func() bool { return w.said.says("SQLSTATE 25006") && w.said.says("connected to a standby") },
		unanswered: "nothing can be written",
		heal:       func() { proxy.Redirect(primary.Addr()) },
		engine:     w.engineStore(through(t, proxy, w.db.URL)),
	})
}

// The table of events fills the largest file that the server may write: its next
// page is a write that is cut short, which PostgreSQL knows as a full disk.
func TestPostgresDiskIsFull(t *testing.T) {
	t.Parallel()
	w, server := newPostgresWorld(t, map[string]string{"autovacuum": "off", "wal_segment_size": "1", "full_page_writes": "on"})
	restart := func(limit int64) {
		must(t, server.Stop())
		server.LimitFiles(limit)
		must(t, server.Restart(t.Context()))
	}
	f := &fault{
		noticed:    func() bool { return w.said.says("batch not committed", "SQLSTATE 53100") },
		unanswered: "there is no room for an event",
		heal:       func() { restart(0) },
		engine:     w.engineStore(w.db.URL),
	}
	f.inject = func() {
		f.rest.Lock() // two that extend a table at once leave free pages
		defer f.rest.Unlock()
		w.drain()
		restart(w.fillEvents() + 512)
	}
	w.withstand(f)
}

// fillEvents makes the file of the events that are stored now larger than any
// other, with rows of a transaction that is rolled back, and returns its size.
// The rows are small, so that what is left of each page is too little for others.
func (w *world) fillEvents() (size int64) {
	w.Helper()
	const enough = 2 << 20 // larger than the segments of WAL and the largest catalog
	pool := w.db.Pool(w)
	tx, err := pool.Begin(w.Context())
	must(w, err)
	defer func() { _ = tx.Rollback(w.Context()) }()
	var table string
	must(w, tx.QueryRow(w.Context(), "SELECT DISTINCT tableoid::regclass::text FROM test_coordination.execution_events").Scan(&table))
	for size < enough {
		_, err := tx.Exec(w.Context(), "UPDATE test_coordination.execution_events SET data = '0'")
		must(w, err)
		must(w, tx.QueryRow(w.Context(), "SELECT pg_relation_size($1::regclass)", table).Scan(&size))
	}
	return size
}

func TestPostgresHasNoConnectionLeft(t *testing.T) {
	t.Parallel()
	w, server := newPostgresWorld(t, map[string]string{"max_connections": "30"})
	pool := w.db.Pool(t)
	must(t, pool.Ping(t.Context())) // it keeps its connection
	var held []*pgconn.PgConn
	var stop func()
	w.withstand(&fault{
		inject: func() {
			stop = again(t, 10*time.Millisecond, func() {
				terminateEngine(t, pool)
				for {
					c, err := pgconn.Connect(t.Context(), server.URL("postgres"))
					if err != nil {
						return // there is none left
					}
					held = append(held, c)
				}
			})
		},
		noticed:    func() bool { return w.said.says("SQLSTATE 53300") },
		unanswered: "there is no connection",
		heal: func() {
			stop()
			for _, c := range held {
				must(t, c.Close(t.Context()))
			}
			if len(held) < 10 {
				t.Errorf("only %d connections were taken", len(held))
			}
		},
		engine: w.engineStore(w.db.URL),
	})
}

func TestPostgresIsSlow(t *testing.T) {
	t.Parallel()
	w := newFaultWorld(t)
	u, err := url.Parse(w.db.URL)
	must(t, err)
	proxy := testenv.Proxy(t, u.Host)
	const delay = 20 * time.Millisecond
	commits := func() (seconds, batches float64) {
		return w.metric(`tcda_step_seconds_sum{step="S4"}`), w.metric(`tcda_step_seconds_count{step="S4"}`)
	}
	var secondsBefore, batchesBefore float64
	w.withstand(&fault{
		inject: func() {
			proxy.Slow(delay, 1<<20)
			secondsBefore, batchesBefore = commits()
		},
		// Each batch that begins now goes to and fro four times, and is delayed on
		// either way: 8 delays, but for those that were under way.
		noticed: func() bool {
			seconds, batches := commits()
			seconds, batches = seconds-secondsBefore, batches-batchesBefore
			return batches >= 5 && seconds/batches > (5*delay).Seconds()
		},
		works:  true,
		heal:   proxy.Heal,
		engine: w.engineStore(through(t, proxy, w.db.URL)),
	})
}

func TestPostgresIsFrozen(t *testing.T) {
	t.Parallel()
	w, server := newPostgresWorld(t)
	store := w.engineStore(w.db.URL)
	w.withstand(&fault{
		inject:     func() { must(t, server.Pause()) },
		noticed:    func() bool { return w.said.says("no progress: giving the partition back") },
		unanswered: "the server does nothing",
		heal:       func() { must(t, server.Resume()) },
		engine: func(s *settings) {
			store(s)
			s.config.StallLimit, s.config.ApplyBudget = 500*time.Millisecond, time.Second
		},
	})
}

// The test locks what a batch locks second, and then wants what it locked first.
// It has patience without end, so the server ends the batch.
func TestPostgresFindsADeadlock(t *testing.T) {
	t.Parallel()
	w := newFaultWorld(t)
	pool := w.db.Pool(t)
	var stop func()
	w.withstand(&fault{
		inject: func() {
			stop = again(t, time.Millisecond, func() {
				if w.said.says("SQLSTATE 40P01") {
					return
				}
				tx, err := pool.Begin(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = tx.Rollback(t.Context()) }()
				for _, statement := range []string{"SET LOCAL deadlock_timeout = '1h'", "SELECT FROM test_coordination.execution_ids FOR UPDATE"} {
					if _, err := tx.Exec(t.Context(), statement); err != nil {
						t.Error(err)
					}
				}
				if !engineWaits(t, pool) {
					return
				}
				if _, err := tx.Exec(t.Context(), "SELECT FROM test_coordination.ingest_partitions FOR UPDATE"); err != nil {
					t.Error(err)
				}
			})
		},
		noticed: func() bool { return w.said.says("batch not committed", "SQLSTATE 40P01") },
		heal:    func() { stop() },
		engine:  w.engineStore(w.db.URL),
	})
}

// engineWaits waits a little until the engine waits for a lock.
func engineWaits(t testing.TB, pool *pgxpool.Pool) bool {
	t.Helper()
	for range 100 {
		var waits bool
		const question = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = '" + engineName + "' AND wait_event_type = 'Lock'), pg_sleep(0.002)::text"
		var slept string
		if err := pool.QueryRow(t.Context(), question).Scan(&waits, &slept); err != nil {
			t.Error(err)
			return false
		}
		if waits {
			return true
		}
	}
	return false
}

func TestPostgresLocksAreHeld(t *testing.T) {
	t.Parallel()
	w := newFaultWorld(t)
	tx, err := w.db.Pool(t).Begin(t.Context())
	must(t, err)
	w.withstand(&fault{
		inject: func() {
			_, err := tx.Exec(t.Context(), "SELECT FROM test_coordination.execution_ids FOR UPDATE")
			must(t, err)
		},
		noticed:    func() bool { return w.said.says("batch not committed", "SQLSTATE 55P03") },
		unanswered: "the caller may be at a run that is locked",
		heal:       func() { must(t, tx.Rollback(t.Context())) },
		engine:     w.engineStore(w.db.URL, func(c *pgstore.Config) { c.LockTimeout = 200 * time.Millisecond }),
	})
}

// Partitions that a lock keeps from being made are made soon after it, not with
// the next look an hour later.
func TestPartitionsAreMadeOnceALockIsGone(t *testing.T) {
	t.Parallel()
	w := newFaultWorld(t)
	tx, err := w.db.Pool(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if _, err := tx.Exec(t.Context(), `LOCK TABLE test_coordination.execution_logs_default IN ACCESS SHARE MODE`); err != nil {
		t.Fatal(err)
	}
	w.start("a", func(s *settings) { s.parts.Log = w.said.logger() })
	testenv.Eventually(t, "the lock keeps partitions from being made", func() bool { return w.said.says("could not be made ahead", "55P03") })
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "partitions are made ahead", func() bool { return w.said.says("info", "partitions made ahead") })
}
