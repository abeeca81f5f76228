package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
is accepted this time is decided by the service. A record that was not kept whole
(too large, or the quarantine was over its soft limit) is fetched again from
Kafka, as long as Kafka has it. A requeued record gives its bytes up here: it is
in Kafka again, and is kept again if it is refused again.` + quarantineExitCodes
}

// Validate is called by kong.
func (c *quarantineRequeue) Validate() error {
	return checkSelection(c.IDs, c.All, c.Reason)
}

// checkSelection wants records by their ids, or all of them, or all with a
// reason.
func checkSelection(ids []int64, all bool, reason string) error {
	switch {
	case all == (len(ids) > 0):
		return errors.New("give either ids, or --all")
	case reason != "" && !all:
		return errors.New("--reason goes with --all")
	}
	return checkReason(reason)
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
	IDs    []int64 `arg:"" optional:"" name:"id" help:"Ids of records, from the list."`
	All    bool    `help:"All records that are open now; with --reason those with that reason."`
	Reason string  `placeholder:"REASON" help:"With --all: only records with this reason."`
	Why    string  `required:"" placeholder:"TEXT" help:"Kept with the record, beside who did it."`
	JSON   bool    `name:"json" help:"Print a JSON array; with --all one object, with their number."`
}

// Help is what --help says beyond the settings.
func (*quarantineDiscard) Help() string {
	return `What a record was can still be proven: where it lay, why it was refused, its key
(1 KiB), length and sha256 stay. Its bytes go, which makes room in the quarantine.
A partition that stopped for want of room goes on after
tcda partitions reset --to=current.` + quarantineExitCodes
}

// Validate is called by kong.
func (c *quarantineDiscard) Validate() error { return checkSelection(c.IDs, c.All, c.Reason) }

// Run discards the records one by one, or all of them in parts.
func (c *quarantineDiscard) Run(ctx context.Context, cfg *config.Config, term console) error {
	store, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	by := operator()
	if c.All {
		return c.all(ctx, store, term, by)
	}
	return settle(ctx, term, c.JSON, c.IDs, "discarded", func(id int64) (*int64, error) {
		return nil, store.Resolve(ctx, id, pgstore.QuarantineDiscarded, by, c.Why, time.Now())
	})
}

// discardPart is how many records are discarded in one transaction.
const discardPart = 1000

// all discards what is open now, also when there are too many for a list: a
// flood that has filled the quarantine.
func (c *quarantineDiscard) all(ctx context.Context, store *pgstore.Store, term console, by string) error {
	newest, err := store.QuarantinedRecords(ctx, pgstore.QuarantineFilter{Status: pgstore.QuarantineOpen, Page: 1})
	if err != nil {
		return err
	}
	discarded := int64(0)
	for len(newest) > 0 {
		n, err := store.DiscardOpen(ctx, pgstore.Discard{Reason: fact.Reason(c.Reason), UpTo: newest[0].ID, Most: discardPart, By: by, Why: c.Why, At: time.Now()})
		discarded += n
		if err != nil {
			return fmt.Errorf("%d records discarded, then: %w", discarded, err)
		}
		if n == 0 {
			break
		}
	}
	if c.JSON {
		return writeJSON(term.out, struct {
			Discarded int64 `json:"discarded"`
		}{discarded})
	}
	fmt.Fprintf(term.out, "%d records discarded\n", discarded)
	return nil
}
