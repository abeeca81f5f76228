package bench

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// CopyRows does to two databases what a ceiling does, and holds them against
// each other.
func CopyRows(ctx context.Context, from, to *pgx.Conn, eventsPerBatch int) (batches int, err error) {
	r, err := record(ctx, from, eventsPerBatch)
	if err != nil {
		return 0, err
	}
	if err := r.prepare(ctx, to); err != nil {
		return 0, err
	}
	for _, inserts := range r.batches {
		if err := insertBatch(ctx, to.PgConn(), inserts); err != nil {
			return 0, err
		}
	}
	return len(r.batches), CompareRows(ctx, from, to)
}

// CompareRows is an error unless both databases hold the same.
func CompareRows(ctx context.Context, a, b *pgx.Conn) error {
	inA, err := tableSums(ctx, a)
	if err != nil {
		return err
	}
	inB, err := tableSums(ctx, b)
	if err != nil {
		return err
	}
	return sameRows(inA, inB)
}

// What is measured with.
var (
	ProcessorSeconds = processorSeconds
	PeakMemory       = peakMemory
)
