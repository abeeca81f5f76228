package ingest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/ingest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgserver"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// An asynchronous standby takes over without the last commits, while their
// states still wait to be shown. The lost rows had higher versions than those
// that come of reading Kafka again, in fewer batches: shown as of the new
// timeline they would hide every later state.
func TestStatesThatAFailoverLostDoNotHideThoseThatStand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server, db := testenv.PostgresServer(t)
	w.db, w.store = db, openStore(t, db.URL)

	w.produce(w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"}))
	w.run()
	standby := filepath.Join(t.TempDir(), "standby")
	must(t, server.Stop())
	copyFiles(t, clusterOf(server), standby)
	must(t, server.Restart(t.Context()))

	released := make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	defer release()
	stop := w.start("a", func(s *settings) {
		s.parts.Probe = func(m ingest.Moment) {
			if m.Step == telemetry.StepState && !m.After {
				<-released
			}
		}
	})
	for range 5 { // five batches, five versions
		w.produce(w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}))
		w.drain()
	}

	must(t, server.Kill())
	promote(t, server, standby)
	release()
	w.drain()
	w.produce(w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"}))
	testenv.Eventually(t, "the end is shown", func() bool { return w.liveStatus("exec-1") == execution.StatusPassed })
	stop()
	w.wantSums(7, 0, 0)
	w.verify()
}

// A database that is older than the live state is not believed, for it may have
// been replaced. Who knows better is told what to do.
func TestADatabaseOfAnEarlierTimelineIsBelievedWhenAnOperatorSaysSo(t *testing.T) {
	t.Parallel()
	w := newFaultWorld(t)
	stop := w.start("a", w.underFault(&fault{}))
	w.produce(w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"}))
	testenv.Eventually(t, "the run is shown", func() bool { return w.liveStatus("exec-1") == execution.StatusRunning })
	w.awaitSweeps(1)
	cluster, err := w.store.Cluster(t.Context())
	must(t, err)
	later := redisstore.Epoch{System: cluster.SystemIdentifier, Timeline: cluster.Timeline + 1}
	remedy := "redis-cli SET test:epoch none:0:0"
	patient := w.patientLive()
	testenv.Eventually(t, "the remedy is told", func() bool {
		// Again until it is seen: a pass that has asked before renews its own at its end.
		told := w.said.says("error", "of a later timeline", remedy)
		if !told {
			must(t, patient.SetSentinel(t.Context(), later))
		}
		return told
	})
	if w.said.count("live state swept") > 1 {
		t.Error("the live state was swept unasked")
	}
	w.redisDo("SET", "test:epoch", "none:0:0")
	testenv.Eventually(t, "the live state is built anew", func() bool { return w.said.count("live state swept") > 1 })
	testenv.Eventually(t, "the run is shown again", func() bool { return w.liveStatus("exec-1") == execution.StatusRunning })
	stop()
}

// Redis knows of a later position than PostgreSQL, which was restored. What stands in
// the way of the pass that finds it must not hide that: by the time of another one
// PostgreSQL has come beyond that position.
func TestARestoreIsNotForgottenWhenAPassFails(t *testing.T) {
	t.Parallel()
	forbid := func(w *world) { w.redisDo("ACL", "SETUSER", "default", "-unlink") }
	allow := func(w *world) { w.redisDo("ACL", "SETUSER", "default", "+unlink") }
	for name, row := range map[string]struct {
		obstruct, clear    func(*world)
		running, restarted bool // the service was when it was restored; is after the pass
	}{
		"Redis hangs at the start":          {obstruct: func(w *world) { must(w, w.redis.Pause()) }, clear: func(w *world) { must(w, w.redis.Resume()) }},
		"nothing can be removed":            {obstruct: forbid, clear: allow},
		"nothing can be removed, restarted": {obstruct: forbid, clear: allow, restarted: true},
		"nothing can be removed, running":   {obstruct: forbid, clear: allow, running: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newPostgresWorld(t)
			start := func() func() { return w.start("a", w.underFault(&fault{})) }
			w.produce(w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"}))
			stop := start()
			testenv.Eventually(t, "the run is shown", func() bool { return w.liveStatus("exec-1") == execution.StatusRunning })
			w.awaitSweeps(1)
			if !row.running {
				stop()
			}
			cluster, err := w.store.Cluster(t.Context())
			must(t, err)
			position, err := w.store.History(t.Context())
			must(t, err)
			const lost = 32 << 20 // more than the service writes by itself
			ahead := redisstore.Epoch{System: cluster.SystemIdentifier, Timeline: cluster.Timeline, Position: int64(position) + lost}
			patient := w.patientLive()
			must(t, patient.SetSentinel(t.Context(), ahead))
			_, err = patient.ApplyStates(t.Context(), []execution.Live{{ExecutionID: "exec-lost", Run: 1, Version: 9, Status: execution.StatusRunning}}, cluster.Timeline)
			must(t, err)

			row.obstruct(w)
			failed := func() int { return w.said.count("warn", "live state not reconciled") }
			if row.running {
				testenv.Eventually(t, "a pass fails", func() bool {
					if failed() == 0 { // a pass that has asked before renews its own at its end
						must(t, patient.SetSentinel(t.Context(), ahead))
					}
					return failed() > 0
				})
			} else {
				stop = start()
				testenv.Eventually(t, "a pass fails", func() bool { return failed() > 0 })
			}
			w.exec(fmt.Sprintf("SELECT pg_logical_emit_message(true, 'test', repeat('x', %d))", 2*lost))
			before := failed()
			testenv.Eventually(t, "a pass that began after that fails", func() bool { return failed() > before+1 })
			if row.restarted {
				stop()
				stop = start()
			}
			row.clear(w)
			testenv.Eventually(t, "the restored database is noticed", func() bool { return w.said.says("warn", "which was restored: removed") })
			testenv.Eventually(t, "the run is shown again", func() bool { return w.liveStatus("exec-1") == execution.StatusRunning })
			if status := w.liveStatus("exec-lost"); status != "" {
				t.Errorf("what was lost is shown as %s", status)
			}
			stop()
			w.verify()
		})
	}
}

// promote puts the standby's files in the place of the dead server's, and lets
// it begin a new timeline.
func promote(t *testing.T, server *pgserver.Server, standby string) {
	t.Helper()
	must(t, os.RemoveAll(clusterOf(server)))
	copyFiles(t, standby, clusterOf(server))
	// Its being there is the signal; a copy has the owner that the server's files have.
	copyFiles(t, filepath.Join(clusterOf(server), "PG_VERSION"), filepath.Join(clusterOf(server), "standby.signal"))
	must(t, server.Restart(t.Context()))
	promoteRunning(t, server)
}

// promoteRunning lets a standby begin a new timeline.
func promoteRunning(t *testing.T, server *pgserver.Server) {
	t.Helper()
	store := openStore(t, server.URL("migrated"))
	conn := (&testenv.DB{URL: server.URL("migrated")}).Pool(t)
	if _, err := conn.Exec(t.Context(), "SELECT pg_promote()"); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "the standby is promoted", func() bool {
		cluster, err := store.Cluster(t.Context())
		return err == nil && cluster.Timeline == 2
	})
}

// clusterOf is PostgreSQL's own data directory.
func clusterOf(server *pgserver.Server) string { return filepath.Join(server.DataDir(), "cluster") }

// copyFiles copies with owners and rights, which the server checks.
func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("copy %s: %v\n%s", from, err, out)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
