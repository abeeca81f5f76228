package command

import (
	"context"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// Readiness is whether a scenario may run, and the version that was looked at.
type Readiness struct {
	scenario.Readiness
	Version *scenario.Version // nil: there is none of that name
}

// readinessFacts is what Store and Tx of pgstore both give.
type readinessFacts interface {
	ReadinessFacts(ctx context.Context, id scenario.ID, version, environment string) (scenario.ReadinessInput, *scenario.Version, error)
}

// CheckReadiness says whether a scenario may run now in an environment; version
// is a number, a hash in hex, or empty for the current one.
func (c *Commands) CheckReadiness(ctx context.Context, id scenario.ID, version, environment string) (Readiness, error) {
	return c.readiness(ctx, c.Store, id, version, environment, c.Now())
}

func (c *Commands) readiness(ctx context.Context, from readinessFacts, id scenario.ID, version, environment string, now time.Time) (Readiness, error) {
	in, v, err := from.ReadinessFacts(ctx, id, version, environment)
	if err != nil {
		return Readiness{}, err
	}
	if v != nil {
		// It was checked when it was published. Limits may have been lowered since:
		// what was accepted may run, and is reported without its conditions.
		if in.Definition, _ = scenario.ParseDefinition(v.Text, c.Limits); in.Definition == nil {
			in.Definition = &scenario.Definition{Text: v.Text, Hash: v.Hash, Kind: scenario.KindOpaque}
		}
	}
	return Readiness{Readiness: scenario.CheckReadiness(in, now), Version: v}, nil
}

var (
	_ readinessFacts = (*pgstore.Store)(nil)
	_ readinessFacts = (*pgstore.Tx)(nil)
)
