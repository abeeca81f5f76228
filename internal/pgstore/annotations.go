package pgstore

import (
	"context"
	"fmt"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// Annotation is a note that somebody has added to a run.
type Annotation struct {
	Order  fact.Order // of the event that brought it
	At     time.Time
	Author string
	Text   string
}

// Annotations is a page of the notes of a run, oldest first; the zero order is
// before all.
func (s *Store) Annotations(ctx context.Context, r *execution.Run, after fact.Order, page int) ([]Annotation, error) {
	from := []byte{}
	if !after.IsZero() {
		from = after.Bytes()
	}
	rows, err := s.q.AnnotationsPage(ctx, dbsqlc.AnnotationsPageParams{ExecutionID: string(r.ID), Run: int32(r.Number), Bucket: r.Bucket, After: from, Page: int32(page)})
	if err != nil {
		return nil, interpret("list annotations", err)
	}
	notes := make([]Annotation, len(rows))
	for i, row := range rows {
		order, err := orderOf(row.OrderKey)
		if err != nil {
			return nil, fmt.Errorf("read a note on %s/%d: %w", r.ID, r.Number, err)
		}
		notes[i] = Annotation{Order: order, At: row.AnnotatedAt.UTC(), Author: row.Author, Text: row.Text}
	}
	return notes, nil
}
