package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/chaostoolkit"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
)

// importCmd groups what brings runs in that other tools have recorded.
type importCmd struct {
	Chaostoolkit importChaosToolkit `cmd:"" name:"chaostoolkit" help:"Send what journals of the Chaos Toolkit say as events; the same journal again is a duplicate."`
}

type importChaosToolkit struct {
	Files []string `arg:"" name:"file" help:"Journals, as chaos run --journal-path writes them; - is the standard input."`

	Scenario    string            `placeholder:"ID" help:"Scenario of the runs; made of the experiment's title if not given."`
	Environment string            `placeholder:"NAME" help:"Where they ran, such as staging."`
	Label       map[string]string `mapsep:"none" placeholder:"NAME=VALUE" help:"Label of the runs; may be given several times."`

	DryRun bool `help:"Send nothing: print the events as JSON lines, for tcda contract check."`
	JSON   bool `name:"json" help:"Print a JSON array, one object for each file."`
}

// Help is what --help says beyond the settings.
func (*importChaosToolkit) Help() string {
	return `Each journal becomes one run: its experiment a scenario (opaque, word for word), the
hypothesis validations, the method and the rollbacks steps, each action of the
method a fault. The events go to Kafka like all others, and the service takes them
as it does those. Ids follow from the journal's content: imported again, from
whatever machine, nothing changes. With another --scenario, --environment or
--label it is refused as an id conflict, and the first import stays.

How a run ended: deviated is failed; completed is passed, or failed where the
steady state was not met before the method; interrupted is cancelled; aborted is
error; failed is failed where a tolerance was not met, and error where a probe
broke.

A file is sent only if the service would take all of its events. One that cannot be
used does not keep the others.

Exit codes: 0 all are sent (or printed), 1 a file is none, or not all of it could
be sent, 2 wrong command line or settings.`
}

// Validate is called by kong.
func (c *importChaosToolkit) Validate() error {
	if c.DryRun && c.JSON {
		return errors.New("give either --dry-run, or --json")
	}
	return oneStdin(c.Files)
}

// journalBytes is how large a journal may be: it is held in memory.
const journalBytes = 64 << 20

// importedFile is what became of one file.
type importedFile struct {
	File        string   `json:"file"`
	ScenarioID  string   `json:"scenario_id,omitempty"`
	ExecutionID string   `json:"execution_id,omitempty"`
	Events      int      `json:"events"`
	Sent        int      `json:"sent"`
	Notes       []string `json:"notes,omitempty"`
	Error       string   `json:"error,omitempty"`
}

// Run imports all files, also after one that cannot be used.
func (c *importChaosToolkit) Run(ctx context.Context, cfg *config.Config, term console) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	decoder, err := event.NewDecoder(service.EventLimits(cfg))
	if err != nil {
		return err
	}
	var to *kafkalog.Appender
	if !c.DryRun {
		kafka, err := openKafka(cfg)
		if err != nil {
			return err
		}
		defer kafka.Close()
		if err := kafka.Preflight(ctx); err != nil {
			return fmt.Errorf("reach Kafka: %w", err)
		}
		to = kafkalog.NewAppender(kafka)
	}
	done := make([]importedFile, 0, len(c.Files))
	failed := false
	for _, file := range c.Files {
		f := importedFile{File: file}
		records, err := c.read(&f, decoder, term.in)
		switch {
		case err != nil:
		case c.DryRun:
			err = printRecords(term.out, records)
		default:
			err = send(ctx, to, cfg, records, &f)
		}
		if err != nil {
			f.Error, failed = err.Error(), true
		}
		if !c.JSON {
			c.tell(term, &f)
		}
		done = append(done, f)
		if ctx.Err() != nil {
			break
		}
	}
	if c.JSON {
		if err := writeJSON(term.out, done); err != nil {
			return err
		}
	}
	if failed || len(done) < len(c.Files) {
		return errReported
	}
	return nil
}

// tell says what became of a file.
func (c *importChaosToolkit) tell(term console, f *importedFile) {
	name := escaped(f.File)
	for _, note := range f.Notes {
		fmt.Fprintf(term.err, "%s: note: %s\n", name, escaped(note))
	}
	switch {
	case f.Error != "" && f.Sent > 0:
		fmt.Fprintf(term.err, "%s: %d of %d events sent, then: %s\nImport it again: what was sent is known.\n", name, f.Sent, f.Events, escaped(f.Error))
	case f.Error != "":
		fmt.Fprintf(term.err, "%s: %s\n", name, escaped(f.Error))
	case !c.DryRun:
		fmt.Fprintf(term.out, "%s: %s events sent: run %s of scenario %s\n", name, number(int64(f.Sent)), f.ExecutionID, f.ScenarioID)
	}
}

// topicRecord is a record with its topic.
type topicRecord struct {
	scenario bool // of the topic of scenarios; else of executions
	record   kafkarecord.Record
}

// read is a file's events as records that the service takes, all of them.
func (c *importChaosToolkit) read(f *importedFile, decoder *event.Decoder, stdin io.Reader) ([]topicRecord, error) {
	text, err := readBounded(f.File, stdin, journalBytes+1)
	if err != nil {
		return nil, err
	}
	if len(text) > journalBytes {
		return nil, fmt.Errorf("is larger than %d MiB", journalBytes>>20)
	}
	journal, err := chaostoolkit.Read([]byte(text))
	if err != nil {
		return nil, err
	}
	converted, err := chaostoolkit.Convert(journal, chaostoolkit.Options{ScenarioID: c.Scenario, Environment: c.Environment, Labels: c.Label})
	if err != nil {
		return nil, err
	}
	f.ScenarioID, f.ExecutionID, f.Events, f.Notes = converted.ScenarioID, converted.ExecutionID, len(converted.Events), converted.Notes
	records := make([]topicRecord, len(converted.Events))
	now := time.Now()
	for i, e := range converted.Events {
		record, err := event.Encode(*e, event.Structured, event.JSON)
		if err != nil {
			return nil, err
		}
		if _, rejection := decoder.Decode(record, now); rejection != nil {
			return nil, fmt.Errorf("event %s would be refused: %w", e.ID, rejection)
		}
		records[i] = topicRecord{scenario: e == converted.Scenario, record: record}
	}
	return records, nil
}

func printRecords(w io.Writer, records []topicRecord) error {
	for i := range records {
		if _, err := fmt.Fprintf(w, "%s\n", records[i].record.Value); err != nil {
			return fmt.Errorf("print events: %w", err)
		}
	}
	return nil
}

// send appends a file's records, those of the scenario first, and waits until
// all in-sync replicas have them. f counts those that are known to lie there.
func send(ctx context.Context, to *kafkalog.Appender, cfg *config.Config, records []topicRecord, f *importedFile) error {
	for _, part := range []struct {
		topic    string
		scenario bool
	}{{cfg.Kafka.TopicScenarios, true}, {cfg.Kafka.TopicExecutions, false}} {
		var of []kafkarecord.Record
		for i := range records {
			if records[i].scenario == part.scenario {
				of = append(of, records[i].record)
			}
		}
		if len(of) == 0 {
			continue
		}
		var failed error
		for _, a := range to.Append(ctx, part.topic, of) {
			switch {
			case a.Err == nil:
				f.Sent++
			case failed == nil:
				failed = a.Err
			}
		}
		if failed != nil {
			return fmt.Errorf("send to %s: %w", part.topic, failed)
		}
	}
	return nil
}
