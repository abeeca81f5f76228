package accept

import (
	"context"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// Definition admits one event to the definitions that were loaded for it, and
// folds it. The rejection says why it cannot be accepted.
func Definition(ctx context.Context, d *pgstore.Definitions, e *scenario.Event, limits scenario.Limits) (*fact.Rejection, error) {
	var template *scenario.Definition
	if published, ok := e.Payload.(*scenario.Published); ok && published.Template != nil {
		var rejection *fact.Rejection
		var err error
		if template, rejection, err = d.Template(ctx, published.Template, limits); rejection != nil || err != nil {
			return rejection, err
		}
	}
	if rejection := d.Catalog.Admit(e, d.Graph, template, limits); rejection != nil {
		return rejection, nil
	}
	d.Apply(e)
	return nil, nil
}
