package soak

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/checker"
)

// retentionQuiet is how long a run must not have changed before something of it is
// removed: short, so that what comes late and what is sent again meets runs that
// are gone.
const retentionQuiet = 6 * time.Second

// policies are what the workers remove while faults strike: of the runs of a quarter
// of the storms' scenarios everything, of others a part, of the rest nothing. The
// newest run of each scenario stays.
const policies = `policies:
  - {name: whole, match: {scenarios: ["scenario-?"]}, keep: {count: 1}}
  - {name: bulk, match: {scenarios: ["scenario-1?", "api-scenario-1"]}, keep: {count: 1}, data: [logs, snapshots]}
  - {name: papers, match: {scenarios: ["scenario-2?"]}, keep: {count: 1}, data: [logs, reports]}
`

// checkedPolicies are the same for the checker, which shares no code with the service.
var checkedPolicies = []checker.Policy{
	{Name: "whole", Scenarios: regexp.MustCompile(`^scenario-.$`), Kinds: []string{"run"}},
	{Name: "bulk", Scenarios: regexp.MustCompile(`^(scenario-1.|api-scenario-1)$`), Kinds: []string{"logs", "snapshots"}},
	{Name: "papers", Scenarios: regexp.MustCompile(`^scenario-2.$`), Kinds: []string{"logs", "reports"}},
}

func (w *world) policiesFile() string { return filepath.Join(w.dir, "retention.yaml") }

func (w *world) writePolicies(context.Context) error {
	if err := os.WriteFile(w.policiesFile(), []byte(policies), 0o600); err != nil {
		return fmt.Errorf("write the policies of retention: %w", err)
	}
	return nil
}

// lastPass lets retention remove what is due when nothing changes any more, and then
// keeps it from its work, by the lock of its leader, on the connection that keeps the
// others quiet. It waits until the rollups have followed, too.
func (s *soak) lastPass(ctx context.Context, holds *pgx.Conn) error {
	if !wait(ctx, retentionQuiet+time.Second) {
		return context.Cause(ctx)
	}
	until := time.Now().Add(s.options.DrainLimit)
	for {
		pass := exec.CommandContext(ctx, s.options.Program, "retention", "run", "--yes")
		pass.Env = s.environment("retention", "")
		said, err := pass.CombinedOutput() // it fails where a worker makes a pass just now
		var pending, dirty int64
		held := false
		if err == nil {
			err = holds.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtextextended('tcda:retention', 0))").Scan(&held)
		}
		if err == nil && held {
			err = holds.QueryRow(ctx, `SELECT (SELECT count(*) FROM test_coordination.pruned_runs WHERE pending <> '{}'), (SELECT count(*) FROM test_coordination.rollup_dirty)`).Scan(&pending, &dirty)
			if err == nil && pending == 0 && dirty == 0 {
				s.tell("retention has made its last pass")
				return nil
			}
			if _, unlock := holds.Exec(ctx, "SELECT pg_advisory_unlock(hashtextextended('tcda:retention', 0))"); unlock != nil {
				return fmt.Errorf("let retention work again: %w", unlock)
			}
		}
		if time.Now().After(until) {
			s.drained = false
			s.problem(fmt.Sprintf("retention does not finish: of %d runs rows wait to be removed, %d notes of runs wait for the rollups; it said %v: %s", pending, dirty, err, said))
			return nil
		}
		if !wait(ctx, 500*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}
