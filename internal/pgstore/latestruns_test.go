package pgstore_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// Of the runs of an id only the latest is shown: what it is decides in which of
// the two lists the id comes, whatever the older ones are.
func TestOnlyTheLatestRunOfAnIDIsListedAsLiveOrSettled(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	histories := map[execution.ID][]execution.Status{
		"exec-ended":   {execution.StatusRunning, execution.StatusPassed},
		"exec-lives":   {execution.StatusPassed, execution.StatusRunning},
		"exec-restart": {execution.StatusRunning, execution.StatusPending},
		"exec-twice":   {execution.StatusFailed, execution.StatusPassed},
	}
	for _, id := range slices.Sorted(maps.Keys(histories)) {
		for i, status := range histories[id] {
			st := bareState()
			st.Run.ID, st.Run.Number, st.Run.Status = id, execution.RunNumber(i+1), status
			st.Run.Bucket = bucket.AddDate(0, 0, i) // the event that save makes is one of each bucket
			save(t, s, st)
		}
	}
	// Pages of one: what is left out in between neither ends the list nor comes again.
	var live, settled []pgstore.RunKey
	for after := (pgstore.RunKey{}); ; after = live[len(live)-1] {
		page, err := s.LiveRunsAfter(t.Context(), after, 1)
		must(t, err)
		if len(page) == 0 {
			break
		}
		live = append(live, pgstore.RunKey{ID: page[0].ID, Number: page[0].Number})
	}
	for cursor := (pgstore.SettledCursor{Since: now}); ; {
		page, next, err := s.SettledRunsAfter(t.Context(), cursor, 1)
		must(t, err)
		if len(page) == 0 {
			break
		}
		settled, cursor = append(settled, pgstore.RunKey{ID: page[0].ID, Number: page[0].Number}), next
	}
	if diff := cmp.Diff([]pgstore.RunKey{{ID: "exec-lives", Number: 2}, {ID: "exec-restart", Number: 2}}, live); diff != "" {
		t.Errorf("live runs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]pgstore.RunKey{{ID: "exec-ended", Number: 2}, {ID: "exec-twice", Number: 2}}, settled); diff != "" {
		t.Errorf("settled runs (-want +got):\n%s", diff)
	}
}

// explained is a database that explains queries instead of answering them.
type explained struct {
	*pgxpool.Pool
	plan *strings.Builder
}

func (e explained) Query(ctx context.Context, query string, args ...any) (pgx.Rows, error) {
	plan, err := e.Pool.Query(ctx, "EXPLAIN "+query, args...)
	if err != nil {
		return nil, err
	}
	lines, err := pgx.CollectRows(plan, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	e.plan.WriteString(strings.Join(lines, "\n"))
	return e.Pool.Query(ctx, "SELECT WHERE false")
}

// Both lists are read every few seconds, from tables that only grow: by their
// partial indexes, also where the planner knows nothing yet of what is in them.
func TestListsOfLiveAndSettledRunsReadNoWholeTable(t *testing.T) {
	t.Parallel()
	pool := testenv.Postgres(t).Pool(t)
	for _, statement := range []string{
		`INSERT INTO test_coordination.execution_ids (execution_id, latest_run, first_seen_at) SELECT 'exec-' || n, 2, now() FROM generate_series(1, 20000) AS n`,
		// Every hundredth id has a run that lives; the others ended, one a second.
		`INSERT INTO test_coordination.executions (execution_id, run, bucket, version, status, lifecycle, marks, created_at, updated_at, settled_change_at)
			SELECT 'exec-' || n, run, '2026-04-01', 1, CASE WHEN lives THEN 'running' ELSE 'passed' END, 'running', '', now(), now(), CASE WHEN NOT lives THEN now() - n * interval '1 s' END
			FROM generate_series(1, 20000) AS n, generate_series(1, 2) AS run, LATERAL (SELECT (n + run) % 100 = 0) AS l (lives)`,
	} {
		if _, err := pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, known := range []string{"unknown", "known"} {
		if known == "known" {
			if _, err := pool.Exec(t.Context(), "ANALYZE test_coordination.executions, test_coordination.execution_ids"); err != nil {
				t.Fatal(err)
			}
		}
		var plan strings.Builder
		q := dbsqlc.New(explained{pool, &plan})
		since := func(ago time.Duration) func(context.Context) error {
			return func(ctx context.Context) error {
				_, err := q.SettledRuns(ctx, dbsqlc.SettledRunsParams{Since: time.Now().Add(-ago), Page: 1000})
				return err
			}
		}
		for name, c := range map[string]struct {
			list  func(context.Context) error
			index string
		}{
			"live runs": {func(ctx context.Context) error {
				_, err := q.LiveRuns(ctx, "", 0, 1000)
				return err
			}, "executions_live_idx"},
			"runs settled in the last minute": {since(time.Minute), "executions_settled_change_idx"},
			"all settled runs":                {since(24 * time.Hour), "executions_settled_change_idx"},
		} {
			plan.Reset()
			what := fmt.Sprintf("%s, statistics %s", name, known)
			if err := c.list(t.Context()); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if p := plan.String(); !strings.Contains(p, c.index) || !strings.Contains(p, "execution_ids_pkey") || strings.Contains(p, "Seq Scan") {
				t.Errorf("%s:\n%s", what, p)
			}
		}
	}
}
