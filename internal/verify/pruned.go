package verify

import (
	"context"
	"fmt"
	"strconv"
)

// pruned says what cannot be verified because retention has removed it.
func (v *verification) pruned(ctx context.Context) error {
	kinds, err := v.store.PrunedKinds(ctx)
	if err != nil {
		return err
	}
	for _, k := range kinds {
		switch {
		case k.Kind == "run":
			v.report.cannotVerify("%d runs are gone: pruned", k.Runs)
		case k.Pending > 0:
			v.report.cannotVerify("%s of %d runs: pruned, and rows of %d are still to be removed", k.Kind, k.Runs, k.Pending)
		default:
			v.report.cannotVerify("%s of %d runs: pruned", k.Kind, k.Runs)
		}
	}
	return nil
}

// missingRuns finds ids that lack a run which retention has not removed.
func (v *verification) missingRuns(ctx context.Context) error {
	missing, err := v.store.MissingRuns(ctx, MaxDifferences)
	if err != nil {
		return err
	}
	for _, m := range missing {
		c := comparison{report: v.report, subject: "execution " + string(m.ID)}
		if int64(m.LatestRun) > m.Known {
			c.differ("runs", fmt.Sprintf("%d, with those that were pruned", m.Known), strconv.Itoa(int(m.LatestRun)))
		}
		c.compare("pruned", m.Pruned, m.Lost)
	}
	return nil
}
