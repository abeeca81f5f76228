package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// exitSchema is what tcda documents for another program's schema.
const exitSchema = 3

// wantRefused waits for a program that ends because of the schema, and says
// these words.
func (w *world) wantRefused(p *process, says ...string) {
	w.Helper()
	if code := p.wait(); code != exitSchema {
		w.Errorf("exit code %d, want %d; it said:\n%s", code, exitSchema, p.said.tail())
	}
	for _, words := range says {
		if !strings.Contains(p.said.text(), words) {
			w.Errorf("it should say %q, and said:\n%s", words, p.said.tail())
		}
	}
}

// migrateToFuture applies a migration that no program knows yet: its statements,
// and the row by which Atlas remembers it.
func (w *world) migrateToFuture() {
	w.Helper()
	w.exec(`ALTER TABLE test_coordination.executions ADD COLUMN of_the_future text NOT NULL DEFAULT 'x'`)
	w.exec(`ALTER TABLE test_coordination.execution_events ADD COLUMN of_the_future bigint`)
	w.exec(`CREATE INDEX of_the_future ON test_coordination.executions (of_the_future)`)
	w.exec(`ALTER TABLE test_coordination.ingest_partitions ADD COLUMN of_the_future jsonb NOT NULL DEFAULT '{}'`)
	w.exec(`INSERT INTO test_coordination.atlas_schema_revisions
		SELECT (jsonb_populate_record(r, '{"version": "99990101000000", "description": "of the future"}')).*
		FROM test_coordination.atlas_schema_revisions AS r ORDER BY version DESC LIMIT 1`)
}

func (w *world) exec(statement string) {
	w.Helper()
	if _, err := w.db.Pool(w).Exec(w.Context(), statement); err != nil {
		w.Fatalf("%s: %v", statement, err)
	}
}

// A schema that is newer than the program, or older, is refused by name and
// with what to do, and nothing is written.
func TestSchemaOfAnotherVersionIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		becomes func(w *world)
		says    []string
	}{
		"newer": {
			becomes: (*world).migrateToFuture,
			says:    []string{"99990101000000", "newer than this program", "upgrade the program"},
		},
		"older": {
			// As if the latest migration were not applied: what the program asks is
			// what Atlas remembers.
			becomes: func(w *world) {
				w.exec(`DELETE FROM test_coordination.atlas_schema_revisions WHERE version = (SELECT max(version) FROM test_coordination.atlas_schema_revisions WHERE version ~ '^[0-9]+$')`)
			},
			says: []string{"run tcda migrate up"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ledger := newLedger()
			c.becomes(w)
			if err := w.send(t.Context(), amid(nil, goldenRecords(t)), 0, ledger.note); err != nil {
				t.Fatal(err)
			}
			w.wantRefused(start(t, w.env, "tcda", "serve"), c.says...)
			if all := w.partitions(); len(all) > 0 {
				t.Errorf("partitions were claimed: %v", all)
			}
		})
	}
}

// A migration beneath a running service, as all migrations must be made, takes
// locks and changes what statements were prepared for. The service goes on.
func TestServiceGoesOnWhileItsSchemaIsMigrated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	load := coordsim.Load{Seed: uint64(time.Now().UnixNano()), Instance: "migrated", Start: now(), Records: endless}
	t.Logf("seed %d", load.Seed)
	ledger := newLedger()
	service := w.serve()
	stop := w.sendUntil(load.Generate(), 600, ledger)
	testenv.Eventually(t, "it is at work", func() bool { return w.ingested() >= 300 })
	w.migrateToFuture()
	at := w.ingested()
	testenv.Eventually(t, "it goes on", func() bool { return w.ingested() >= at+300 })
	stop()
	w.drain()
	// Programs look at the version when they start.
	before := w.partitions()
	w.wantRefused(start(t, w.env, "tcda", "serve"), "upgrade the program")
	w.wantRefused(start(t, w.env, "tcda", "verify"), "upgrade the program")
	if diff := cmp.Diff(before, w.partitions()); diff != "" {
		t.Errorf("a service that refused to start has changed partitions:\n%s", diff)
	}
	w.exec(`DELETE FROM test_coordination.atlas_schema_revisions WHERE version = '99990101000000'`)
	w.verify()
	service.interrupt()
	service.wantSuccess()
	w.settle(ledger)
}
