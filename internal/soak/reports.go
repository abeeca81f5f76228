package soak

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/checker"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/verify"
)

// summaryLimit is what the contract lets an event that tells of a report be.
const summaryLimit = 256 << 10

// frozen names a revision of a report.
type frozen struct {
	id            string
	run, revision int32
}

// checkReports has the service's own verification look at everything that is stored,
// rollups included, and holds the reports to what must be: each run that has ended
// has one whose newest revision says how, whatever else of it is gone, unless retention has removed
// that, and an event has told of each revision.
func (s *soak) checkReports(ctx context.Context) error {
	store, err := pgstore.Open(ctx, pgstore.Config{URL: s.databaseURL(false)})
	if err != nil {
		return err
	}
	defer store.Close()
	verified, err := verify.Run(ctx, store, nil, verify.Options{})
	if err != nil {
		return err
	}
	for _, d := range verified.Differences[:min(len(verified.Differences), 10)] {
		s.problem("verify: " + d.String())
	}
	told, err := s.reportsTold(ctx)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, s.databaseURL(false))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var without int64
	if err := conn.QueryRow(ctx, `SELECT count(*) FROM test_coordination.executions AS e WHERE e.status NOT IN ('pending', 'running', 'paused')
		AND (SELECT r.status FROM test_coordination.reports AS r WHERE r.execution_id = e.execution_id AND r.run = e.run ORDER BY r.revision DESC LIMIT 1) IS DISTINCT FROM e.status
		AND NOT EXISTS (SELECT FROM test_coordination.pruned_runs AS p WHERE p.execution_id = e.execution_id AND p.run = e.run AND 'reports' = ANY (p.kinds))`).Scan(&without); err != nil {
		return fmt.Errorf("count runs without a report: %w", err)
	}
	if without > 0 {
		s.problem(fmt.Sprintf("%d runs that have ended have no report that says how", without))
	}
	rows, err := conn.Query(ctx, "SELECT execution_id, run, revision, sha256 FROM test_coordination.reports")
	if err != nil {
		return fmt.Errorf("read reports: %w", err)
	}
	var f frozen
	var digest []byte
	untold := 0
	tag, err := pgx.ForEachRow(rows, []any{&f.id, &f.run, &f.revision, &digest}, func() error {
		if !told[f][hex.EncodeToString(digest)] {
			untold++
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read reports: %w", err)
	}
	if untold > 0 {
		s.problem(fmt.Sprintf("of %d frozen reports %d were not published with their digests", tag.RowsAffected(), untold))
	}
	for _, note := range verified.NotVerifiable {
		s.tell("%s", note)
	}
	s.tell("verified: %d rollups of days; reports: %d frozen, of which %d were built again; %d revisions published", verified.Rollups, verified.Reports, verified.ReportsRebuilt, len(told))
	return nil
}

// reportsTold are the digests that events have told of, by revision. What a failover
// has taken back may have been told of.
func (s *soak) reportsTold(ctx context.Context) (map[frozen]map[string]bool, error) {
	told := map[frozen]map[string]bool{}
	log := checker.Kafka{Brokers: []string{s.kafka.Direct()}, Topics: []string{reportsTopic}}
	for r, err := range log.Records(ctx) {
		if err != nil {
			return nil, err
		}
		typ := ""
		for _, h := range r.Headers {
			if h.Name == "ce_type" {
				typ = string(h.Value)
			}
		}
		if typ != "test-coordination.report.published.v1" {
			continue
		}
		var m struct {
			ID       string `json:"execution_id"`
			Run      int32  `json:"run"`
			Revision int32  `json:"revision"`
			SHA256   string `json:"sha256"`
		}
		if err := json.Unmarshal(r.Value, &m); err != nil || string(r.Key) != m.ID || len(r.Value) > summaryLimit {
			s.problem(fmt.Sprintf("event at %s, of %d bytes, is none that tells of a report: %v", r, len(r.Value), err))
			continue
		}
		f := frozen{m.ID, m.Run, m.Revision}
		if told[f] == nil {
			told[f] = map[string]bool{}
		}
		told[f][m.SHA256] = true
	}
	return told, nil
}
