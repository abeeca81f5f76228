package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/contractcheck"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
)

type contractCmd struct {
	Check contractCheck `cmd:"" help:"Grade the records of a file or of a Kafka topic; exit 1 if any breaks the contract."`
}

type contractCheck struct {
	File string `arg:"" optional:"" type:"existingfile" help:"JSON lines, each a CloudEvent in structured mode; - is standard input."`

	Topic string      `placeholder:"NAME" help:"Read this topic instead, in all four forms of events, to its present end."`
	From  startOffset `default:"start" placeholder:"OFFSET" help:"With --topic: from this offset of each partition on, or from the start."`
	Last  int64       `placeholder:"N" help:"With --topic: only the newest N offsets of each partition."`
	Max   int64       `placeholder:"N" help:"Stop after so many records; 0 is no limit."`

	Strict bool `help:"Recommendations are violations: every event has a sequence, every event of a run a runid."`
	JSON   bool `name:"json" help:"Print one JSON object."`
}

// Help is what --help says beyond the settings.
func (*contractCheck) Help() string {
	return `Records are decoded as the service does, with its settings (limits, allowed
sources), and held against each other: what would be quarantined, which ids are
used twice, which sequences do not rise, which runs would be guessed, which names
have no effect. A topic is only read: no consumer group is joined, nothing is
written, and no database is needed. What a database holds already is not known.

What is remembered is bounded; the report says when something can have been
missed by it.

Exit codes: 0 conforms, 1 violations were found, there was no record, or the check
failed, 2 wrong command line or settings.`
}

// Validate is called by kong.
func (c *contractCheck) Validate() error {
	switch {
	case (c.File == "") == (c.Topic == ""):
		return errors.New("give either a file (- is standard input), or --topic")
	case c.Topic == "" && (c.From != 0 || c.Last != 0):
		return errors.New("--from and --last go with --topic")
	case c.From != 0 && c.Last != 0:
		return errors.New("give either --from, or --last")
	case c.Last < 0 || c.Max < 0:
		return errors.New("--last and --max must not be negative")
	}
	return nil
}

// startOffset is the argument of --from; the start is 0.
type startOffset int64

// UnmarshalText reads the argument.
func (o *startOffset) UnmarshalText(text []byte) error {
	if string(text) == "start" {
		*o = 0
		return nil
	}
	n, err := strconv.ParseUint(string(text), 10, 63)
	if err != nil {
		return errors.New("must be start, or an offset")
	}
	*o = startOffset(n)
	return nil
}

// contractReport is what --json prints.
type contractReport struct {
	contractcheck.Report
	Stopped bool `json:"stopped"` // by --max, before the end
}

// Run grades the records and prints the report.
func (c *contractCheck) Run(ctx context.Context, cfg *config.Config, term console) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	definitions := scenario.DefaultLimits()
	definitions.DefinitionBytes = int(cfg.Limits.DefinitionBytes)
	decoder, err := event.NewDecoder(service.EventLimits(cfg))
	if err != nil {
		return err
	}
	g := &grading{most: c.Max, Grader: contractcheck.New(contractcheck.Config{
		Decoder: decoder, Definitions: definitions, Memory: contractcheck.DefaultMemory(), Now: time.Now(), Strict: c.Strict,
	})}
	if c.Topic != "" {
		err = c.gradeTopic(ctx, cfg, g, term.err)
	} else {
		err = c.gradeFile(ctx, g, term.in, int(cfg.Limits.RecordBytes))
	}
	if err != nil && !errors.Is(err, errMax) {
		return err
	}
	report := contractReport{g.Report(), errors.Is(err, errMax)}
	if c.JSON {
		err = writeJSON(term.out, report)
	} else {
		err = printContractReport(term.out, &report)
	}
	if err != nil {
		return err
	}
	if report.Verdict != contractcheck.Conforms {
		return errReported
	}
	return nil
}

// errMax says that there are more records than are to be graded.
var errMax = errors.New("as many records as --max allows")

// grading is a grader that takes so many records at most.
type grading struct {
	*contractcheck.Grader
	n, most int64 // no limit where most is 0
}

func (g *grading) add(record kafkarecord.Record, at contractcheck.Place) error {
	if g.most > 0 && g.n == g.most {
		return errMax
	}
	g.n++
	g.Add(record, at)
	return nil
}

func (c *contractCheck) gradeFile(ctx context.Context, g *grading, stdin io.Reader, most int) error {
	from := stdin
	if c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return fmt.Errorf("open the file: %w", err)
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	for line, err := range contractcheck.Lines(from, most) {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err == nil {
			err = g.add(line.Record, line.Place)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// printContractReport prints the report for people, the verdict last.
func printContractReport(w io.Writer, r *contractReport) error {
	counts := [][]string{
		{"read", number(r.Records)},
		{"accepted", number(r.Accepted)},
		{"repeated", number(r.Duplicates)},
		{"refused", number(r.Refused)},
		{"runs", number(r.Runs)},
		{"of them ended", number(r.RunsEnded)},
	}
	if err := table(w, []string{"RECORDS", "NUMBER"}, counts); err != nil {
		return err
	}
	var types, found, examples [][]string
	for _, t := range r.Types {
		types = append(types, []string{t.Type.Short(), number(t.Events), number(t.Refused), number(t.WithoutSequence), number(t.WithoutRunID)})
	}
	for i, f := range r.Findings {
		mark := strconv.Itoa(i + 1)
		found = append(found, []string{mark, string(f.Level), number(f.Count), string(f.What), f.Type.Short(), f.Field})
		for _, e := range f.Examples {
			examples = append(examples, []string{mark, e.Place.String(), e.Value, e.Rule})
		}
	}
	for _, part := range []struct {
		heading []string
		rows    [][]string
	}{
		{[]string{"TYPE", "EVENTS", "REFUSED", "NO SEQUENCE", "NO RUNID"}, types},
		{[]string{"#", "LEVEL", "COUNT", "WHAT", "TYPE", "FIELD"}, found},
		{[]string{"#", "AT", "VALUE", "WANTED"}, examples},
	} {
		if len(part.rows) == 0 {
			continue
		}
		fmt.Fprintln(w)
		if err := table(w, part.heading, part.rows); err != nil {
			return err
		}
	}
	fmt.Fprintln(w)
	for _, missed := range r.Missed {
		fmt.Fprintln(w, "not seen: "+missed)
	}
	if r.Stopped {
		fmt.Fprintln(w, "stopped by --max: there is more")
	}
	fmt.Fprintln(w, verdict(r))
	return nil
}

// verdict is the last line.
func verdict(r *contractReport) string {
	rest := fmt.Sprintf("%s, %s", counted(r.Recommendations, "recommendation"), counted(r.Notes, "note"))
	switch r.Verdict {
	case contractcheck.Violated:
		return fmt.Sprintf("does not conform: %s in %s (%s)", counted(r.Violations, "violation"), counted(r.Records, "record"), rest)
	case contractcheck.Nothing:
		return "nothing to judge: there was no record"
	case contractcheck.Conforms:
	}
	return fmt.Sprintf("conforms: %s (%s)", counted(r.Records, "record"), rest)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// counted is a number of things.
func counted(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}
