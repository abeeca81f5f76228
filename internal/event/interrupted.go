package event

import (
	"fmt"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// Interruption is what the service needs to say that a run is interrupted.
type Interruption struct {
	Source      string // of this instance, such as "/tcda/a"
	ExecutionID execution.ID
	Run         execution.RunNumber
	RunID       string    // of the run; empty when it has none
	Time        time.Time // when it was found; UTC
	Statement   execution.Interrupted
}

// NewInterrupted makes the service's own event. Its id follows from what it
// states, so that the same finding, made twice, is one event.
func NewInterrupted(i Interruption) *execution.Event {
	id := fmt.Sprintf("interrupted:%d:%d:%s", i.Run, i.Statement.RealEvents, i.Statement.Cause)
	subject := string(i.ExecutionID)
	header := fact.Header{
		Key:     fact.NewKey(i.Source, id, subject),
		Source:  i.Source,
		ID:      id,
		Subject: subject,
		Type:    fact.TypeInterrupted,
		Time:    i.Time.UTC(),
		RunID:   i.RunID,
	}
	message := &contract.ExecutionInterrupted{
		ExecutionId:  subject,
		Cause:        string(i.Statement.Cause),
		RealEvents:   i.Statement.RealEvents,
		SupersededBy: int32(i.Statement.SupersededBy),
	}
	return assemble(header, kinds[fact.TypeInterrupted], message).Execution
}
