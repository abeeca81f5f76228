package bench

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// measureSingle measures the service with transactions of one record: what
// batches are worth.
func (b *bench) measureSingle(ctx context.Context) error {
	backlog, err := b.produce(ctx, "bench-single", b.workload(usual, b.SingleEvents))
	if err != nil {
		return err
	}
	s := &Section{Name: partSingle, About: "one transaction for each event, as durable as ever (" + usual + ")"}
	var ingestions []*ingestion
	for round := range b.Rounds {
		ingested, err := b.ingest(ctx, backlog, "bench_service", map[string]string{"INGEST_BATCH_RECORDS": "1"}, "")
		if err != nil {
			return err
		}
		ingestions = append(ingestions, ingested)
		fmt.Fprintf(b.Progress, "%s, round %d: %s events/s\n", partSingle, round+1, amount(ingested.rate()))
	}
	rate := s.add("end to end", "events/s", each(ingestions, (*ingestion).rate)...)
	rate.of(b.report.Find(usual, "end to end"), usual+" end to end")
	s.note("backlog of %s events", count(backlog.events))
	b.report.Sections = append(b.report.Sections, s)
	return b.dropDatabase(ctx, "bench_service")
}

// measureMemory measures how much memory a long backlog takes.
func (b *bench) measureMemory(ctx context.Context) error {
	backlog, err := b.produce(ctx, "bench-memory", b.workload(usual, b.MemoryEvents))
	if err != nil {
		return err
	}
	s := &Section{Name: partMemory, About: fmt.Sprintf("a backlog of %s events (%s)", count(backlog.events), usual)}
	ingested, err := b.ingest(ctx, backlog, "bench_service", nil, "")
	if err != nil {
		return err
	}
	s.add("peak memory of tcda", "MiB", float64(ingested.peak)/(1<<20))
	s.add("end to end", "events/s", ingested.rate()).of(b.report.Find(usual, "end to end"), usual+" end to end")
	b.report.Sections = append(b.report.Sections, s)
	return b.dropDatabase(ctx, "bench_service")
}

// version is what the program under test says of itself.
func (b *bench) version(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, b.TCDA, "version")
	cmd.Env = b.environment()
	said, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w: %s", b.TCDA, err, said)
	}
	line, _, _ := strings.Cut(string(said), "\n")
	return line, nil
}
