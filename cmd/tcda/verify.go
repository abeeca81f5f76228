package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/verify"
)

type verifyCmd struct {
	JSON      bool          `name:"json" help:"Print one JSON object."`
	LiveGrace time.Duration `default:"40s" help:"How long live states in Redis may lag behind their rows before they count as different; longer than the pause between two passes of reconciliation."`
}

// Help is what --help says beyond the settings.
func (*verifyCmd) Help() string {
	return `Folds every run and definition again from its stored events, and compares the
outcome with rows, counters and the live states in Redis. Builds the newest
report of each run again, which must give the same bytes, and holds all frozen
reports against their digests. It writes nothing and may run beside the service.

Exit codes: 0 nothing differs, 1 something differs or could not be read, 2 wrong
command line or settings, 3 the database's schema is not this program's.`
}

// Run prints what differs.
func (c *verifyCmd) Run(ctx context.Context, cfg *config.Config, term console) error {
	store, err := openStore(ctx, cfg, func(p *pgstore.Config) {
		p.StatementTimeout, p.IdleTimeout = 0, 0 // whole tables are read
	})
	if err != nil {
		return err
	}
	defer store.Close()
	var live *redisstore.Store
	if cfg.Redis.Enabled {
		if live, err = redisstore.Open(ctx, service.Redis(cfg), zerolog.Nop()); err != nil {
			return err
		}
		defer func() { _ = live.Close() }()
	}
	report, failed := verify.Run(ctx, store, live, verify.Options{LiveGrace: c.LiveGrace})
	if c.JSON {
		if err := writeJSON(term.out, report); err != nil {
			return errors.Join(failed, err)
		}
	} else if err := printReport(term, &report); err != nil {
		return errors.Join(failed, err)
	}
	if failed != nil {
		return failed
	}
	if !report.Clean() {
		return errReported
	}
	return nil
}

func printReport(term console, r *verify.Report) error {
	counts := [][]string{}
	for _, c := range []struct {
		name string
		n    int64
	}{
		{"runs", r.Runs},
		{"events of runs", r.Events},
		{"definitions", r.Definitions},
		{"events of definitions", r.DefinitionEvents},
		{"partitions", r.Partitions},
		{"days of rollups", r.Rollups},
		{"live states", r.LiveStates},
		{"reports", r.Reports},
		{"reports built again", r.ReportsRebuilt},
	} {
		counts = append(counts, []string{c.name, strconv.FormatInt(c.n, 10)})
	}
	if err := table(term.out, []string{"VERIFIED", "NUMBER"}, counts); err != nil {
		return err
	}
	for _, note := range r.NotVerifiable {
		fmt.Fprintln(term.out, "not verifiable: "+escaped(note))
	}
	for _, d := range r.Differences {
		fmt.Fprintln(term.out, "difference: "+escaped(d.String()))
	}
	switch total := int64(len(r.Differences)) + r.Omitted; {
	case total == 0:
		fmt.Fprintln(term.out, "nothing differs")
	case r.Omitted > 0:
		fmt.Fprintf(term.out, "%d differences, of which %d are not shown\n", total, r.Omitted)
	default:
		fmt.Fprintf(term.out, "%d differences\n", total)
	}
	return nil
}
