package pgstore_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/lock"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// waiting waits until that many sessions wait for a lock of the database.
func waiting(t *testing.T, db *testenv.DB, sessions int) {
	t.Helper()
	pool := db.Pool(t)
	testenv.Eventually(t, fmt.Sprintf("%d sessions wait", sessions), func() bool {
		var n int
		must(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&n))
		return n == sessions
	})
}

// Who ends a tenure waits for what is being written under it, and who renews it
// too; contenders are turned away at once.
func TestAGuardedTransactionEndsBeforeItsTenure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lease time.Duration
		end   func(*testing.T, *pgstore.Store) error
		cause lock.Cause // of the loss afterwards; empty: none
	}{
		"break": {time.Hour, func(t *testing.T, s *pgstore.Store) error {
			_, err := s.BreakLock(t.Context(), lock.Break{Name: "exec-1", Token: 1, By: "op", Reason: "stuck"}, now)
			return err
		}, lock.ByOperator},
		"release": {time.Hour, func(t *testing.T, s *pgstore.Store) error {
			_, err := s.ReleaseLock(t.Context(), "exec-1", 1)
			return err
		}, lock.ByRelease},
		"renew": {time.Hour, func(t *testing.T, s *pgstore.Store) error {
			_, err := s.RenewLock(t.Context(), "exec-1", 1, time.Hour)
			return err
		}, ""},
		"another, after the lease": {4 * time.Second, func(t *testing.T, s *pgstore.Store) error {
			testenv.Eventually(t, "the lease has run out", func() bool {
				l, err := s.Lock(t.Context(), "exec-1")
				return err == nil && l.State == lock.Expired
			})
			_, err := s.AcquireLock(t.Context(), ask("exec-1", "b"))
			return err
		}, lock.ByTaking},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := testenv.Postgres(t)
			s := openStore(t, db)
			a := ask("exec-1", "a")
			a.Lease = c.lease
			held := acquire(t, s, a)
			var ending errgroup.Group
			var ended atomic.Bool
			must(t, s.Batch(t.Context(), now, func(tx *pgstore.Tx) error {
				if err := tx.CheckLock(t.Context(), "exec-1", 1); err != nil {
					return err
				}
				if c.lease == time.Hour {
					_, err := s.AcquireLock(t.Context(), ask("exec-1", "b"))
					wantHeld(t, err, held)
				}
				ending.Go(func() error {
					defer ended.Store(true)
					return c.end(t, s)
				})
				waiting(t, db, 1)
				if ended.Load() {
					t.Error("the tenure ended under the transaction")
				}
				return tx.Audit(t.Context(), pgstore.AuditEntry{Actor: "a", Action: "test.write", Subject: "exec-1"})
			}))
			must(t, ending.Wait())
			if page, err := s.AuditLog(t.Context(), pgstore.AuditFilter{Actor: "a", Page: 10}); err != nil || len(page) != 1 {
				t.Errorf("%d writes, %v; want one", len(page), err)
			}
			if err := guarded(t, s, "exec-1", 1); c.cause != "" {
				wantLost(t, err, c.cause)
			} else if err != nil {
				t.Errorf("after a renewal: %v", err)
			}
		})
	}
}

// A renewal that has waited for a guarded transaction until the lease ran out
// comes too late.
func TestARenewalIsJudgedWhenItsTurnComes(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	s := openStore(t, db)
	a := ask("exec-1", "a")
	a.Lease = 4 * time.Second
	acquire(t, s, a)
	var renewal errgroup.Group
	must(t, s.Batch(t.Context(), now, func(tx *pgstore.Tx) error {
		if err := tx.CheckLock(t.Context(), "exec-1", 1); err != nil {
			return err
		}
		renewal.Go(func() error {
			_, err := s.RenewLock(t.Context(), "exec-1", 1, time.Hour)
			return err
		})
		waiting(t, db, 1)
		testenv.Eventually(t, "the lease has run out", func() bool {
			l, err := s.Lock(t.Context(), "exec-1")
			return err == nil && l.State == lock.Expired
		})
		return nil
	}))
	wantLost(t, renewal.Wait(), lock.ByExpiry)
}

// A check that has waited for a break sees it.
func TestACheckIsJudgedWhenItsTurnComes(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	s := openStore(t, db)
	acquire(t, s, ask("exec-1", "a"))
	tx, err := db.Pool(t).Begin(t.Context())
	must(t, err)
	_, err = tx.Exec(t.Context(), "UPDATE test_coordination.execution_locks SET state = 'broken', ended_at = now(), ended_by = 'op' WHERE name = 'exec-1'")
	must(t, err)
	var check errgroup.Group
	check.Go(func() error { return guarded(t, s, "exec-1", 1) })
	waiting(t, db, 1)
	must(t, tx.Commit(t.Context()))
	wantLost(t, check.Wait(), lock.ByOperator)
}

func TestGuardedTransactionsAndRenewalsDoNotDeadlock(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	acquire(t, s, ask("exec-1", "a"))
	var all errgroup.Group
	for range 3 {
		all.Go(func() error {
			for range 100 {
				if err := guarded(t, s, "exec-1", 1); err != nil {
					return fmt.Errorf("write: %w", err)
				}
			}
			return nil
		})
	}
	for range 2 {
		all.Go(func() error {
			for range 100 {
				if _, err := s.RenewLock(t.Context(), "exec-1", 1, time.Hour); err != nil {
					return fmt.Errorf("renew: %w", err)
				}
			}
			return nil
		})
	}
	must(t, all.Wait())
}

// An asynchronous standby takes over that has not heard of a tenure. Its token
// must not be given to another, who would pass for the same.
func TestATokenThatAFailoverLostIsNotGivenAgain(t *testing.T) {
	t.Parallel()
	server, db := testenv.PostgresServer(t)
	s := openStore(t, db)
	first := acquire(t, s, ask("exec-1", "a"))
	_, err := s.ReleaseLock(t.Context(), "exec-1", first.Token)
	must(t, err)
	cluster, standby := filepath.Join(server.DataDir(), "cluster"), filepath.Join(t.TempDir(), "standby")
	copyFiles := func(from, to string) { // with owners and rights, which the server checks
		if out, err := exec.CommandContext(t.Context(), "cp", "-a", from, to).CombinedOutput(); err != nil {
			t.Fatalf("copy %s: %v\n%s", from, err, out)
		}
	}
	must(t, server.Stop())
	copyFiles(cluster, standby)
	must(t, server.Restart(t.Context()))
	s = openStore(t, db) // the former's sessions are gone
	lost := []lock.Lock{acquire(t, s, ask("exec-1", "b")), acquire(t, s, ask("exec-2", "b"))}

	must(t, server.Kill())
	must(t, os.RemoveAll(cluster))
	copyFiles(standby, cluster)
	copyFiles(filepath.Join(cluster, "PG_VERSION"), filepath.Join(cluster, "standby.signal"))
	must(t, server.Restart(t.Context()))
	_, err = db.Pool(t).Exec(t.Context(), "SELECT pg_promote()")
	must(t, err)
	s = openStore(t, db)
	testenv.Eventually(t, "the standby is promoted", func() bool {
		cluster, err := s.Cluster(t.Context())
		return err == nil && cluster.Timeline == 2
	})
	for _, l := range lost {
		next := acquire(t, s, ask(l.Name, "c"))
		if next.Token <= l.Token {
			t.Errorf("%s: token %d follows the lost %d", l.Name, next.Token, l.Token)
		}
		wantLost(t, guarded(t, s, l.Name, l.Token), lock.ByTaking)
	}
}
