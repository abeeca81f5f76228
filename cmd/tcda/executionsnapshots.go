package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// snapshotCmd groups what concerns single snapshots.
type snapshotCmd struct {
	Show  snapshotShow  `cmd:"" help:"Print a system snapshot."`
	Diff  snapshotDiff  `cmd:"" help:"Print what differs between two system snapshots, of one run or of two."`
	Check snapshotCheck `cmd:"" help:"Hold a system snapshot against a baseline; exit 1 if it is further away than it may be."`
}

type snapshotShow struct {
	apiFlags
	Snapshot snapshotName `arg:"" name:"execution[/run]@snapshot" help:"The snapshot, such as exec-1@baseline or exec-1/2@baseline."`
	State    bool         `help:"Print the state byte for byte as it was accepted, and nothing else: for a file."`
}

// Run prints the snapshot.
func (c *snapshotShow) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.executions.GetSnapshot, &contract.GetSnapshotRequest{Name: c.Snapshot.message()})
	if err != nil {
		return err
	}
	s := answer.GetSnapshot()
	if c.State {
		_, err := io.WriteString(term.out, s.GetState())
		return err
	}
	return c.print(term, answer, func() error {
		rows := [][]string{
			{"kind", s.GetKind()},
			{"service", s.GetService()},
			{"phase", s.GetPhase()},
			{"health", s.GetHealth()},
			{"captured at", at(s.GetCapturedAt())},
		}
		for _, name := range sortedKeys(s.GetMetrics()) {
			value := s.GetMetrics()[name]
			rows = append(rows, []string{"metric " + name, figure(&value)})
		}
		if err := term.fields("snapshot", s.GetSnapshotId(), rows...); err != nil {
			return err
		}
		if s.GetState() != "" {
			fmt.Fprintf(term.out, "\nstate:\n%s", block([]byte(s.GetState())))
		}
		return nil
	})
}

type snapshotDiff struct {
	apiFlags
	From     snapshotName `arg:"" name:"from" help:"The one, such as exec-1@baseline or exec-1/2@baseline."`
	To       snapshotName `arg:"" name:"to" help:"The other."`
	ExitCode bool         `help:"Exit 1 when they differ."`
}

// Run prints what differs.
func (c *snapshotDiff) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.executions.DiffSnapshots, &contract.DiffSnapshotsRequest{From: c.From.message(), To: c.To.message()})
	if err != nil {
		return err
	}
	differ := len(answer.GetChanges()) > 0
	err = c.print(term, answer, func() error {
		if !differ {
			fmt.Fprintln(term.out, "nothing differs")
			return nil
		}
		rows := make([][]string, len(answer.GetChanges()))
		for i, d := range answer.GetChanges() {
			rows[i] = []string{d.GetPath(), d.GetKind(), cut(d.GetFrom()), cut(d.GetTo()), d.GetDelta(), percent(d.Relative)}
		}
		if answer.GetTruncated() {
			fmt.Fprintln(term.err, "there is more than is shown")
		}
		return term.table([]string{"PATH", "CHANGE", "FROM", "TO", "DELTA", "RELATIVE"}, rows)
	})
	if err == nil && differ && c.ExitCode {
		return errReported
	}
	return err
}

type snapshotCheck struct {
	apiFlags
	Snapshot  snapshotName `arg:"" name:"snapshot" help:"The snapshot, such as exec-1@after or exec-1/2@after."`
	Baseline  snapshotName `arg:"" name:"baseline" help:"What it is held against."`
	Tolerance []tolerance  `sep:"none" placeholder:"PATH=BOUND" help:"How far what lies at a path may be away: PATH=5 absolutely, PATH=10% of the baseline, PATH=5,10% either, PATH=ignore not looked at. * is any characters of a key, [*] any item of a list, ** any number of both. Once for each, the first that fits counts."`
}

// Help is what --help says beyond the settings.
func (*snapshotCheck) Help() string {
	return `Exit codes: 0 nothing is further away than it may be, 1 something is, or the
command failed, 2 wrong command line, settings or arguments, 4 what is named is
not known.`
}

// tolerance is the flag --tolerance=PATH=BOUND.
type tolerance struct{ message *contract.StateRule }

// UnmarshalText reads the flag.
func (t *tolerance) UnmarshalText(text []byte) error {
	i := bytes.LastIndexByte(text, '=') // a path may hold one
	wrong := errors.New("must be PATH=5, PATH=10%, PATH=5,10% or PATH=ignore")
	if i <= 0 {
		return wrong
	}
	t.message = &contract.StateRule{Path: string(text[:i])}
	if string(text[i+1:]) == "ignore" {
		t.message.Ignore = true
		return nil
	}
	t.message.Tolerance = &contract.StateTolerance{}
	var absolute, relative bool // were given
	for bound := range strings.SplitSeq(string(text[i+1:]), ",") {
		share, isShare := strings.CutSuffix(bound, "%")
		n, err := strconv.ParseFloat(share, 64)
		switch {
		case err != nil:
			return wrong
		case isShare && !relative:
			t.message.Tolerance.Relative, relative = n/100, true
		case !isShare && !absolute:
			t.message.Tolerance.Absolute, absolute = n, true
		default:
			return wrong
		}
	}
	return nil
}

// Run prints what is too far away.
func (c *snapshotCheck) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	request := &contract.ValidateSystemStateRequest{Snapshot: c.Snapshot.message(), Baseline: c.Baseline.message()}
	for _, t := range c.Tolerance {
		request.Rules = append(request.Rules, t.message)
	}
	answer, err := call(ctx, api, api.executions.ValidateSystemState, request)
	if err != nil {
		return err
	}
	err = c.print(term, answer, func() error {
		if len(answer.GetDeviations()) > 0 {
			rows := make([][]string, len(answer.GetDeviations()))
			for i, d := range answer.GetDeviations() {
				rows[i] = []string{d.GetPath(), d.GetKind(), cut(d.GetBaseline()), cut(d.GetActual()), d.GetDeviation(), d.GetAllowed()}
			}
			if err := term.table([]string{"PATH", "DEVIATION", "BASELINE", "ACTUAL", "AWAY BY", "ALLOWED"}, rows); err != nil {
				return err
			}
		}
		if answer.GetTruncated() {
			fmt.Fprintln(term.err, "there is more than is shown")
		}
		fmt.Fprintf(term.out, "places compared: %d, further away than they may be: %d\n", answer.GetCompared(), answer.GetDeviating())
		return nil
	})
	if err == nil && !answer.GetValid() {
		return errReported
	}
	return err
}
