package e2e_test

import (
	"path/filepath"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// tcda-lab sends, in both modes and both encodings, and holds the database
// against its ledger, as an operator would; the service is killed meanwhile.
func TestEmittedLoadSurvivesKills(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ledger := filepath.Join(t.TempDir(), "ledger.jsonl")
	emit := func(args ...string) *process {
		return start(t, w.env, "tcda-lab", append([]string{"emit", "--ledger", ledger}, args...)...)
	}
	emit("--scenarios", "--updates", "500").wantSuccess()
	load := emit("--load", "6000", "--rate", "1000")
	for _, mark := range []int64{500, 2500} {
		service := w.serve()
		testenv.Eventually(t, "the service is in the middle", func() bool { return w.ingested() >= mark })
		service.kill()
	}
	load.wantSuccess()
	service := w.serve()
	start(t, w.env, "tcda-lab", "ledger", "check", "--ledger", ledger, "--wait", testenv.Patience.String()).wantSuccess()
	w.verify()
	service.interrupt()
	service.wantSuccess()
}
