package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/bench"
)

type benchCmd struct {
	Only       []string `placeholder:"PART" help:"Measure these only: mixed, logs, small (workloads), ceiling (of the workloads measured), single, latency, memory, reads; retention is measured only if it is named."`
	Rounds     int      `default:"3" help:"How often the service and the ceiling are measured, by turns; and latencies."`
	Events     int      `default:"200000" help:"Events in a backlog; a tenth of it for logs."`
	Partitions int      `default:"4" help:"Of each topic."`

	SingleEvents int           `default:"10000" help:"Events that are taken one a transaction."`
	MemoryEvents int           `default:"1000000" help:"Events in the backlog of memory."`
	Executions   int           `default:"200000" help:"Executions in the database of reads, and of retention."`
	LogLines     int           `default:"2000000" help:"Log lines in it."`
	LatencyTime  time.Duration `default:"20s" help:"How long latency is measured in a round."`
	Rate         float64       `help:"Events a second, a fifth of which is sent while latency is measured. Without it: what was measured."`

	History    []float64 `placeholder:"MILLIONS" help:"Measure instead what an event costs where so many millions of rows are stored: 1,10,50 needs 50 GB of disk and ten minutes."`
	SeedEvents int       `default:"60000" hidden:"" help:"Events that the stored rows are copies of."`

	TCDA       string            `name:"tcda" placeholder:"PATH" help:"The service to measure; without it tcda beside this program."`
	Set        map[string]string `placeholder:"NAME=VALUE" help:"Settings of the service, named as in its environment without the prefix: INGEST_BATCH_RECORDS=500."`
	Postgres   map[string]string `placeholder:"NAME=VALUE" help:"Settings of PostgreSQL, over those of bench."`
	DataDir    string            `placeholder:"PATH" help:"Where the servers' files go, into a folder of their own; without it /var/tmp."`
	Keep       bool              `help:"Leave the files and the databases."`
	JSON       string            `name:"json" placeholder:"FILE" help:"Write the report as JSON, too; - is standard output, instead of the tables."`
	CPUProfile string            `name:"cpuprofile" placeholder:"PATH" help:"Folder for profiles of the service, one for each workload (first round)."`
	ProfileFor time.Duration     `default:"5s" help:"How long a profile is taken."`
}

// Help is what --help says beyond the flags.
func (*benchCmd) Help() string {
	return `Starts PostgreSQL (durable), Kafka and Redis of its own on loopback, and tcda serve
as a process beside them. All numbers are of this run and this machine: look at
the ratios. The ceiling is what PostgreSQL takes of the rows that the service has
stored, inserted the plainest way.`
}

// Run measures and prints.
func (c *benchCmd) Run(ctx context.Context, term console) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if c.TCDA == "" {
		c.TCDA = filepath.Join(filepath.Dir(self), "tcda")
	}
	if _, err := os.Stat(c.TCDA); err != nil {
		return &usageError{fmt.Errorf("find the service (make build, or --tcda): %w", err)}
	}
	report, err := bench.Run(ctx, bench.Options{
		TCDA: c.TCDA, Lab: self, DataDir: c.DataDir, Keep: c.Keep,
		Only: c.Only, Rounds: c.Rounds, Events: c.Events, Partitions: c.Partitions, SingleEvents: c.SingleEvents, MemoryEvents: c.MemoryEvents, Executions: c.Executions, LogLines: c.LogLines,
		LatencyTime: c.LatencyTime, Rate: c.Rate, History: c.History, SeedEvents: c.SeedEvents, Profile: c.CPUProfile, ProfileTime: c.ProfileFor, Settings: c.Set, Postgres: c.Postgres, Progress: term.err,
	})
	if err != nil {
		return err
	}
	if c.JSON != "-" {
		report.Print(term.out)
	}
	return c.writeJSON(report, term)
}

func (c *benchCmd) writeJSON(report *bench.Report, term console) error {
	if c.JSON == "" {
		return nil
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	text = append(text, '\n')
	if c.JSON == "-" {
		_, err = term.out.Write(text)
	} else {
		err = os.WriteFile(c.JSON, text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
