package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/bulk"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/screen"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
)

type exportCmd struct {
	Views []string `arg:"" optional:"" name:"view" help:"Views to export, such as executions or analytics_executions; --list shows them."`

	List bool `help:"Only list the views, with what can be said of each."`
	All  bool `help:"Export all views that may be read."`

	Output      string   `short:"o" default:"." placeholder:"DIR" help:"Folder for the exports: each view gets a folder of its own in it."`
	Format      string   `default:"parquet" enum:"parquet,csv,jsonl" placeholder:"FORMAT" help:"parquet, csv, or jsonl."`
	Since       when     `placeholder:"TIME" help:"Only rows of this time or later: 2026-11-27T01:02:03Z, 2026-11-27, or 2h for two hours ago. Which time counts is in --list."`
	Until       when     `placeholder:"TIME" help:"Only rows before this time."`
	Scenario    string   `placeholder:"ID" help:"Only rows of this scenario."`
	Environment string   `placeholder:"NAME" help:"Only rows of this environment."`
	Columns     []string `placeholder:"NAME" help:"Only these columns, in this order; of one view."`
	RawText     bool     `help:"CSV for programs: texts as they are, without an apostrophe before those that a spreadsheet would compute."`

	Resume   bool        `help:"Go on behind the last whole part of an export that was interrupted, or begin one."`
	PartRows int64       `default:"500000" placeholder:"N" help:"A part ends after so many rows."`
	PartSize config.Size `default:"256MiB" placeholder:"SIZE" help:"A part ends after so many bytes of values, before encoding."`

	JSON bool `name:"json" help:"Print one JSON array: of --list the views, else the manifests."`
}

// Help is what --help says beyond the settings.
func (*exportCmd) Help() string {
	return `Writes DIR/VIEW/part-00001.FORMAT and so on, and DIR/VIEW/manifest.json: columns with
their types, filters, and of each part its rows, sha256 and the moment as of which
they are. Parts are synced and renamed when they are whole; what is interrupted goes
on with --resume, under the same filters (moments then, not how long ago), and no row
comes twice. Views with a key are read part by part along it: a row that changes
meanwhile is in the export as it was at its part's moment, one that comes into being
behind the present place too, one before it is not. Views without a key are read as
of one moment, in one transaction, and cannot be resumed.

NULL is an empty cell in CSV, as is the empty text. Texts (and JSON) that begin with
= + - @, a tab, a line break or an apostrophe get an apostrophe before them: take one
from every text that begins with one to undo it, or use --raw-text. Times are RFC 3339
in UTC. In JSON lines bytes are base64, and NaN, Infinity and -Infinity are texts. In
Parquet a numeric is a text with all its digits.

Only the address of PostgreSQL is needed, and the right to read the views.

Exit codes: 0 all is written, 1 something is not, 2 wrong command line or settings.`
}

// Validate is called by kong.
func (c *exportCmd) Validate() error {
	chosen := 0
	for _, given := range []bool{c.List, c.All, len(c.Views) > 0} {
		if given {
			chosen++
		}
	}
	switch {
	case chosen != 1:
		return errors.New("give views, or --all, or --list")
	case len(c.Columns) > 0 && len(c.Views) != 1:
		return errors.New("--columns goes with one view")
	case c.PartRows < 1 || c.PartSize < 1:
		return errors.New("--part-rows and --part-size must be more than 0")
	case c.RawText && c.Format != string(bulk.CSV):
		return errors.New("--raw-text goes with --format=csv")
	case !c.Since.at.IsZero() && !c.Until.at.IsZero() && !c.Since.at.Before(c.Until.at):
		return errors.New("--since must be before --until")
	}
	return nil
}

// Run exports one view after the other, and stops at the first that fails.
func (c *exportCmd) Run(ctx context.Context, cfg *config.Config, term console) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	settings := service.Postgres(cfg)
	settings.ApplicationName = "tcda export"
	reader, err := pgstore.OpenViewReader(ctx, settings)
	if err != nil {
		return err
	}
	defer reader.Close(ctx)
	views, err := bulk.Views(ctx, reader)
	if err != nil {
		return err
	}
	if c.List {
		return c.list(term.out, views)
	}
	if !c.All {
		chosen := make([]bulk.View, len(c.Views))
		for i, name := range c.Views {
			if chosen[i], err = bulk.Find(views, name); err != nil {
				return &exitError{exitUsage, err}
			}
		}
		views = chosen
	}
	shown := newExportProgress(term.err)
	manifests := make([]*bulk.Manifest, 0, len(views))
	for i := range views {
		m, err := c.export(ctx, reader, views[i], shown, term)
		if m != nil {
			manifests = append(manifests, m)
		}
		if err != nil {
			if c.JSON {
				err = errors.Join(err, writeJSON(term.out, manifests))
			}
			return err
		}
	}
	if c.JSON {
		return writeJSON(term.out, manifests)
	}
	return nil
}

// export writes one view, and says what is there then.
func (c *exportCmd) export(ctx context.Context, from *pgstore.ViewReader, view bulk.View, shown *exportProgress, term console) (*bulk.Manifest, error) {
	filters := bulk.Filters{Scenario: c.Scenario, Environment: c.Environment}
	if !c.Since.at.IsZero() {
		at := c.Since.at.UTC()
		filters.Since = &at
	}
	if !c.Until.at.IsZero() {
		at := c.Until.at.UTC()
		filters.Until = &at
	}
	shown.begin()
	m, err := bulk.Export(ctx, from, bulk.Options{
		View: view, Columns: c.Columns, Filters: filters, Format: bulk.Format(c.Format), RawText: c.RawText,
		Dir: c.Output, Resume: c.Resume, PartRows: c.PartRows, PartBytes: int64(c.PartSize), Progress: shown.show,
	})
	shown.clear()
	switch {
	case errors.Is(err, bulk.ErrUsage):
		return nil, &exitError{exitUsage, err}
	case err != nil && m != nil && len(m.Parts) > 0:
		return m, fmt.Errorf("export %s: %w (%s in %s are whole; go on with --resume)", view.Name, err, counted(m.Rows, "row"), counted(int64(len(m.Parts)), "part"))
	case err != nil:
		return m, fmt.Errorf("export %s: %w", view.Name, err)
	}
	if !c.JSON {
		fmt.Fprintf(term.out, "%s: %s in %s\n", view.Name, counted(m.Rows, "row"), counted(int64(len(m.Parts)), "part"))
	}
	return m, nil
}

func (c *exportCmd) list(w io.Writer, views []bulk.View) error {
	if c.JSON {
		return writeJSON(w, views)
	}
	rows := make([][]string, len(views))
	for i, v := range views {
		rows[i] = []string{v.Name, strings.Join(v.Key, ", "), v.Time, v.Comment}
	}
	return table(w, []string{"VIEW", "KEY (resumable)", "TIME (--since, --until)", "WHAT"}, rows)
}

// exportProgress shows how far an export is: in one line of a terminal, in a line now
// and then elsewhere.
type exportProgress struct {
	out    io.Writer
	screen *screen.Screen // nil: no terminal
	began  time.Time
	told   time.Time
	first  int64 // rows that were there before
	known  bool  // first is
}

func newExportProgress(out io.Writer) *exportProgress {
	p := &exportProgress{out: out}
	if size := screen.Of(out); size != nil {
		p.screen = screen.New(out, size)
	}
	return p
}

func (p *exportProgress) begin() {
	p.began, p.known = time.Now(), false
	p.told = p.began
}

// Between two looks at how far it is.
const (
	redrawEvery = 200 * time.Millisecond
	lineEvery   = 5 * time.Second
)

func (p *exportProgress) show(at bulk.Progress) {
	if !p.known {
		p.first, p.known = at.Rows, true
	}
	now := time.Now()
	every := lineEvery
	if p.screen != nil {
		every = redrawEvery
	}
	if at.Done || now.Sub(p.told) < every {
		return
	}
	p.told = now
	rate := float64(at.Rows-p.first) / now.Sub(p.began).Seconds()
	line := fmt.Sprintf("%s: %d rows, %.0f rows/s, part %d", at.View, at.Rows, rate, at.Part)
	if p.screen == nil {
		fmt.Fprintln(p.out, line)
		return
	}
	p.screen.Show(func(int) string { return line })
}

func (p *exportProgress) clear() {
	if p.screen != nil {
		p.screen.Clear()
	}
}
