package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1/testcoordinationv1connect"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/rollup"
)

// analyticsRounds is how often each of the statements is executed.
const analyticsRounds = 500

// summarySQL is a 90-day summary of all scenarios, as analysts read it.
const summarySQL = "SELECT * FROM test_coordination.analytics_scenario_summaries WHERE window_days = 90 ORDER BY scenario_id"

// byKeySQL reads runs by their keys: what as many rows cost at least.
const byKeySQL = `SELECT e.* FROM unnest($1::text[]) AS k(id) CROSS JOIN LATERAL (
	SELECT * FROM test_coordination.executions WHERE execution_id = k.id AND run = 1 OFFSET 0) AS e`

// measureAnalytics measures what a summary costs, beside reading as many rows by
// key in the same session, by turns; and how long rolling up took.
func (b *bench) measureAnalytics(ctx context.Context) error {
	const database = "bench_analytics"
	if err := b.freshDatabase(ctx, database); err != nil {
		return err
	}
	seed := Seed{Executions: b.Executions, Now: time.Now().UTC(), Progress: b.Progress}
	if err := b.onDatabase(ctx, database, func(conn *pgx.Conn) error { return seed.Fill(ctx, conn) }); err != nil {
		return fmt.Errorf("fill the database: %w", err)
	}
	s := &Section{Name: partAnalytics, About: fmt.Sprintf("a 90-day summary by scenario, with %s executions", count(int64(b.Executions)))}
	if err := b.rollUp(ctx, s, b.servers.postgres.URL(database)); err != nil {
		return fmt.Errorf("roll up: %w", err)
	}
	err := b.onDatabase(ctx, database, func(conn *pgx.Conn) error {
		for _, table := range []string{"scenario_summaries", "rollup_runs", "rollup_faults"} {
			if _, err := conn.Exec(ctx, "VACUUM (ANALYZE) test_coordination."+table); err != nil {
				return err
			}
		}
		return b.measureSummary(ctx, s, conn)
	})
	if err != nil {
		return err
	}
	if err := b.measureAnalyticsAPI(ctx, s, b.servers.postgres.URL(database)); err != nil {
		return err
	}
	s.note("read %d times each, by turns, all columns fetched", analyticsRounds)
	b.report.Sections = append(b.report.Sections, s)
	return b.dropDatabase(ctx, database)
}

// rollUp makes the rollups of the seeded runs, as a service does after a while.
func (b *bench) rollUp(ctx context.Context, s *Section, url string) error {
	store, err := pgstore.Open(ctx, pgstore.Config{URL: url, MaxConns: 2})
	if err != nil {
		return err
	}
	defer store.Close()
	began, told := time.Now(), time.Now()
	keys, err := rollup.New(rollup.Config{}, rollup.Parts{Store: store, Log: zerolog.Nop()}).Drain(ctx, func(keys int) {
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			fmt.Fprintf(b.Progress, "%s days of scenarios rolled up after %s\n", count(int64(keys)), time.Since(began).Round(time.Second))
		}
	})
	if err != nil {
		return err
	}
	took := time.Since(began)
	fmt.Fprintf(b.Progress, "%s days of scenarios rolled up in %s\n", count(int64(keys)), took.Round(time.Millisecond))
	s.add("rolling up", "runs/s", float64(b.Executions)/took.Seconds())
	return nil
}

// fetch executes a statement and reads all it gives; took is in microseconds.
func fetch(ctx context.Context, conn *pgx.Conn, sql string, args ...any) (rows int, took float64, err error) {
	began := time.Now()
	found, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return 0, 0, err
	}
	for found.Next() {
		if _, err := found.Values(); err != nil {
			found.Close()
			return 0, 0, err
		}
		rows++
	}
	return rows, float64(time.Since(began).Microseconds()), found.Err()
}

func (b *bench) measureSummary(ctx context.Context, s *Section, conn *pgx.Conn) error {
	rows, _, err := fetch(ctx, conn, summarySQL)
	if err != nil {
		return err
	}
	if rows == 0 {
		return errors.New("the summary has no rows: it needs a longer seed")
	}
	var summary, byKey []float64
	for round := range analyticsRounds {
		ids := make([]string, rows)
		for i := range ids { // other ones each time, all over the table
			ids[i] = fmt.Sprintf("seed-%09d", 1+(round*7919+i*(b.Executions/rows))%b.Executions)
		}
		found, took, err := fetch(ctx, conn, byKeySQL, ids)
		if err != nil {
			return err
		}
		if found != rows {
			return fmt.Errorf("%d of %d runs were found by key", found, rows)
		}
		byKey = append(byKey, took)
		if _, took, err = fetch(ctx, conn, summarySQL); err != nil {
			return err
		}
		summary = append(summary, took)
	}
	key := s.addSummary(fmt.Sprintf("%d rows by primary key", rows), "us", byKey)
	s.addSummary(fmt.Sprintf("90-day summary, %d rows", rows), "us", summary).of(key, key.Name)
	fmt.Fprintf(b.Progress, "%d rows by primary key %s us, 90-day summary of as many scenarios %s us: %.2f times\n", rows, amount(median(byKey)), amount(median(summary)), median(summary)/median(byKey))
	return nil
}

// measureAnalyticsAPI measures other questions, through HTTP.
func (b *bench) measureAnalyticsAPI(ctx context.Context, s *Section, url string) error {
	return serveAPI(ctx, url, func(client *connectClient) error {
		analytics := testcoordinationv1connect.NewAnalyticsServiceClient(client.http, client.url)
		for _, question := range []struct {
			name string
			ask  func() error
		}{
			{"summary, by the API", func() error {
				_, err := analytics.SummariseScenarios(ctx, connect.NewRequest(&contract.SummariseScenariosRequest{PageSize: 500}))
				return err
			}},
			{"history of 90 days, by the API", func() error {
				_, err := analytics.GetScenarioHistory(ctx, connect.NewRequest(&contract.GetScenarioHistoryRequest{ScenarioId: "scenario-1", PageSize: 500}))
				return err
			}},
			{"percentiles of 90 days, by the API", func() error {
				_, err := analytics.GetDurationPercentiles(ctx, connect.NewRequest(&contract.GetDurationPercentilesRequest{ScenarioId: "scenario-1"}))
				return err
			}},
			{"flaky scenarios, by the API", func() error {
				_, err := analytics.ListFlakyScenarios(ctx, connect.NewRequest(&contract.ListFlakyScenariosRequest{PageSize: 500}))
				return err
			}},
			{"coverage, by the API", func() error {
				_, err := analytics.GetCoverage(ctx, connect.NewRequest(&contract.GetCoverageRequest{PageSize: 500}))
				return err
			}},
		} {
			var took []float64
			for range 20 {
				began := time.Now()
				if err := question.ask(); err != nil {
					return fmt.Errorf("%s: %w", question.name, err)
				}
				took = append(took, float64(time.Since(began).Microseconds())/1000)
			}
			s.addSummary(question.name, "ms", took)
			fmt.Fprintf(b.Progress, "%s: %s ms\n", question.name, amount(median(took)))
		}
		return nil
	})
}
