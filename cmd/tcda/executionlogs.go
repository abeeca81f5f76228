package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"connectrpc.com/connect"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

type executionsLogs struct {
	apiFlags
	followFlags
	Execution runName  `arg:"" name:"execution[/run]" help:"The run; the latest of the execution if no run is given."`
	Follow    bool     `short:"f" help:"Go on with lines as they are accepted, until the run has ended or you stop."`
	Tail      *int32   `short:"n" placeholder:"N" help:"Begin with the last N lines: at most 1000 of them with --follow, which begins with 10 if not given."`
	Limit     int      `help:"Print at most so many lines; 0: all."`
	Level     []string `placeholder:"LEVEL" help:"Only lines of these levels, comma-separated."`
	Service   string   `placeholder:"NAME" help:"Only lines of this service."`
	Phase     string   `placeholder:"NAME" help:"Only lines of this phase."`
	Contains  string   `placeholder:"TEXT" help:"Only messages that hold this text, in whatever case."`
	Since     when     `placeholder:"TIME" help:"Only lines of this time or later: 2026-11-27T01:02:03Z, 2026-11-27, or 2h for two hours ago; not with --follow."`
	Until     when     `placeholder:"TIME" help:"Only lines before this time; not with --follow."`
}

// Validate is called by kong.
func (c *executionsLogs) Validate() error {
	switch {
	case c.Follow && (!c.Since.at.IsZero() || !c.Until.at.IsZero() || c.Limit != 0):
		return errors.New("--follow goes with --tail, not with --since, --until or --limit")
	case c.Tail != nil && (*c.Tail < 0 || c.Follow && *c.Tail > 1000):
		return fmt.Errorf("--tail=%d: must be 0 or more, and at most 1000 with --follow", *c.Tail)
	case c.Tail != nil && c.Limit != 0:
		return errors.New("--tail and --limit exclude each other")
	case c.Limit < 0:
		return fmt.Errorf("--limit=%d: must be 0 or more", c.Limit)
	}
	return nil
}

// Run prints log lines.
func (c *executionsLogs) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	filter := &contract.LogFilter{Service: c.Service, Phase: c.Phase, Contains: c.Contains}
	for _, l := range c.Level {
		filter.Levels = append(filter.Levels, strings.ToLower(l))
	}
	if c.Follow {
		return c.follow(ctx, api, term, filter)
	}
	request := &contract.ListLogsRequest{ExecutionId: c.Execution.ID, Run: c.Execution.Number, From: c.Since.message(), Until: c.Until.message(), Filter: filter}
	if c.Tail != nil {
		return c.last(ctx, api, term, request, int(*c.Tail))
	}
	for printed := 0; ; {
		request.PageSize = largestPage
		if c.Limit > 0 {
			request.PageSize = int32(min(largestPage, c.Limit-printed)) //nolint:gosec // at most a page
		}
		page, err := call(ctx, api, api.executions.ListLogs, request)
		if err != nil {
			return err
		}
		if err := c.lines(term, page.GetLines()); err != nil {
			return err
		}
		printed += len(page.GetLines())
		if printed == 0 && page.GetNextPageToken() == "" {
			sayRemoved(term, page)
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" || c.Limit > 0 && printed >= c.Limit {
			return nil
		}
	}
}

// last prints the last lines, oldest first. Pages come from the end on.
func (c *executionsLogs) last(ctx context.Context, api *connection, term console, request *contract.ListLogsRequest, most int) error {
	var pages [][]*contract.LogRecord
	request.Tail = true
	for have := 0; have < most; {
		request.PageSize = int32(min(largestPage, most-have)) //nolint:gosec // at most a page
		page, err := call(ctx, api, api.executions.ListLogs, request)
		if err != nil {
			return err
		}
		pages = append(pages, page.GetLines())
		if have += len(page.GetLines()); have == 0 && page.GetNextPageToken() == "" {
			sayRemoved(term, page)
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			break
		}
	}
	for _, page := range slices.Backward(pages) {
		if err := c.lines(term, page); err != nil {
			return err
		}
	}
	return nil
}

// sayRemoved says why there may be no line.
func sayRemoved(term console, page *contract.ListLogsResponse) {
	if gone := page.GetRemoved(); slices.Contains(gone.GetKinds(), "logs") {
		fmt.Fprintln(term.err, "retention has removed of this run: "+removal(gone))
	}
}

func (c *executionsLogs) follow(ctx context.Context, api *connection, term console, filter *contract.LogFilter) error {
	tail := int32(10)
	if c.Tail != nil {
		tail = *c.Tail
	}
	open := func(ctx context.Context, resume string) (*connect.ServerStreamForClient[contract.FollowLogsResponse], error) {
		return api.executions.FollowLogs(ctx, connect.NewRequest(&contract.FollowLogsRequest{ExecutionId: c.Execution.ID, Run: c.Execution.Number, Tail: tail, Filter: filter, ResumeToken: resume}))
	}
	err := follow(ctx, api, c.Patience, term.err, open, func(m *contract.FollowLogsResponse) error { return c.lines(term, m.GetLines()) })
	if errors.Is(err, context.Canceled) {
		return nil // whoever follows has seen enough
	}
	return err
}

func (c *executionsLogs) lines(term console, lines []*contract.LogRecord) error {
	for _, l := range lines {
		if c.JSON {
			if err := printMessage(term.out, l, ""); err != nil {
				return err
			}
			continue
		}
		level := fmt.Sprintf("%-5s", escaped(l.GetLevel()))
		if term.colours {
			level = painted(levelColour(l.GetLevel()), level)
		}
		moment := ""
		if l.GetTime() != nil {
			moment = l.GetTime().AsTime().Format("2006-01-02T15:04:05.000Z")
		}
		if _, err := fmt.Fprintf(term.out, "%s %s %s\n", moment, level, escaped(joined("  ", l.GetService(), l.GetMessage(), inline(l.GetAttributes())))); err != nil {
			return err
		}
	}
	return nil
}
