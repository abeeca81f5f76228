package ingest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/ingest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgserver"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// baseBackup copies a running server's files to where another can be started on
// them.
func baseBackup(t *testing.T, server *pgserver.Server, args ...string) (dataDir string) {
	t.Helper()
	dataDir = testenv.DataDir(t)
	must(t, os.Mkdir(dataDir, 0o700))
	cmd := server.Installation().Command(t.Context(), "pg_basebackup", append([]string{
		"--dbname", server.URL("postgres"), "--pgdata", filepath.Join(dataDir, "cluster"), "--checkpoint", "fast", "--no-sync",
	}, args...)...)
	cmd.Dir = dataDir
	if os.Geteuid() == 0 { // the files are to belong to the user whom the server runs as
		info, err := os.Stat(clusterOf(server))
		must(t, err)
		owner := info.Sys().(*syscall.Stat_t)
		must(t, os.Chown(dataDir, int(owner.Uid), int(owner.Gid)))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
	copyFiles(t, filepath.Join(server.DataDir(), "password"), dataDir)
	return dataDir
}

// standbyOf is a server that follows another one.
func standbyOf(t *testing.T, primary *pgserver.Server) *pgserver.Server {
	t.Helper()
	return testenv.StartPostgres(t, baseBackup(t, primary, "--write-recovery-conf"))
}

// nexts are the positions of both partitions.
func nexts(t testing.TB, store *pgstore.Store) (positions [2]int64) {
	t.Helper()
	for number := range positions {
		at, err := store.Position(t.Context(), topic, int32(number))
		must(t, err)
		positions[number] = at.Next
	}
	return positions
}

// beyond tells whether both partitions stand behind these positions. A server
// that was restarted has ended connections that the store still holds.
func (w *world) beyond(positions [2]int64) bool {
	w.Helper()
	for number, former := range positions {
		if at, err := w.store.Position(w.Context(), topic, int32(number)); err != nil || at.Next <= former {
			return false
		}
	}
	return true
}

// The standby has stopped to follow for a while when the primary dies. Behind
// the same address it goes on from what it has: whatever was acknowledged since
// is gone, and comes again from Kafka.
func TestFailoverLosesTheTail(t *testing.T) {
	t.Parallel()
	w, primary := newPostgresWorld(t)
	proxy := testenv.Proxy(t, primary.Addr())
	w.db.URL = through(t, proxy, w.db.URL)
	w.store = openStore(t, w.db.URL)
	var standby *pgserver.Server
	var kept [2]int64
	f := &fault{noticed: func() bool { return w.beyond(kept) }, works: true, unanswered: "the caller is at rest", engine: w.engineStore(w.db.URL)}
	f.inject = func() {
		f.rest.Lock()
		standby = standbyOf(t, primary)
		must(t, standby.Stop())
		kept = nexts(t, w.store)
	}
	f.heal = func() {
		defer f.rest.Unlock()
		had := nexts(t, w.store)
		must(t, primary.Kill())
		must(t, standby.Restart(t.Context()))
		promoteRunning(t, standby)
		if has := nexts(t, openStore(t, standby.URL("migrated"))); has[0] >= had[0] || has[1] >= had[1] {
			t.Errorf("the new primary has all that the old one had: %v of %v", has, had)
		}
		proxy.Redirect(standby.Addr())
	}
	w.withstand(f)
}

// A backup from the middle of the load is put in place of a later state, of the
// same cluster and timeline: whatever was acknowledged since is gone. The
// service runs on, or is started only after that.
func TestPostgresIsRestored(t *testing.T) {
	t.Parallel()
	backups := map[string]func(*testing.T, *pgserver.Server) (cluster string){
		"base backup": func(t *testing.T, server *pgserver.Server) string {
			t.Helper()
			return filepath.Join(baseBackup(t, server), "cluster")
		},
		"files of a stopped server": func(t *testing.T, server *pgserver.Server) string {
			t.Helper()
			must(t, server.Stop())
			cluster := filepath.Join(t.TempDir(), "backup")
			copyFiles(t, clusterOf(server), cluster)
			must(t, server.Restart(t.Context()))
			return cluster
		},
	}
	for name, backup := range backups {
		for _, stopped := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, service stopped meanwhile %t", name, stopped), func(t *testing.T) {
				t.Parallel()
				w, server := newPostgresWorld(t)
				var kept [2]int64
				var copied string
				f := &fault{noticed: func() bool { return w.beyond(kept) }, works: true, unanswered: "the caller is at rest", engine: w.engineStore(w.db.URL)}
				f.inject = func() {
					f.rest.Lock()
					copied = backup(t, server)
					kept = nexts(t, openStore(t, w.db.URL))
				}
				stop := func() {}
				// Who is stopped makes no pass after the backup.
				rarely := func(s *settings) {
					if stopped {
						s.config.ReconcileEvery = time.Hour
					}
				}
				f.start = func() func() {
					stop = w.start("a", w.underFault(f), rarely)
					return func() { stop() }
				}
				f.heal = func() {
					defer f.rest.Unlock()
					had := nexts(t, openStore(t, w.db.URL))
					if stopped {
						stop()
					}
					restore(t, server, copied)
					w.store = openStore(t, w.db.URL)
					if has := nexts(t, openStore(t, w.db.URL)); !stopped && has == had { // it runs, and may have begun to catch up
						t.Log("the service has caught up already")
					} else if stopped && (has[0] >= had[0] || has[1] >= had[1]) {
						t.Errorf("the backup has all that there was: %v of %v", has, had)
					}
					if stopped {
						stop = w.start("a", w.underFault(f))
					}
				}
				w.withstand(f)
			})
		}
	}
}

// restore puts a copy of a cluster in the place of the server's, at the same
// address.
func restore(t *testing.T, server *pgserver.Server, cluster string) {
	t.Helper()
	must(t, server.Kill())
	must(t, os.RemoveAll(clusterOf(server)))
	copyFiles(t, cluster, clusterOf(server))
	must(t, server.Restart(t.Context()))
}

// What a backup lacks is no longer in Kafka either: that is a gap, which only an
// operator may accept.
func TestPostgresIsRestoredToBeforeTheLog(t *testing.T) {
	t.Parallel()
	w, server := newPostgresWorld(t)
	l := w.newFaultLoad()
	stop := w.start("a", w.underFault(&fault{}), w.engineStore(w.db.URL))
	l.send()
	w.drain()
	backup := filepath.Join(baseBackup(t, server), "cluster")
	kept := nexts(t, w.store)
	l.send()
	w.drain()
	had := nexts(t, w.store)
	offsets := kadm.Offsets{}
	for number := range int32(2) {
		offsets.Add(kadm.Offset{Topic: topic, Partition: number, At: had[number] - 3})
	}
	_, err := kadm.NewClient(w.writer).DeleteRecords(t.Context(), offsets)
	must(t, err)
	restore(t, server, backup)
	w.store = openStore(t, w.db.URL)
	testenv.Eventually(t, "both partitions are stopped", w.bothStopped)
	gaps, err := w.store.Gaps(t.Context())
	must(t, err)
	if len(gaps) != 2 {
		t.Errorf("gaps: %+v", gaps)
	}
	for _, gap := range gaps {
		if gap.From != kept[gap.Partition] || gap.To != had[gap.Partition]-3 || gap.Cause != pgstore.GapRetention {
			t.Errorf("gap %+v, want offsets %d to %d", gap, kept[gap.Partition], had[gap.Partition]-3)
		}
		if reason := w.partition(gap.Partition).StoppedReason; !strings.Contains(reason, "were deleted from Kafka before they were ingested") {
			t.Errorf("partition %d is stopped: %s", gap.Partition, reason)
		}
		must(t, w.store.AcceptGap(t.Context(), topic, gap.Partition, gap.To, "operator", time.Now()))
	}
	l.send()
	w.drain()
	w.verify()
	stop()
}

func (w *world) bothStopped() bool {
	return w.partition(0).StoppedReason != "" && w.partition(1).StoppedReason != ""
}

// A migration that does not fit the program stops both partitions in the middle
// of the load; nothing is quarantined for it. Mended, and told so by an operator,
// they go on.
func TestAWrongMigrationUnderLoad(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		migrate, mend []string
		says          string
		unanswered    string
		// whole: the engine sees all records of the fault at once. A part of what
		// it sees is refused, and a part of a little may look like bad data.
		whole bool
	}{
		"a constraint that nobody knows": {
			migrate: []string{`ALTER TABLE test_coordination.executions ADD CONSTRAINT surprise CHECK (message NOT LIKE 'step-1-%')`},
			mend:    []string{`ALTER TABLE test_coordination.executions DROP CONSTRAINT surprise`},
			says:    "the database does not fit this program",
		},
		"a known constraint that refuses a quarter": {
			migrate: []string{
				`ALTER TABLE test_coordination.executions DROP CONSTRAINT executions_progress_check`,
				`ALTER TABLE test_coordination.executions ADD CONSTRAINT executions_progress_check CHECK (execution_id NOT IN ('exec-3', 'exec-7'))`,
			},
			mend:  []string{`ALTER TABLE test_coordination.executions DROP CONSTRAINT executions_progress_check`},
			says:  "looks like a wrong migration",
			whole: true,
		},
		"a column dropped": {
			migrate:    []string{`ALTER TABLE test_coordination.execution_events DROP COLUMN trace_parent`},
			mend:       []string{`ALTER TABLE test_coordination.execution_events ADD COLUMN trace_parent text NOT NULL DEFAULT ''`},
			says:       "the database does not fit this program",
			unanswered: "no event can be written",
		},
		"no partition, not even the default one": {
			migrate: []string{`DO $$ DECLARE r record; BEGIN
				CREATE TABLE public.detached AS SELECT inhrelid::regclass AS child, pg_get_expr(relpartbound, oid) AS bound
					FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'test_coordination.execution_logs'::regclass;
				FOR r IN SELECT * FROM public.detached LOOP EXECUTE format('ALTER TABLE test_coordination.execution_logs DETACH PARTITION %s', r.child); END LOOP;
			END $$`},
			mend: []string{`DO $$ DECLARE r record; BEGIN
				FOR r IN SELECT * FROM public.detached LOOP EXECUTE format('ALTER TABLE test_coordination.execution_logs ATTACH PARTITION %s %s', r.child, r.bound); END LOOP;
			END $$`},
			says: "the database does not fit this program",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFaultWorld(t)
			seen := make(chan struct{})
			see := sync.OnceFunc(func() { close(seen) })
			defer see()
			w.withstand(&fault{
				early: c.whole,
				inject: func() {
					if !c.whole { // or what the migration takes away is made again
						testenv.Eventually(w, "partitions are made ahead", func() bool { return w.said.says("info", "partitions made ahead") })
					}
					for _, statement := range c.migrate {
						w.exec(statement)
					}
				},
				noticed: func() bool {
					see()
					return w.bothStopped()
				},
				unanswered: c.unanswered,
				heal: func() {
					for number := range int32(2) {
						if reason := w.partition(number).StoppedReason; !strings.Contains(reason, c.says) {
							t.Errorf("partition %d is stopped: %s", number, reason)
						}
					}
					for _, statement := range c.mend {
						w.exec(statement)
					}
					w.goOn(0)
					w.goOn(1)
				},
				engine: func(s *settings) {
					if !c.whole {
						return
					}
					s.config.Read.BatchRecords = 1000
					s.parts.Probe = func(m ingest.Moment) {
						if m.Step == telemetry.StepFetch && !m.After {
							<-seen
						}
					}
				},
			})
		})
	}
}
