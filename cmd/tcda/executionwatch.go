package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/screen"
)

type executionsWatch struct {
	apiFlags
	followFlags
	Executions []string      `arg:"" name:"execution" help:"The executions: the latest run of each is watched."`
	Interval   time.Duration `placeholder:"TIME" help:"Tell at most one state of an execution in this time; 200ms if not given."`
}

// Help is what --help says beyond the settings.
func (*executionsWatch) Help() string {
	return `On a terminal each run has a line that changes; elsewhere each change is a line.
A stream that breaks is resumed where it broke off.

Exit codes: 0 all have passed, 1 another end, or the command failed or was
stopped, 2 wrong command line, settings or arguments, 4 what is named is not known.`
}

// Run watches.
func (c *executionsWatch) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	view := newWatchView(term, c.JSON)
	latest := map[string]*contract.ExecutionState{}
	open := func(ctx context.Context, resume string) (*connect.ServerStreamForClient[contract.WatchExecutionsResponse], error) {
		return api.executions.WatchExecutions(ctx, connect.NewRequest(&contract.WatchExecutionsRequest{ExecutionIds: c.Executions, ResumeToken: resume, Interval: length(c.Interval)}))
	}
	err = follow(ctx, api, c.Patience, view.notices(), open, func(m *contract.WatchExecutionsResponse) error {
		s := m.GetState()
		if s == nil { // a sign of life
			return nil
		}
		latest[s.GetExecutionId()] = s
		states := make([]*contract.ExecutionState, 0, len(c.Executions))
		for _, id := range c.Executions {
			if known := latest[id]; known != nil {
				states = append(states, known)
			}
		}
		return view.show(s, states)
	})
	switch {
	case errors.Is(err, context.Canceled):
		return errReported // stopped by whoever watches
	case err != nil:
		return err
	}
	for _, id := range c.Executions {
		if latest[id].GetStatus() != string(execution.StatusPassed) {
			return errReported
		}
	}
	return nil
}

// watchView shows what is watched.
type watchView interface {
	// show shows a state that is new, and all that are known.
	show(changed *contract.ExecutionState, all []*contract.ExecutionState) error
	// notices takes lines about the watching itself.
	notices() io.Writer
}

func newWatchView(term console, json bool) watchView {
	switch {
	case json:
		return &jsonView{term}
	case term.size != nil:
		return &liveView{term, screen.New(term.out, term.size)}
	default:
		return &lineView{term}
	}
}

// jsonView writes each state as a line of JSON.
type jsonView struct{ console }

func (v *jsonView) show(changed *contract.ExecutionState, _ []*contract.ExecutionState) error {
	return printMessage(v.out, changed, "")
}

func (v *jsonView) notices() io.Writer { return v.err }

// lineView writes each state as a line.
type lineView struct{ console }

func (v *lineView) show(s *contract.ExecutionState, _ []*contract.ExecutionState) error {
	line := joined("  ", at(s.GetLastEventAt()), runText(s.GetExecutionId(), s.GetRun()), s.GetStatus(), percent(s.Progress), s.GetCurrentPhase(), verdicts(s), s.GetMessage())
	_, err := fmt.Fprintln(v.out, escaped(line))
	return err
}

func (v *lineView) notices() io.Writer { return v.err }

// liveView redraws one line a run.
type liveView struct {
	console
	screen *screen.Screen
}

func (v *liveView) show(_ *contract.ExecutionState, all []*contract.ExecutionState) error {
	rows := make([][]string, len(all))
	for i, s := range all {
		rows[i] = []string{
			runText(s.GetExecutionId(), s.GetRun()), s.GetStatus(), bar(s.Progress), s.GetCurrentPhase(), verdicts(s), at(s.GetLastEventAt()), s.GetMessage(),
		}
	}
	drawn, err := v.drawn([]string{"RUN", "STATUS", "DONE", "PHASE", "VALIDATIONS", "LAST EVENT", "MESSAGE"}, rows)
	if err != nil {
		return err
	}
	v.screen.Show(func(int) string { return strings.TrimSuffix(drawn, "\n") })
	return nil
}

func (v *liveView) notices() io.Writer { return v.screen }

// verdicts is what has been found so far, empty for nothing.
func verdicts(s *contract.ExecutionState) string {
	var found []string
	for _, f := range []struct {
		n    int32
		what string
	}{{s.GetValidationsPassed(), "passed"}, {s.GetValidationsFailed(), "failed"}, {s.GetFaultsActive(), "faults act"}} {
		if f.n > 0 {
			found = append(found, fmt.Sprintf("%d %s", f.n, f.what))
		}
	}
	return strings.Join(found, ", ")
}

// bar is how far a run has come.
func bar(progress *float64) string {
	if progress == nil {
		return ""
	}
	const width = 10
	filled := max(0, min(width, int(*progress*width)))
	return strings.Repeat("━", filled) + strings.Repeat("─", width-filled) + " " + percent(progress)
}
