package report

import (
	"slices"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// mostBriefIDs bounds the lists of ids in a brief.
const mostBriefIDs = 100

// Brief is what reports of later runs say of this one. Its digest is that which
// Encode has set.
func (r *Report) Brief() Brief {
	failed := r.failedValidations()
	return Brief{
		ExecutionID: r.Run.ExecutionID, Run: r.Run.Number, Attempt: r.Run.Attempt, SHA256: r.SHA256, Status: r.Verdict.Status,
		StartedAt: r.Run.StartedAt, EndedAt: r.Run.EndedAt, Version: r.Definition.Version, Definition: r.Definition.SHA256,
		Duration: r.Run.Duration, Validations: r.Metrics.Validations,
		Recovery: r.Metrics.MeanRecovery, Detection: r.Metrics.MeanDetection, Resilience: r.Metrics.Resilience,
		FailedValidations: failed[:min(len(failed), mostBriefIDs)],
	}
}

// failedValidations are the ids of those that failed, sorted, so that two runs can be
// compared as far as their lists go.
func (r *Report) failedValidations() []string {
	ids := []string{}
	for i := range r.Validations {
		if v := &r.Validations[i]; v.Status == execution.ValidationFailed {
			ids = append(ids, v.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// changesAgainst is how the run differs from each of the earlier ones.
func changesAgainst(r *Report, previous []Brief) []Change {
	changes := make([]Change, 0, len(previous))
	now := r.failedValidations()
	for _, then := range previous {
		changes = append(changes, Change{
			Brief:            then,
			DurationChange:   difference(r.Run.Duration, then.Duration),
			RecoveryChange:   difference(r.Metrics.MeanRecovery, then.Recovery),
			DetectionChange:  difference(r.Metrics.MeanDetection, then.Detection),
			ResilienceChange: difference(r.Metrics.Resilience, then.Resilience),
			NewFailures:      without(now, then.FailedValidations),
			FixedFailures:    without(then.FailedValidations, now),
			SameDefinition:   r.Definition.SHA256 != "" && r.Definition.SHA256 == then.Definition,
		})
	}
	return changes
}

// without are those ids that are not among others, at most 100.
func without(ids, others []string) []string {
	left := []string{}
	for _, id := range ids {
		if !slices.Contains(others, id) && len(left) < mostBriefIDs {
			left = append(left, id)
		}
	}
	return left
}
