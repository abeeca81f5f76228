package retention

import (
	"errors"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// Hold is a legal hold: a run that meets every condition that it names is not
// touched, whatever the policies say.
type Hold struct {
	ID int64

	ExecutionID execution.ID
	Run         execution.RunNumber // of that id; 0: all
	ScenarioID  string
	LabelName   string
	LabelValue  string
	BornFrom    time.Time // first and last day on which the run was first heard of; zero: open
	BornUntil   time.Time

	Reason   string
	PlacedBy string
	PlacedAt time.Time

	LiftedBy   string
	LiftedAt   time.Time // zero: it stands
	LiftReason string
}

// Check says what is missing.
func (h *Hold) Check() error {
	switch {
	case h.ExecutionID == "" && h.ScenarioID == "" && h.LabelName == "" && h.BornFrom.IsZero() && h.BornUntil.IsZero():
		return errors.New("a hold names at least an execution, a scenario, a label or a time")
	case h.Run != 0 && h.ExecutionID == "":
		return errors.New("a run is one of an execution id: name that, too")
	case h.Run < 0:
		return errors.New("runs are numbered from 1")
	case !h.BornUntil.IsZero() && h.BornUntil.Before(h.BornFrom):
		return errors.New("the last day is before the first")
	case h.Reason == "":
		return errors.New("a hold needs a reason")
	case h.PlacedBy == "":
		return errors.New("a hold needs the name of who places it")
	}
	return nil
}

// Covers tells whether a run is under the hold.
func (h *Hold) Covers(r *RunFacts) bool {
	born := r.CreatedAt.UTC().Truncate(day)
	switch {
	case h.ExecutionID != "" && h.ExecutionID != r.ExecutionID,
		h.Run != 0 && h.Run != r.Number,
		h.ScenarioID != "" && h.ScenarioID != r.ScenarioID,
		!h.BornFrom.IsZero() && born.Before(h.BornFrom),
		!h.BornUntil.IsZero() && born.After(h.BornUntil):
		return false
	}
	if h.LabelName != "" {
		value, ok := r.Labels[h.LabelName]
		return ok && value == h.LabelValue
	}
	return true
}
