package e2e_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// Under load the schema is migrated beneath the previous program, a service of
// the present one joins it in its group and is killed once, and the previous
// one leaves. Nothing is lost or doubled on the way. The way back is tried too.
func TestRollingUpgradeUnderLoad(t *testing.T) {
	t.Parallel()
	w := newEmptyWorld(t, testenv.Broker(t))
	startPrevious(t, w.env, "migrate", "up").wantSuccess()
	load := coordsim.Load{Seed: uint64(time.Now().UnixNano()), Instance: "upgrade", Start: now(), Records: endless}
	t.Logf("seed %d", load.Seed)
	ledger := newLedger()
	w.mustSend(goldenRecords(t), ledger.note)
	goesOn := func(what string) {
		from := w.ingested()
		testenv.Eventually(t, what, func() bool { return w.ingested() >= from+300 })
	}

	old := w.ready(startPrevious(t, w.with("INSTANCE", "old"), "serve"))
	stop := w.sendUntil(load.Generate(), 400, ledger)
	goesOn("the previous program is at work")
	start(t, w.env, "tcda", "migrate", "up").wantSuccess()
	goesOn("the previous program works on with the migrated schema")

	fresh := w.serveAs("new")
	w.awaitOwners("old", "new")
	goesOn("both work side by side")
	fresh.kill()
	goesOn("the previous program works on alone")
	fresh = w.serveAs("new")
	w.awaitOwners("old", "new")
	goesOn("both work side by side again")
	old.interrupt()
	old.wantSuccess()
	w.awaitOwners("new")
	goesOn("the present program works alone")

	stop()
	w.drain()
	w.verify()
	fresh.interrupt()
	fresh.wantSuccess()
	w.settle(ledger)
	w.goBack(ledger)
}

// awaitOwners waits until the instances, and no other, own the partitions.
func (w *world) awaitOwners(instances ...string) {
	w.Helper()
	want := map[string]bool{}
	for _, instance := range instances {
		want[instance] = true
	}
	testenv.Eventually(w, "the partitions are shared anew", func() bool {
		owners := map[string]bool{}
		for _, at := range w.partitions() {
			owners[at.Owner] = true
		}
		return cmp.Equal(want, owners)
	})
}

// goBack starts the previous program again. With a schema that it does not know
// it says so and touches nothing; with its own it works as before.
func (w *world) goBack(ledger *ledger) {
	w.Helper()
	before := w.partitions()
	old := startPrevious(w, w.with("INSTANCE", "old"), "serve")
	if since := migrationsSince(w); len(since) > 0 {
		w.Logf("the previous program does not know %v", since)
		w.wantRefused(old, "newer than this program", "upgrade the program")
		if diff := cmp.Diff(before, w.partitions()); diff != "" {
			w.Errorf("a program that refused to start has changed partitions:\n%s", diff)
		}
	} else {
		w.ready(old)
		w.awaitOwners("old")
		old.interrupt()
		old.wantSuccess()
	}
	w.settle(ledger)
}
