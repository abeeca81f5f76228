package main

import (
	"context"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

type serveCmd struct{}

// Help is what --help says beyond the settings.
func (serveCmd) Help() string {
	return `A server that is away is waited for, and /readyz says for which. SIGTERM and
SIGINT stop in order: batches in hand are finished, within shutdown-timeout.

Exit codes: 0 stopped in order, 1 failed, 2 wrong command line or settings,
3 the database's schema is not this program's (older: run tcda migrate up).`
}

// Run serves until a signal ends ctx.
func (serveCmd) Run(ctx context.Context, cfg *config.Config, term console) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	log, err := telemetry.NewLogger(term.err, cfg.Log.Level, telemetry.LogFormat(cfg.Log.Format))
	if err != nil {
		return err
	}
	return schemaError(service.Run(ctx, cfg, service.Options{Log: log}))
}
