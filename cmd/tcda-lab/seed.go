package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/bench"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
)

type seedCmd struct {
	PostgresURL config.URL `required:"" placeholder:"URL" help:"A database that is migrated and empty."`
	Executions  int        `default:"1000000" help:"Runs, over half a year."`
	LogLines    int        `default:"20000000" help:"Log lines, half of them of one run, which has as many events."`
}

// Help is what --help says beyond the flags.
func (*seedCmd) Help() string {
	return `Fills a database with runs that can be listed and read, to see lists and reports
at a size that takes years otherwise. The runs came of no events and cannot be
folded again. The million and twenty million of the defaults take some 20 GB.`
}

// Run fills the database.
func (c *seedCmd) Run(ctx context.Context, term console) (err error) {
	conn, err := pgx.Connect(ctx, c.PostgresURL.Reveal())
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	return bench.Seed{Executions: c.Executions, LogLines: c.LogLines, Now: time.Now().UTC(), Progress: term.out}.Fill(ctx, conn)
}
