package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

type quarantineCmd struct {
	List    quarantineList    `cmd:"" help:"Print quarantined records, newest first."`
	Show    quarantineShow    `cmd:"" help:"Print one record with its headers and its value."`
	Requeue quarantineRequeue `cmd:"" help:"Produce open records to their partitions again, so that they go the whole way once more."`
	Discard quarantineDiscard `cmd:"" help:"Give open records up. What they were stays in the table: address, reason, key, length and sum; their bytes do not."`
}

const quarantineExitCodes = `

Exit codes: 0 done, 1 failed, or failed for some of the records, 2 wrong command
line or settings, 3 the database's schema is not this program's.`

type quarantineList struct {
	Status string `default:"open" enum:"open,requeued,discarded,all" help:"Only records of this status: open, requeued, discarded or all."`
	Reason string `placeholder:"REASON" help:"Only records with this reason."`
	Limit  int    `default:"50" help:"How many at most, 1 to 1000."`
	Before int64  `placeholder:"ID" help:"Only records with a lower id: the next page."`
	JSON   bool   `name:"json" help:"Print a JSON array."`
}

// Help is what --help says beyond the settings.
func (*quarantineList) Help() string { return strings.TrimPrefix(quarantineExitCodes, "\n\n") }

// Validate is called by kong.
func (c *quarantineList) Validate() error {
	if c.Limit < 1 || c.Limit > 1000 {
		return fmt.Errorf("--limit=%d: must be 1 to 1000", c.Limit)
	}
	return checkReason(c.Reason)
}

func checkReason(reason string) error {
	for _, known := range fact.Reasons() {
		if reason == "" || fact.Reason(reason) == known {
			return nil
		}
	}
	return fmt.Errorf("--reason=%s: must be one of %v", escaped(reason), fact.Reasons())
}

// recordLine is a quarantined record as it is listed.
type recordLine struct {
	ID            int64      `json:"id"`
	Topic         string     `json:"topic"`
	Partition     int32      `json:"partition"`
	Generation    int32      `json:"generation"`
	Offset        int64      `json:"offset"`
	Reason        string     `json:"reason"`
	Field         string     `json:"field"`
	Detail        string     `json:"detail"`
	Length        int64      `json:"length"`   // bytes of the whole value
	SHA256        string     `json:"sha256"`   // of the whole value, in hex; empty for a tombstone
	Complete      bool       `json:"complete"` // the whole record is kept
	RecordTime    *time.Time `json:"record_time"`
	QuarantinedAt time.Time  `json:"quarantined_at"`
	Status        string     `json:"status"`
	ResolvedAt    *time.Time `json:"resolved_at"`
	ResolvedBy    string     `json:"resolved_by"`
	Resolution    string     `json:"resolution"`
}

func lineOf(r *pgstore.QuarantinedRecord) recordLine {
	optional := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	return recordLine{
		ID: r.ID, Topic: r.Topic, Partition: r.Partition, Generation: r.Generation, Offset: r.Offset,
		Reason: string(r.Reason), Field: r.Field, Detail: r.Detail, Length: r.Length, SHA256: hex.EncodeToString(r.SHA256), Complete: r.Complete, RecordTime: optional(r.RecordTime),
		QuarantinedAt: r.QuarantinedAt, Status: string(r.Status), ResolvedAt: optional(r.ResolvedAt), ResolvedBy: r.ResolvedBy, Resolution: r.Resolution,
	}
}

// Run prints a page.
func (c *quarantineList) Run(ctx context.Context, cfg *config.Config, term console) error {
	store, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	filter := pgstore.QuarantineFilter{Status: pgstore.QuarantineStatus(c.Status), Reason: fact.Reason(c.Reason), Before: c.Before, Page: c.Limit}
	if c.Status == "all" {
		filter.Status = ""
	}
	page, err := store.QuarantinedRecords(ctx, filter)
	if err != nil {
		return err
	}
	lines, rows := make([]recordLine, len(page)), make([][]string, len(page))
	for i := range page {
		r := &page[i]
		lines[i] = lineOf(r)
		rows[i] = []string{
			strconv.FormatInt(r.ID, 10), string(r.Status), string(r.Reason), fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset),
			moment(r.QuarantinedAt), strconv.FormatInt(r.Length, 10), kept(r), r.Field, cut(r.Detail),
		}
	}
	if c.JSON {
		return writeJSON(term.out, lines)
	}
	if err := table(term.out, []string{"ID", "STATUS", "REASON", "RECORD", "QUARANTINED AT", "BYTES", "KEPT", "FIELD", "DETAIL"}, rows); err != nil {
		return err
	}
	if len(page) == c.Limit {
		fmt.Fprintf(term.err, "there may be more: add --before=%d\n", page[len(page)-1].ID)
	}
	usage, err := store.QuarantineUsage(ctx)
	if err != nil {
		return err
	}
	if exceeded := store.QuarantineLimits().Exceeded(usage); exceeded != nil {
		fmt.Fprintf(term.err, "the quarantine is nearly full or full: %v\n", exceeded)
	}
	return nil
}

// kept is how much of a record the table holds.
func kept(r *pgstore.QuarantinedRecord) string {
	switch {
	case r.Status != pgstore.QuarantineOpen:
		return "no" // given up when it was settled
	case !r.Complete:
		return "in part"
	default:
		return "whole"
	}
}

// cut shortens a detail to the width of a table.
func cut(s string) string {
	const most = 80
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-3]) + "..."
}

type quarantineShow struct {
	ID    int64 `arg:"" help:"The record's id, from the list."`
	Value bool  `help:"Print the value's bytes as they are, and nothing else: for a file, not for a terminal."`
	JSON  bool  `name:"json" help:"Print one JSON object; bytes are base64."`
}

// Help is what --help says beyond the settings.
func (*quarantineShow) Help() string { return strings.TrimPrefix(quarantineExitCodes, "\n\n") }

type headerLine struct {
	Name  string `json:"name"`
	Value []byte `json:"value"`
}

// Run prints the record.
func (c *quarantineShow) Run(ctx context.Context, cfg *config.Config, term console) error {
	store, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	r, err := store.QuarantinedRecord(ctx, c.ID)
	if errors.Is(err, pgstore.ErrNotFound) {
		return fmt.Errorf("there is no quarantined record %d: see tcda quarantine list --status=all", c.ID)
	}
	if err != nil {
		return err
	}
	switch {
	case c.Value:
		_, err := term.out.Write(r.Record.Value)
		return err
	case c.JSON:
		whole := struct {
			recordLine
			Key     []byte       `json:"key"`
			Headers []headerLine `json:"headers"`
			Value   []byte       `json:"value"`
		}{lineOf(&r), r.Record.Key, []headerLine{}, r.Record.Value}
		for _, h := range r.Record.Headers {
			whole.Headers = append(whole.Headers, headerLine{h.Key, h.Value})
		}
		return writeJSON(term.out, whole)
	}
	return printRecord(term, &r)
}

func printRecord(term console, r *pgstore.QuarantinedRecord) error {
	rows := [][]string{
		{"status", string(r.Status)},
		{"reason", string(r.Reason)},
		{"field", r.Field},
		{"detail", r.Detail},
		{"record", fmt.Sprintf("%s/%d@%d, generation %d", r.Topic, r.Partition, r.Offset, r.Generation)},
		{"record time", moment(r.RecordTime)},
		{"quarantined at", moment(r.QuarantinedAt)},
		{"length", strconv.FormatInt(r.Length, 10)},
		{"sha256", hex.EncodeToString(r.SHA256)},
		{"kept", kept(r)},
	}
	if r.Status != pgstore.QuarantineOpen {
		rows = append(rows, []string{"resolved", moment(r.ResolvedAt) + " by " + r.ResolvedBy}, []string{"resolution", r.Resolution})
	}
	rows = append(rows, []string{"key", text(r.Record.Key)})
	for _, h := range r.Record.Headers {
		rows = append(rows, []string{"header " + h.Key, text(h.Value)})
	}
	if err := table(term.out, []string{"ID", strconv.FormatInt(r.ID, 10)}, rows); err != nil {
		return err
	}
	switch value := r.Record.Value; {
	case r.Status != pgstore.QuarantineOpen:
		fmt.Fprintf(term.out, "\nits bytes were given up when it was %s\n", r.Status)
	case value == nil && !r.Complete:
		fmt.Fprintln(term.out, "\nthe record was not read: requeue fetches it from Kafka")
	case value == nil:
		fmt.Fprintln(term.out, "\nno value (a tombstone)")
	case !r.Complete:
		fmt.Fprintf(term.out, "\nfirst %d of %d bytes of the value; requeue fetches it from Kafka:\n%s", len(value), r.Length, block(value))
	default:
		fmt.Fprintf(term.out, "\nvalue, %d bytes:\n%s", len(value), block(value))
	}
	return nil
}

// text is a short value in one line: as text if it is some, else in hex.
func text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return "hex " + hex.EncodeToString(b)
}

// block is a value in lines, each indented so that none can be taken for one
// of ours.
func block(b []byte) string {
	if !utf8.Valid(b) {
		return hex.Dump(b)
	}
	var out strings.Builder
	for line := range strings.Lines(string(b)) {
		out.WriteString("  " + escaped(strings.TrimSuffix(line, "\n")) + "\n")
	}
	return out.String()
}
