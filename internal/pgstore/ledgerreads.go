package pgstore

import (
	"context"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// SentEvent names an event that a producer says it has sent.
type SentEvent struct {
	Subject string
	Key     fact.Key
}

// StoredCopies counts how often each of these events is stored. Those that are
// not stored are missing from the map; a thousand at once is a good number.
func (s *Store) StoredCopies(ctx context.Context, events []SentEvent) (map[fact.Key]int64, error) {
	subjects, keys := make([]string, len(events)), make([][]byte, len(events))
	for i := range events {
		subjects[i], keys[i] = events[i].Subject, events[i].Key[:]
	}
	rows, err := s.q.StoredCopies(ctx, subjects, keys)
	if err != nil {
		return nil, interpret("count stored copies", err)
	}
	copies := make(map[fact.Key]int64, len(rows))
	for _, r := range rows {
		copies[fact.Key(r.EventKey)] = r.Copies
	}
	return copies, nil
}

// QuarantinedAt are the quarantined ones among the records at these offsets of
// a partition, with their reasons.
func (s *Store) QuarantinedAt(ctx context.Context, topic string, partition int32, offsets []int64) (map[int64]fact.Reason, error) {
	rows, err := s.q.QuarantinedAt(ctx, topic, partition, offsets)
	if err != nil {
		return nil, interpret("look up quarantined records", err)
	}
	reasons := make(map[int64]fact.Reason, len(rows))
	for _, r := range rows {
		reasons[r.KafkaOffset] = fact.Reason(r.Reason)
	}
	return reasons, nil
}
