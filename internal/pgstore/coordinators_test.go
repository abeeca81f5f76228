package pgstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// The variables that make a process of this test a coordinator.
const (
	coordinatorName = "TCDA_TEST_COORDINATOR"
	coordinatorDB   = "TCDA_TEST_COORDINATOR_DATABASE"
)

const (
	lease        = 400 * time.Millisecond
	claimsAtOnce = 40
)

func TestMain(m *testing.M) {
	if name := os.Getenv(coordinatorName); name != "" {
		if err := coordinate(name, os.Getenv(coordinatorDB)); err != nil {
			fmt.Fprintln(os.Stderr, name, "failed:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// coordinate claims and completes until nothing is due or claimed any more. It
// writes a line for each claim.
func coordinate(name, url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Patience)
	defer cancel()
	s, err := pgstore.Open(ctx, pgstore.Config{URL: url, MaxConns: 2})
	if err != nil {
		return err
	}
	defer s.Close()
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	for {
		var claimed []pgstore.ClaimedOccurrence
		if err := s.Batch(ctx, time.Now(), func(tx *pgstore.Tx) error {
			claims, err := tx.ClaimDue(ctx, pgstore.ClaimDue{Claimer: name, Most: claimsAtOnce, Lease: lease})
			claimed = claims.Claimed
			return err
		}); err != nil {
			return err
		}
		fmt.Println(len(claimed))
		for _, o := range claimed {
			err := s.Batch(ctx, time.Now(), func(tx *pgstore.Tx) error {
				_, err := tx.CompleteClaim(ctx, keyOf(o.Occurrence), pgstore.Completion{Outcome: scenario.OutcomeStarted, Run: scenario.RunRef{ExecutionID: name, Run: int32(o.Token)}})
				return err
			})
			var lost *scenario.ClaimLostError
			if err != nil && !errors.As(err, &lost) { // it was too slow, and another has it
				return err
			}
		}
		var open bool
		if err := pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM test_coordination.schedule_occurrences WHERE status IN ('due', 'claimed'))").Scan(&open); err != nil || !open {
			return err
		}
	}
}

// history has PostgreSQL note each claim in the transaction that makes it, beside
// the store: the rows do not remember former claims.
const history = `
CREATE TABLE public.claims (schedule_id text, occurrence_id text, token bigint, claimed_by text, at timestamptz, former_status text, former_lease timestamptz);
CREATE FUNCTION public.note_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO public.claims VALUES (NEW.schedule_id, NEW.occurrence_id, NEW.claim_token, NEW.claimed_by, clock_timestamp(), OLD.status, OLD.lease_expires_at);
  RETURN NULL;
END $$;
CREATE TRIGGER note_claim AFTER UPDATE ON test_coordination.schedule_occurrences
  FOR EACH ROW WHEN (OLD.claim_token <> NEW.claim_token) EXECUTE FUNCTION public.note_claim();`

// Each of 10,000 occurrences goes to one of two coordinators, of which one is
// killed again and again; what a dead one held goes to another only when its lease
// has ended.
func TestTwoCoordinatorsShareWhatIsDueAlthoughOneIsKilled(t *testing.T) {
	t.Parallel()
	const occurrences, kills = 10_000, 5
	p := newPlanner(t)
	for i := range 10 {
		p.set(clock(0, 0), scenario.Schedule{ScheduleID: scenario.ScheduleID(fmt.Sprint("s", i)), Kind: scenario.ScheduleCron, Cron: "* * * * *"})
	}
	p.plan(clock(0, 0).Add(occurrences / 10 * time.Minute))
	pool := p.db.Pool(t)
	_, err := pool.Exec(t.Context(), history)
	must(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), testenv.Patience)
	defer cancel()
	steady := p.coordinator(ctx, "steady")
	must(t, steady.Start())
	dead := 0
	for ; ; dead++ {
		doomed := p.coordinator(ctx, "doomed")
		out, err := doomed.StdoutPipe()
		must(t, err)
		must(t, doomed.Start())
		lines := bufio.NewScanner(out)
		if dead < kills && lines.Scan() && lines.Text() != "0" {
			// In the midst of what it claimed, or of claiming more.
			<-time.After(rand.N(3 * time.Millisecond * claimsAtOnce))
			must(t, doomed.Process.Kill())
		}
		for lines.Scan() { // it must not wait for who reads
		}
		err = doomed.Wait()
		if err == nil {
			break
		}
		if doomed.ProcessState.Exited() {
			t.Fatalf("a coordinator failed: %v", err)
		}
	}
	must(t, steady.Wait())
	if dead == 0 {
		t.Error("nobody was killed: everything was done before")
	}

	var completed, claimed, again, early, doubled, orphans int
	must(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM test_coordination.schedule_occurrences WHERE status = 'completed' AND outcome = 'started'").Scan(&completed))
	must(t, pool.QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE token > 1),
		count(*) FILTER (WHERE token > 1 AND (former_status <> 'claimed' OR at < former_lease)) FROM public.claims`).Scan(&claimed, &again, &early))
	must(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM (SELECT FROM public.claims GROUP BY schedule_id, occurrence_id HAVING count(*) <> max(token) OR count(DISTINCT token) <> count(*)) AS d").Scan(&doubled))
	must(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM test_coordination.schedule_occurrences AS o WHERE NOT EXISTS (
		SELECT FROM public.claims AS c WHERE c.schedule_id = o.schedule_id AND c.occurrence_id = o.occurrence_id
		AND c.token = o.claim_token AND c.token = o.run AND c.claimed_by = o.execution_id)`).Scan(&orphans))
	t.Logf("%d killed, %d claims, %d of them on expired ones", dead, claimed, again)
	if completed != occurrences || claimed != occurrences+again {
		t.Errorf("%d of %d completed, after %d first claims", completed, occurrences, claimed-again)
	}
	if again == 0 {
		t.Error("nobody died with a claim in hand")
	}
	if early != 0 {
		t.Errorf("%d were claimed again before their lease had ended", early)
	}
	if doubled != 0 {
		t.Errorf("%d have a token twice, or lack one", doubled)
	}
	if orphans != 0 {
		t.Errorf("%d were completed by another than who claimed them last", orphans)
	}

	// The dead come back with what they remember.
	rows, err := pool.Query(t.Context(), "SELECT schedule_id, occurrence_id, token FROM public.claims AS c WHERE EXISTS (SELECT FROM public.claims AS l WHERE l.schedule_id = c.schedule_id AND l.occurrence_id = c.occurrence_id AND l.token > c.token) LIMIT 50")
	must(t, err)
	former, err := pgx.CollectRows(rows, pgx.RowToStructByPos[pgstore.ClaimKey])
	must(t, err)
	for _, k := range former {
		var lost *scenario.ClaimLostError
		if _, err := p.complete(time.Now(), k, pgstore.Completion{Outcome: scenario.OutcomeNotStarted}); !errors.As(err, &lost) || lost.Latest <= k.Token {
			t.Errorf("completed with token %d: %v", k.Token, err)
		}
	}
}

// coordinator is a process that coordinates.
func (p *planner) coordinator(ctx context.Context, name string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), coordinatorName+"="+name, coordinatorDB+"="+p.db.URL)
	cmd.Stderr = os.Stderr
	return cmd
}
