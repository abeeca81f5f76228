package api

import (
	"context"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/access"
)

// callerOf is who calls, for what is kept of a request.
func callerOf(ctx context.Context) string {
	if caller, ok := access.CallerFrom(ctx); ok {
		return caller.Name
	}
	return "anonymous"
}
