package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

type outboxCmd struct {
	List    outboxList    `cmd:"" help:"Print events that the broker has refused, oldest first: later ones of their keys wait behind them."`
	Release outboxRelease `cmd:"" help:"Have parked events tried again, once the cause is mended."`
	Discard outboxDiscard `cmd:"" help:"Give parked events up: they are never published, and those behind them follow. They stay in the table for the time of outbox-retention."`
}

const outboxExitCodes = `Exit codes: 0 done, 1 failed, or failed for some of the events, 2 wrong command
line or settings, 3 the database's schema is not this program's.`

type outboxList struct {
	Limit int   `default:"50" help:"How many at most, 1 to 1000."`
	After int64 `placeholder:"ID" help:"Only events with a higher id: the next page."`
	JSON  bool  `name:"json" help:"Print a JSON array."`
}

// Help is what --help says beyond the settings.
func (*outboxList) Help() string { return outboxExitCodes }

// Validate is called by kong.
func (c *outboxList) Validate() error {
	if c.Limit < 1 || c.Limit > 1000 {
		return fmt.Errorf("--limit=%d: must be 1 to 1000", c.Limit)
	}
	return nil
}

// parkedLine is a parked event as it is listed.
type parkedLine struct {
	ID         int64     `json:"id"`
	Topic      string    `json:"topic"` // its role: commands, reports or dead-letters
	EventID    string    `json:"event_id"`
	Type       string    `json:"type"`    // empty for a dead letter
	Subject    string    `json:"subject"` // likewise
	Time       time.Time `json:"time"`
	Attempts   int32     `json:"attempts"`
	EnqueuedAt time.Time `json:"enqueued_at"`
	ParkedAt   time.Time `json:"parked_at"`
	Reason     string    `json:"reason"`
}

// Run prints a page.
func (c *outboxList) Run(ctx context.Context, cfg *config.Config, term console) error {
	store, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	page, err := store.ParkedRows(ctx, c.After, c.Limit)
	if err != nil {
		return err
	}
	lines, rows := make([]parkedLine, len(page)), make([][]string, len(page))
	for i, r := range page {
		lines[i] = parkedLine{
			ID: r.ID, Topic: string(r.Topic), EventID: r.EventID, Type: string(r.Type), Subject: r.Subject, Time: r.Time,
			Attempts: r.Attempts, EnqueuedAt: r.EnqueuedAt, ParkedAt: r.ParkedAt, Reason: r.Reason,
		}
		rows[i] = []string{
			strconv.FormatInt(r.ID, 10), string(r.Topic), strings.TrimSpace(r.Type.Short() + " " + r.Subject), r.EventID,
			moment(r.ParkedAt), strconv.Itoa(int(r.Attempts)), cut(r.Reason),
		}
	}
	if c.JSON {
		return writeJSON(term.out, lines)
	}
	if err := table(term.out, []string{"ID", "TOPIC", "EVENT", "EVENT ID", "PARKED AT", "ATTEMPTS", "REASON"}, rows); err != nil {
		return err
	}
	if len(page) == c.Limit {
		fmt.Fprintf(term.err, "there may be more: add --after=%d\n", page[len(page)-1].ID)
	}
	return nil
}

type outboxRelease struct {
	IDs  []int64 `arg:"" name:"id" help:"Ids of events, from the list."`
	Why  string  `required:"" placeholder:"TEXT" help:"Kept with the event, beside who did it."`
	JSON bool    `name:"json" help:"Print a JSON array."`
}

// Help is what --help says beyond the settings.
func (*outboxRelease) Help() string { return outboxExitCodes }

// Run releases the events one by one.
func (c *outboxRelease) Run(ctx context.Context, cfg *config.Config, term console) error {
	return settleParked(ctx, cfg, term, c.JSON, c.IDs, "released", c.Why, (*pgstore.Store).ReleaseParked)
}

type outboxDiscard struct {
	IDs  []int64 `arg:"" name:"id" help:"Ids of events, from the list."`
	Why  string  `required:"" placeholder:"TEXT" help:"Kept with the event, beside who did it."`
	JSON bool    `name:"json" help:"Print a JSON array."`
}

// Help is what --help says beyond the settings.
func (*outboxDiscard) Help() string { return outboxExitCodes }

// Run discards the events one by one.
func (c *outboxDiscard) Run(ctx context.Context, cfg *config.Config, term console) error {
	return settleParked(ctx, cfg, term, c.JSON, c.IDs, "discarded", c.Why, (*pgstore.Store).DiscardParked)
}

// settleParked decides on parked events, and prints what came of it.
func settleParked(ctx context.Context, cfg *config.Config, term console, asJSON bool, ids []int64, done, why string,
	do func(_ *pgstore.Store, ctx context.Context, id int64, by, why string, now time.Time) error,
) error {
	store, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	by := operator()
	return settle(ctx, term, asJSON, ids, done, func(id int64) (*int64, error) {
		err := do(store, ctx, id, by, why, time.Now())
		if errors.Is(err, pgstore.ErrNotFound) {
			err = errors.New("there is no parked event with this id")
		}
		return nil, err
	})
}
