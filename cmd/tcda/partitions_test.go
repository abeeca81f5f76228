package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"
)

const partition = executions + "/0"

// line is the partition as it is listed.
func (i *installation) line() partitionLine {
	i.Helper()
	for _, l := range object[[]partitionLine](i, 0, "partitions", "list") {
		if l.Topic == executions {
			return l
		}
	}
	i.Fatal("the partition is not listed")
	return partitionLine{}
}

func (i *installation) wantLine(want partitionLine) {
	i.Helper()
	want.Topic = executions
	if diff := cmp.Diff(want, i.line(), cmpopts.IgnoreFields(partitionLine{}, "Epoch", "LogEnd", "Lag"), cmpopts.IgnoreFields(gapLine{}, "DetectedAt"), cmpopts.EquateEmpty()); diff != "" {
		i.Errorf("partition (-want +got):\n%s", diff)
	}
}

func TestPartitionsReset(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.produce(i.started("exec-1"), i.started("exec-2"), &kgo.Record{Value: []byte("x")})
	i.serve()
	i.produce(i.started("exec-3"))
	i.wantLine(partitionLine{Generation: 1, Next: 3, Applied: 2, Quarantined: 1})
	if l := i.line(); l.LogEnd == nil || *l.LogEnd != 4 || *l.Lag != 1 {
		t.Errorf("log end and lag: %+v", l)
	}
	stdout, _ := i.tcda(0, "partitions", "list")
	lines := strings.Split(stdout, "\n")
	for column, want := range map[string]string{"NEXT": "3 ", "LOG END": "4 ", "APPLIED": "2 ", "QUARANTINED": "1 ", "OPEN GAPS": "- ", "STOPPED": "-"} {
		if at := strings.Index(lines[0], column); at < 0 || !strings.HasPrefix(lines[1][at:], want) {
			t.Errorf("column %s is not %q:\n%s", column, want, stdout)
		}
	}

	for _, c := range []struct{ to, says string }{
		{"earliest", partition + " would go back from offset 3 to 0: "},
		{"latest", partition + " would go from offset 3 to 4: 1 offsets are passed over"},
	} {
		stdout, stderr := i.tcda(2, "partitions", "reset", partition, "--to="+c.to)
		if !strings.HasPrefix(stdout, c.says) || !strings.Contains(stderr, "nothing was changed: add --yes to do it") {
			t.Errorf("reset to %s: %s%s", c.to, stdout, stderr)
		}
	}
	for _, wrong := range [][]string{{partition, "--to=5"}, {partition, "--to=soon"}, {partition}, {executions, "--to=0"}, {executions + "/-1", "--to=0"}} {
		i.tcda(2, append([]string{"partitions", "reset", "--yes"}, wrong...)...)
	}
	if _, stderr := i.tcda(1, "partitions", "reset", executions+"/7", "--to=0", "--yes"); !strings.Contains(stderr, "was never ingested") {
		t.Errorf("reset of another partition: %s", stderr)
	}
	i.wantLine(partitionLine{Generation: 1, Next: 3, Applied: 2, Quarantined: 1})

	if stdout, _ := i.tcda(0, "partitions", "reset", partition, "--to=1", "--yes"); stdout != partition+" goes on at offset 1 (was 3), generation 1\n" {
		t.Errorf("reset: %s", stdout)
	}
	got := object[moveLine](i, 0, "partitions", "reset", partition, "--to=current", "--yes")
	if want := (moveLine{Partition: partition, From: 1, To: 1, Generation: 1, Done: true}); got != want {
		t.Errorf("reset to current: %+v, want %+v", got, want)
	}
	i.serve()
	i.wantLine(partitionLine{Generation: 1, Next: 4, Applied: 3, Duplicates: 1, Quarantined: 2}) // the bad record is counted again, and kept once
	if ids := i.records(); len(ids) != 1 {
		t.Errorf("quarantined: %v", ids)
	}
	i.tcda(0, "verify")
}

func TestPartitionsAcceptGap(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.produce(i.started("exec-1"))
	i.serve()
	if _, stderr := i.tcda(1, "partitions", "accept-gap", partition); !strings.Contains(stderr, "the partition has no open gap") {
		t.Errorf("accept-gap without one: %s", stderr)
	}
	i.produce(i.started("exec-2"), i.started("exec-3"))
	i.deleteRecords(2)
	i.serve()
	stopped := "offsets 1 to 1 were deleted from Kafka before they were ingested"
	if l := i.line(); !strings.HasPrefix(l.Stopped, stopped) {
		t.Errorf("stopped: %q, want %q", l.Stopped, stopped)
	}
	i.wantLine(partitionLine{Generation: 1, Next: 1, Applied: 1, Stopped: i.line().Stopped, OpenGaps: []gapLine{{From: 1, To: 2, Cause: "retention"}}})
	if stdout, _ := i.tcda(0, "partitions", "list"); !strings.Contains(stdout, "retention 1..1") || !strings.Contains(stdout, stopped) {
		t.Errorf("list:\n%s", stdout)
	}
	if stdout, stderr := i.tcda(2, "partitions", "accept-gap", partition); !strings.Contains(stdout, "would go from offset 1 to 2: 1 offsets are passed over") || !strings.Contains(stderr, "--yes") {
		t.Errorf("accept-gap without --yes: %s%s", stdout, stderr)
	}
	if stdout, _ := i.tcda(0, "partitions", "accept-gap", partition, "--yes"); stdout != partition+" goes on at offset 2 (was 1), generation 1\n" {
		t.Errorf("accept-gap: %s", stdout)
	}
	i.serve()
	i.wantLine(partitionLine{Generation: 1, Next: 3, Applied: 2})
	gaps, err := i.store.Gaps(t.Context())
	if err != nil || len(gaps) != 1 || gaps[0].AcceptedBy != operator() {
		t.Errorf("gaps %+v, error %v", gaps, err)
	}
}

// The offsets of a re-created topic mean other records: only a reset goes on,
// and raises the generation.
func TestPartitionsOfARecreatedTopic(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.produce(i.started("exec-1"), &kgo.Record{Value: []byte("x")})
	i.serve()
	i.recreateTopic()
	i.produce(i.started("exec-2"), &kgo.Record{Value: []byte("y")}, i.started("exec-3"))
	i.serve()
	if l := i.line(); !strings.HasPrefix(l.Stopped, "the topic was re-created") || len(l.OpenGaps) != 1 || l.Next != 2 {
		t.Errorf("partition: %+v", l)
	}
	if _, stderr := i.tcda(1, "partitions", "accept-gap", partition); !strings.Contains(stderr, "use tcda partitions reset --to=earliest "+partition) {
		t.Errorf("accept-gap: %s", stderr)
	}
	if stdout, _ := i.tcda(2, "partitions", "reset", partition, "--to=earliest"); !strings.Contains(stdout, "it would begin at offset 0, as generation 2") {
		t.Errorf("reset: %s", stdout)
	}
	i.tcda(0, "partitions", "reset", partition, "--to=earliest", "--yes")
	i.serve()
	i.wantLine(partitionLine{Generation: 2, Next: 3, Applied: 3, Quarantined: 2})
	if ids := i.records(); len(ids) != 2 {
		t.Errorf("quarantined: %v, want the records of both generations", ids)
	}
	i.tcda(0, "verify")
}

func TestPartitionsListWithoutKafka(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.produce(i.started("exec-1"))
	i.serve()
	i.kafka.Fake.Close()
	var stdout, stderr string
	if stdout, stderr = i.tcda(0, "partitions", "list"); !strings.Contains(stderr, "log ends are not shown: broker ") || !strings.Contains(stdout, partition) {
		t.Errorf("list: %s%s", stdout, stderr)
	}
	if l := i.line(); l.LogEnd != nil || l.Lag != nil || l.Next != 1 {
		t.Errorf("list --json: %+v", l)
	}
}
