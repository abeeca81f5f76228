package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/quarantine"
)

type quarantineRequeue struct {
	IDs    []int64 `arg:"" optional:"" name:"id" help:"Ids of records, from the list."`
	All    bool    `help:"All open records, oldest first; with --reason those with that reason."`
	Reason string  `placeholder:"REASON" help:"With --all: only records with this reason."`
	Why    string  `placeholder:"TEXT" help:"Kept with the record, beside who did it."`
	JSON   bool    `name:"json" help:"Print a JSON array."`
}

// Help is what --help says beyond the settings.
func (*quarantineRequeue) Help() string {
	return `Key, value and headers are produced as they were, to the partition that they came
from, with one header more that says so (` + quarantine.MarkHeader + `). Whether the record
is accepted this time is decided by the service. A record that was too large to
be kept is fetched again from Kafka, as long as Kafka has it.` + quarantineExitCodes
}

// Validate is called by kong.
func (c *quarantineRequeue) Validate() error {
	switch {
	case c.All == (len(c.IDs) > 0):
		return errors.New("give either ids, or --all")
	case c.Reason != "" && !c.All:
		return errors.New("--reason goes with --all")
	}
	return checkReason(c.Reason)
}

// settledLine is what became of one record.
type settledLine struct {
	ID     int64  `json:"id"`
	Done   bool   `json:"done"`
	Offset *int64 `json:"offset,omitempty"` // of the record that was produced
	Error  string `json:"error,omitempty"`
}

// Run requeues the records one by one. One that fails does not keep the others.
func (c *quarantineRequeue) Run(ctx context.Context, cfg *config.Config, term console) error {
	store, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	kafka, err := openKafka(cfg)
	if err != nil {
		return err
	}
	defer kafka.Close()
	if err := kafka.Preflight(ctx); err != nil {
		return fmt.Errorf("reach Kafka: %w", err)
	}
	ids := c.IDs
	if c.All {
		if ids, err = openRecords(ctx, store, fact.Reason(c.Reason)); err != nil {
			return err
		}
	}
	requeuer := quarantine.Requeuer{
		Store: store, Kafka: kafka,
		Limits: quarantine.Limits{Headers: cfg.Limits.Headers, HeaderBytes: int(cfg.Limits.HeaderBytes)},
	}
	by := operator()
	return settle(ctx, term, c.JSON, ids, "requeued", func(id int64) (*int64, error) {
		offset, err := requeuer.Requeue(ctx, id, by, c.Why, time.Now())
		return &offset, err
	})
}

// openRecords are the ids of all open records, oldest first: so records of a
// key keep their order.
func openRecords(ctx context.Context, store *pgstore.Store, reason fact.Reason) ([]int64, error) {
	var ids []int64
	filter := pgstore.QuarantineFilter{Status: pgstore.QuarantineOpen, Reason: reason, Page: 1000}
	for {
		page, err := store.QuarantinedRecords(ctx, filter)
		if err != nil {
			return nil, err
		}
		for i := range page {
			ids = append(ids, page[i].ID)
			filter.Before = page[i].ID
		}
		if len(page) < filter.Page {
			break
		}
	}
	slices.Reverse(ids)
	return ids, nil
}

// settle does something with each record, and prints what came of it.
func settle(ctx context.Context, term console, asJSON bool, ids []int64, done string, do func(int64) (*int64, error)) error {
	lines := make([]settledLine, 0, len(ids))
	failed := 0
	for _, id := range ids {
		if ctx.Err() != nil {
			break // the rest stays as it is
		}
		offset, err := do(id)
		line := settledLine{ID: id, Done: err == nil, Offset: offset}
		if errors.Is(err, pgstore.ErrNotFound) {
			err = errors.New("there is no open record with this id")
		}
		if err != nil {
			failed++
			line.Offset, line.Error = nil, err.Error()
		}
		lines = append(lines, line)
		switch {
		case asJSON:
		case err != nil:
			fmt.Fprintf(term.err, "tcda: record %d: %v\n", id, err)
		case offset != nil:
			fmt.Fprintf(term.out, "record %d %s at offset %d\n", id, done, *offset)
		default:
			fmt.Fprintf(term.out, "record %d %s\n", id, done)
		}
	}
	if asJSON {
		if err := writeJSON(term.out, lines); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(term.out, "%d of %d records %s\n", len(lines)-failed, len(ids), done)
	}
	if failed > 0 || len(lines) < len(ids) {
		return errReported
	}
	return nil
}

type quarantineDiscard struct {
	IDs  []int64 `arg:"" name:"id" help:"Ids of records, from the list."`
	Why  string  `required:"" placeholder:"TEXT" help:"Kept with the record, beside who did it."`
	JSON bool    `name:"json" help:"Print a JSON array."`
}

// Help is what --help says beyond the settings.
func (*quarantineDiscard) Help() string { return strings.TrimPrefix(quarantineExitCodes, "\n\n") }

// Run discards the records one by one.
func (c *quarantineDiscard) Run(ctx context.Context, cfg *config.Config, term console) error {
	store, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	by := operator()
	return settle(ctx, term, c.JSON, c.IDs, "discarded", func(id int64) (*int64, error) {
		return nil, store.Resolve(ctx, id, pgstore.QuarantineDiscarded, by, c.Why, time.Now())
	})
}
