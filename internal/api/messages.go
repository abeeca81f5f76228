package api

import (
	"encoding/json"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// moment is none for the zero time.
func moment(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// atLeast is a moment of a filter, rounded up to the microseconds that rows keep:
// what was before it still is.
func atLeast(t *timestamppb.Timestamp) time.Time {
	at := t.AsTime()
	if down := at.Truncate(time.Microsecond); down.Before(at) {
		return down.Add(time.Microsecond)
	}
	return at
}

// length is none for nil.
func length(d *time.Duration) *durationpb.Duration {
	if d == nil {
		return nil
	}
	return durationpb.New(*d)
}

// object is stored JSON as a message; none for nil. What is stored was such a
// message once, so that it always can be one.
func object(raw json.RawMessage) *structpb.Struct {
	if raw == nil {
		return nil
	}
	m := &structpb.Struct{}
	if protojson.Unmarshal(raw, m) != nil {
		return nil
	}
	return m
}

// value is stored JSON of any kind as a message; none for nil.
func value(raw json.RawMessage) *structpb.Value {
	if raw == nil {
		return nil
	}
	m := &structpb.Value{}
	if protojson.Unmarshal(raw, m) != nil {
		return nil
	}
	return m
}

// rawObject is a message as JSON; nil for none.
func rawObject(m *structpb.Struct) (json.RawMessage, error) {
	if m == nil {
		return nil, nil
	}
	return m.MarshalJSON()
}
