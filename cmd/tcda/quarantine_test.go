package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/quarantine"
)

const hostile = "no event\x1b[2J\n999 open json\u202e"

func TestQuarantineListAndShow(t *testing.T) {
	t.Parallel()
	i := install(t)
	headers := []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/json")}, {Key: "\x1b[31m", Value: []byte{0xff, 0}}}
	i.produce(
		&kgo.Record{Key: []byte("k\x07"), Value: []byte(hostile), Headers: headers},
		&kgo.Record{Value: []byte{0xff, 0xfe}},
		&kgo.Record{Key: []byte("exec-1")},
	)
	i.serve()

	stdout, _ := i.tcda(0, "quarantine", "list")
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "ID  STATUS  REASON") || strings.ContainsAny(stdout, "\x1b\u202e") {
		t.Errorf("list:\n%s", stdout)
	}
	column := strings.Index(lines[0], "RECORD")
	for n, line := range lines[1:] {
		if want := fmt.Sprintf("%s/0@%d ", executions, 2-n); !strings.HasPrefix(line[column:], want) {
			t.Errorf("line %d is not aligned, or not newest first:\n%s", n, stdout)
		}
	}
	ids := i.records()
	if got := i.records("--reason=tombstone"); !cmp.Equal(got, ids[:1]) {
		t.Errorf("tombstones are %v, all are %v", got, ids)
	}
	if got := i.records("--status=discarded"); len(got) != 0 {
		t.Errorf("discarded are %v", got)
	}
	if _, stderr := i.tcda(0, "quarantine", "list", "--limit=2"); stderr != fmt.Sprintf("there may be more: add --before=%d\n", ids[1]) {
		t.Errorf("list --limit=2 says %q", stderr)
	}
	if got := i.records("--limit=2", fmt.Sprintf("--before=%d", ids[1])); !cmp.Equal(got, ids[2:]) {
		t.Errorf("next page is %v, want %v", got, ids[2:])
	}
	for _, wrong := range [][]string{{"--reason=bad"}, {"--limit=0"}, {"--status=gone"}} {
		i.tcda(2, append([]string{"quarantine", "list"}, wrong...)...)
	}

	show := func(id int64, flags ...string) string {
		stdout, _ := i.tcda(0, append([]string{"quarantine", "show", fmt.Sprint(id)}, flags...)...)
		return stdout
	}
	text := show(ids[2])
	for _, want := range []string{`k\a`, `header content-type`, "application/json", `header \x1b[31m`, "hex ff00", "  no event\\x1b[2J\n  999 open json\\u202e\n", "not_object", "open"} {
		if !strings.Contains(text, want) {
			t.Errorf("show lacks %q:\n%s", want, text)
		}
	}
	if strings.ContainsAny(text, "\x1b\x07\u202e") {
		t.Errorf("show obeys a producer:\n%q", text)
	}
	if text := show(ids[1]); !strings.Contains(text, "00000000  ff fe ") {
		t.Errorf("binary value:\n%s", text)
	}
	if text := show(ids[0]); !strings.Contains(text, "no value (a tombstone)") {
		t.Errorf("tombstone:\n%s", text)
	}
	if value := show(ids[2], "--value"); value != hostile {
		t.Errorf("value is %q", value)
	}
	type whole struct {
		recordLine
		Key     []byte
		Headers []headerLine
		Value   []byte
	}
	r := object[whole](i, 0, "quarantine", "show", fmt.Sprint(ids[2]))
	if string(r.Value) != hostile || string(r.Key) != "k\x07" || len(r.Headers) != 2 || !bytes.Equal(r.Headers[1].Value, []byte{0xff, 0}) || r.Reason != "not_object" || r.Offset != 0 {
		t.Errorf("show --json: %+v", r)
	}
	if _, stderr := i.tcda(1, "quarantine", "show", "99999"); !strings.Contains(stderr, "there is no quarantined record 99999") {
		t.Errorf("show of nothing: %s", stderr)
	}
}

func TestQuarantineDiscard(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.produce(&kgo.Record{Value: []byte("a")}, &kgo.Record{Value: []byte("b")})
	i.serve()
	ids := i.records()
	i.tcda(2, "quarantine", "discard", fmt.Sprint(ids[0]))
	i.tcda(2, "quarantine", "discard", "--why=x")
	if stdout, _ := i.tcda(0, "quarantine", "discard", fmt.Sprint(ids[0]), "--why=a test"); stdout != fmt.Sprintf("record %d discarded\n1 of 1 records discarded\n", ids[0]) {
		t.Errorf("discard: %s", stdout)
	}
	got := object[[]settledLine](i, 1, "quarantine", "discard", fmt.Sprint(ids[0]), fmt.Sprint(ids[1]), "--why=again")
	want := []settledLine{{ID: ids[0], Error: "there is no open record with this id"}, {ID: ids[1], Done: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("discard again (-want +got):\n%s", diff)
	}
	record := object[[]recordLine](i, 0, "quarantine", "list", "--status=discarded")[0]
	if record.Resolution != "a test" || record.ResolvedBy != operator() || record.ResolvedAt == nil {
		t.Errorf("discarded record: %+v", record)
	}
}

// A record that is quarantined for a limit is accepted when it is requeued
// under a higher one, though it was not kept whole.
func TestQuarantineRequeue(t *testing.T) {
	t.Parallel()
	i := install(t)
	limits := []string{"--limits-record-bytes=100KiB", "--limits-definition-bytes=50KiB", "--limits-string-bytes=50KiB"}
	large := i.logRecord(t, 200<<10)
	i.produce(large, i.started("exec-2"))
	i.serve(limits...)
	ids := i.records()
	if len(ids) != 1 {
		t.Fatalf("quarantined: %v", ids)
	}
	if text, _ := i.tcda(0, "quarantine", "show", fmt.Sprint(ids[0])); !strings.Contains(text, "first 65536 of ") {
		t.Errorf("show of a cut record:\n%.1000s", text)
	}

	if stdout, _ := i.tcda(0, "quarantine", "requeue", fmt.Sprint(ids[0]), "--why=higher limit"); stdout != fmt.Sprintf("record %d requeued at offset 2\n1 of 1 records requeued\n", ids[0]) {
		t.Errorf("requeue: %s", stdout)
	}
	again := i.read(2)
	want := slices.Clone(large.Headers)
	want = append(want, kgo.RecordHeader{Key: quarantine.MarkHeader, Value: fmt.Appendf(nil, "%s/0@0#%d", executions, ids[0])})
	if !bytes.Equal(again.Key, large.Key) || !bytes.Equal(again.Value, large.Value) {
		t.Error("key or value was changed")
	}
	if diff := cmp.Diff(want, again.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	i.serve() // with its own limits
	if left := i.records(); len(left) != 0 {
		t.Errorf("still quarantined: %v", left)
	}
	record := object[[]recordLine](i, 0, "quarantine", "list", "--status=requeued")[0]
	if record.Resolution != "higher limit; produced again at offset 2" || record.ResolvedBy != operator() {
		t.Errorf("requeued record: %+v", record)
	}
	if stdout, _ := i.tcda(0, "verify"); !strings.HasSuffix(stdout, "nothing differs\n") {
		t.Errorf("verify:\n%s", stdout)
	}
	if _, stderr := i.tcda(1, "quarantine", "requeue", fmt.Sprint(ids[0]), "12345"); !strings.Contains(stderr, "not open any more: requeued by ") || !strings.Contains(stderr, "record 12345: there is no open record with this id") {
		t.Errorf("requeue again: %s", stderr)
	}
}

func TestQuarantineRequeueWhatKafkaHasDeleted(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.produce(i.logRecord(t, 200<<10), i.started("exec-2"))
	i.serve("--limits-record-bytes=100KiB", "--limits-definition-bytes=50KiB", "--limits-string-bytes=50KiB")
	i.deleteRecords(1)
	got := object[[]settledLine](i, 1, "quarantine", "requeue", "--all")
	if len(got) != 1 || got[0].Done || !strings.Contains(got[0].Error, "not kept whole and cannot be fetched again: the log holds offsets 1 up to 2, and this is 0") {
		t.Errorf("requeue: %+v", got)
	}
	if open := i.records(); len(open) != 1 {
		t.Errorf("the record must stay open: %v", open)
	}
	i.recreateTopic()
	got = object[[]settledLine](i, 1, "quarantine", "requeue", "--all")
	if len(got) != 1 || !strings.Contains(got[0].Error, "the topic was re-created since") {
		t.Errorf("requeue: %+v", got)
	}
}

// What is bad stays bad, and keeps its order: requeued records are quarantined
// again, as new ones.
func TestQuarantineRequeueAll(t *testing.T) {
	t.Parallel()
	i := install(t)
	many := make([]kgo.RecordHeader, 64)
	for n := range many {
		many[n].Key = fmt.Sprint(n)
	}
	i.produce(&kgo.Record{Key: []byte("a"), Value: []byte("[1]")}, &kgo.Record{Key: []byte("a")}, &kgo.Record{Key: []byte("a"), Value: []byte("[2]"), Headers: many})
	i.serve()
	for _, wrong := range [][]string{{}, {"--all", "1"}, {"--reason=json", "1"}, {"--all", "--reason=bad"}} {
		i.tcda(2, append([]string{"quarantine", "requeue"}, wrong...)...)
	}
	if stdout, _ := i.tcda(0, "quarantine", "requeue", "--all", "--reason=not_object"); !strings.HasSuffix(stdout, "2 of 2 records requeued\n") {
		t.Errorf("requeue --all: %s", stdout)
	}
	if first, last := i.read(3), i.read(4); string(first.Value) != "[1]" || string(last.Value) != "[2]" || len(last.Headers) != 64 {
		t.Errorf("requeued %q, and %q with %d headers: want the order, and no header more than the limit", first.Value, last.Value, len(last.Headers))
	}
	i.serve()
	lines := object[[]recordLine](i, 0, "quarantine", "list")
	got := make([]string, len(lines))
	for n, l := range lines {
		got[n] = fmt.Sprint(l.Reason, "@", l.Offset)
	}
	if diff := cmp.Diff([]string{"not_object@4", "not_object@3", "tombstone@1"}, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("open records (-want +got):\n%s", diff)
	}
}

// logRecord is an event of about so many bytes.
func (i *installation) logRecord(t *testing.T, size int) *kgo.Record {
	t.Helper()
	message := &contract.ExecutionLogAppended{ExecutionId: "exec-1"}
	for n := range size / 1000 {
		message.Lines = append(message.Lines, &contract.LogLine{Message: fmt.Sprint(n) + strings.Repeat(".", 1000)})
	}
	record, err := event.Encode(event.Outgoing{Source: "/coordinator/a", ID: "log", Time: time.Now(), Message: message}, event.Structured, event.JSON)
	if err != nil {
		t.Fatal(err)
	}
	out := &kgo.Record{Key: record.Key, Value: record.Value}
	for _, h := range record.Headers {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return out
}

// read is the record at an offset.
func (i *installation) read(offset int64) *kgo.Record {
	i.Helper()
	reader := i.kafka.Client(i.TB, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{executions: {0: kgo.NewOffset().At(offset)}}))
	fetches := reader.PollRecords(i.Context(), 1)
	if err := fetches.Err(); err != nil {
		i.Fatal(err)
	}
	return fetches.Records()[0]
}

// A flood has reached the soft limit: the list says so, and all of it is given
// up at once, by its reason.
func TestQuarantineDiscardAll(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.produce(&kgo.Record{Value: []byte(`"` + strings.Repeat("x", 2<<20/3) + `"`)}, &kgo.Record{Value: []byte(`"` + strings.Repeat("y", 2<<20/3) + `"`)}, &kgo.Record{})
	limits := []string{"--quarantine-soft-limit=1MiB", "--quarantine-hard-limit=2MiB"}
	i.serve(limits...)
	lines := object[[]recordLine](i, 0, "quarantine", "list")
	if len(lines) != 3 || !lines[0].Complete || lines[1].Complete || !lines[2].Complete || lines[1].Length != 2<<20/3+2 || len(lines[1].SHA256) != 64 || lines[0].SHA256 != "" {
		t.Fatalf("quarantined: %+v", lines)
	}
	if stdout, _ := i.tcda(0, "quarantine", "list"); !strings.Contains(stdout, " in part ") || !strings.Contains(stdout, " whole ") {
		t.Errorf("list:\n%s", stdout)
	}
	if _, stderr := i.tcda(0, "quarantine", "list", "--quarantine-soft-limit=1MiB"); stderr != "" {
		t.Errorf("list below the limit: %s", stderr)
	}
	show := func() string { stdout, _ := i.tcda(0, "quarantine", "show", fmt.Sprint(lines[1].ID)); return stdout }
	if text := show(); !strings.Contains(text, "first 1024 of 699052 bytes of the value; requeue fetches it from Kafka") {
		t.Errorf("show:\n%s", text)
	}
	i.tcda(2, "quarantine", "discard", "--why=x")
	if stdout, _ := i.tcda(0, "quarantine", "discard", "--all", "--reason=not_object", "--why=flood"); stdout != "2 records discarded\n" {
		t.Errorf("discard: %s", stdout)
	}
	if text := show(); !strings.Contains(text, "its bytes were given up when it was discarded") || !strings.Contains(text, lines[1].SHA256) {
		t.Errorf("show a discarded record:\n%s", text)
	}
	if open := object[[]recordLine](i, 0, "quarantine", "list"); len(open) != 1 || open[0].Reason != "tombstone" {
		t.Errorf("still open: %+v", open)
	}
	if stdout, _ := i.tcda(0, "verify"); !strings.HasSuffix(stdout, "nothing differs\n") {
		t.Errorf("verify:\n%s", stdout)
	}
}
