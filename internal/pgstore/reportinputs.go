package pgstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// AtOneMoment calls read with a view of the store at one moment, in a transaction
// that can write nothing. The view must not be used afterwards.
func (s *Store) AtOneMoment(ctx context.Context, read func(*Store) error) error {
	return s.snapshot(ctx, read)
}

// SnapshotContent is the big JSON of the snapshot that an event of a run brought,
// or ErrNotFound.
func (s *Store) SnapshotContent(ctx context.Context, r *execution.Run, snapshotID string, arrival int64) (state, metrics json.RawMessage, err error) {
	row, err := s.q.SnapshotOfEvent(ctx, dbsqlc.SnapshotOfEventParams{ExecutionID: string(r.ID), Run: int32(r.Number), Bucket: r.Bucket, SnapshotID: snapshotID, Arrival: arrival})
	if err != nil {
		return nil, nil, interpret("read snapshot", err)
	}
	return row.State, row.Metrics, nil
}

// ReportLines is a page of the lines of a run by time, behind a place.
func (s *Store) ReportLines(ctx context.Context, r *execution.Run, after LogPlace, page int) ([]LogLine, error) {
	rows, err := s.q.ReportLines(ctx, dbsqlc.ReportLinesParams{
		ExecutionID: string(r.ID), Run: int32(r.Number), Bucket: r.Bucket, AfterTime: after.At, AfterArrival: after.Arrival, AfterLine: after.Line, Page: int32(page),
	})
	if err != nil {
		return nil, interpret("read log lines", err)
	}
	lines := make([]LogLine, len(rows))
	for i, l := range rows {
		at := l.LoggedAt.UTC()
		lines[i] = LogLine{
			Place:   LogPlace{At: at, Arrival: l.Arrival, Line: l.Line},
			LogLine: execution.LogLine{Message: l.Message, Time: at, Level: l.Level, Service: l.Service, Phase: l.Phase, StepID: l.StepID, Attributes: l.Attributes},
		}
	}
	return lines, nil
}

// PublicationAt is the publication of a scenario that was the current one at a
// moment, or ErrNotFound. Its payload is not restored.
func (s *Store) PublicationAt(ctx context.Context, id scenario.ID, at time.Time) (StoredEvent, error) {
	row, err := s.q.PublicationAt(ctx, string(id), at)
	if err != nil {
		return StoredEvent{}, interpret("read publication", err)
	}
	return definitionEventFromRow(&row)
}

// PublicationOf is the first publication of a content of a scenario in order, or
// ErrNotFound. Its payload is not restored.
func (s *Store) PublicationOf(ctx context.Context, id scenario.ID, content scenario.ContentHash) (StoredEvent, error) {
	row, err := s.q.PublicationOf(ctx, string(id), content.String())
	if err != nil {
		return StoredEvent{}, interpret("read publication", err)
	}
	return definitionEventFromRow(&row)
}

// TemplateTextAt is the text of a template as a scenario named it that was published
// at a moment: of a version, by number or digest, or else of the one that was the
// current one then. "" when there is none.
func (s *Store) TemplateTextAt(ctx context.Context, id scenario.TemplateID, version string, at time.Time) (string, error) {
	if version == "" {
		row, err := s.q.TemplatePublicationAt(ctx, string(id), at)
		if err = interpret("read publication of template", err); errors.Is(err, ErrNotFound) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		var said struct {
			Hash string `json:"content_hash"`
		}
		if err := json.Unmarshal(row.Data, &said); err != nil {
			return "", fmt.Errorf("read publication of template %q: %w", id, err)
		}
		if version = said.Hash; version == "" {
			return "", nil
		}
	}
	return templateText(ctx, s.q, id, version)
}

// ReportBytes is the content of a frozen report, and of which run.
type ReportBytes struct {
	RunKey
	Revision int32
	Body     []byte
}

// PreviousReports are the newest reports of other runs of the scenario of a run, in
// its environment, that ended before it, the latest first; those of its group are
// left out.
func (s *Store) PreviousReports(ctx context.Context, r *execution.Run, most int) ([]ReportBytes, error) {
	rows, err := s.q.PreviousReports(ctx, dbsqlc.PreviousReportsParams{ScenarioID: r.ScenarioID, Environment: r.Environment, Before: r.EndedAt, GroupID: r.GroupID, Most: int32(most)})
	if err != nil {
		return nil, interpret("read earlier reports", err)
	}
	out := make([]ReportBytes, len(rows))
	for i, p := range rows {
		out[i] = ReportBytes{RunKey{execution.ID(p.ExecutionID), execution.RunNumber(p.Run)}, p.Revision, p.Body}
	}
	return out, nil
}

// EarlierAttempts are the newest reports of the attempts before a run in its group,
// at its scenario, the latest first.
func (s *Store) EarlierAttempts(ctx context.Context, r *execution.Run, most int) ([]ReportBytes, error) {
	attempt := int32(1)
	if r.Attempt != nil {
		attempt = max(*r.Attempt, 1)
	}
	rows, err := s.q.EarlierAttempts(ctx, dbsqlc.EarlierAttemptsParams{
		GroupID: r.GroupID, ScenarioID: r.ScenarioID, Attempt: attempt, StartedAt: nullTime(r.StartedAt), ExecutionID: string(r.ID), Run: int32(r.Number), Most: int32(most),
	})
	if err != nil {
		return nil, interpret("read reports of earlier attempts", err)
	}
	out := make([]ReportBytes, len(rows))
	for i, p := range rows {
		out[i] = ReportBytes{RunKey{execution.ID(p.ExecutionID), execution.RunNumber(p.Run)}, p.Revision, p.Body}
	}
	return out, nil
}
