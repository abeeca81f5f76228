package command

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// statement is what an event of our own states.
type statement struct {
	message proto.Message // of the contract
	id      string        // empty: of the request
	runID   string
	follows fact.Order // of the last event of its aggregate; zero: none
}

// own makes an event of our own: through the decoder, so that the rules and
// limits of Kafka's events hold for it.
func (t *Tx) own(s statement) (event.Decoded, error) {
	o := event.Outgoing{Source: t.commands.Source, ID: s.id, RunID: s.runID, Message: s.message, Extensions: map[string]string{"caller": t.Caller}}
	o.Time, o.Sequence = after(s.follows, t.Now())
	if o.ID == "" {
		o.ID = t.nextID()
	}
	record, err := event.Encode(o, event.Binary, event.Protobuf)
	if err != nil {
		return event.Decoded{}, fmt.Errorf("write an event of our own: %w", err)
	}
	decoded, rejection := t.commands.Decoder.Decode(record, t.Now())
	if rejection == nil && decoded.Scenario != nil {
		rejection = decoded.Scenario.Check(t.commands.Limits)
	}
	if rejection != nil {
		return event.Decoded{}, &Rejected{rejection}
	}
	return decoded, nil
}

// tell has an event that was accepted published to the coordinator, with the
// transaction.
func (t *Tx) tell(ctx context.Context, h *fact.Header, m proto.Message) error {
	out, err := event.NewOutbound(event.Outgoing{Source: h.Source, ID: h.ID, Time: h.Time, RunID: h.RunID, Message: m})
	if err != nil {
		return err
	}
	t.told = true
	return t.Tx.Enqueue(ctx, []pgstore.OutboxRow{{Topic: pgstore.OutboxCommands, EventID: h.Key.String(), Type: out.Type, Subject: out.Subject, Time: out.Time, Record: out.Record}})
}

// nextID is the id of the next event that the request states.
func (t *Tx) nextID() string {
	t.events++
	if t.events == 1 {
		return "request:" + t.request
	}
	return fmt.Sprintf("request.%d:%s", t.events, t.request) // never the first of another request
}

// firstSequence is that of the first event of ours about something that nothing
// is known of: whatever its producer says of it comes later, whether it counts or
// not.
const firstSequence fact.Sequence = 1

// after is the time and sequence of an event that is stated now, and comes right
// after the last event of its aggregate.
func after(last fact.Order, now time.Time) (time.Time, fact.Sequence) {
	if !now.After(last.Time) {
		now = last.Time.Truncate(time.Microsecond).Add(time.Microsecond)
	}
	switch {
	case last.IsZero():
		return now, firstSequence
	case last.Sequence > fact.MaxSequence:
		return now, fact.NoSequence
	}
	return now, last.Sequence
}
