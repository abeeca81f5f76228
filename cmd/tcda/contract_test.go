package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/contractcheck"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event/eventtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// eventLine is a heartbeat as a line; members are further ones of the envelope.
func eventLine(id string, members string) string {
	return string(eventtest.Structured(`"id":"`+id+`",`+members, "id").Value) + "\n"
}

const good = `"sequence":"1","runid":"r-1","data":{"execution_id":"` + eventtest.ExecutionID + `"}`

func TestContractCheckExitCodes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(file, []byte(eventLine("1", good)), 0o600); err != nil {
		t.Fatal(err)
	}
	bare := eventLine("1", `"data":{"execution_id":"`+eventtest.ExecutionID+`"}`)
	for name, c := range map[string]struct {
		stdin string
		args  string
		code  int
		says  string // end of the report, or part of the error
	}{
		"a file":                 {"", file, 0, "conforms: 1 record (0 recommendations, 1 note)\n"},
		"standard input":         {eventLine("1", good), "-", 0, "conforms: 1 record (0 recommendations, 1 note)\n"},
		"recommendations":        {bare, "-", 0, "conforms: 1 record (2 recommendations, 1 note)\n"},
		"in strict checks":       {bare, "- --strict", 1, "does not conform: 2 violations in 1 record (0 recommendations, 1 note)\n"},
		"a violation":            {"\n" + eventLine("1", good) + "{}\n", "-", 1, "does not conform: 1 violation in 2 records (0 recommendations, 1 note)\n"},
		"nothing":                {"\n", "-", 1, "nothing to judge: there was no record\n"},
		"not all":                {eventLine("1", good) + "{}\n", "- --max=1", 0, "stopped by --max: there is more\nconforms: 1 record (0 recommendations, 1 note)\n"},
		"a setting":              {eventLine("1", good), "- --ingest-allowed-sources=/another", 1, "does not conform: 1 violation in 1 record (0 recommendations, 0 notes)\n"},
		"no file and no topic":   {"", "", 2, "give either a file (- is standard input), or --topic"},
		"a file and a topic":     {"", "- --topic=x", 2, "give either a file"},
		"a file from an offset":  {"", "- --from=1", 2, "--from and --last go with --topic"},
		"from, and last":         {"", "--topic=x --from=1 --last=2", 2, "give either --from, or --last"},
		"an offset below zero":   {"", "--topic=x --from=-1", 2, "must be start, or an offset"},
		"fewer than no records":  {"", "- --max=-1", 2, "must not be negative"},
		"no such file":           {"", file + ".gone", 2, "no such file"},
		"settings of no use":     {"", "- --limits-json-depth=1", 2, "limits-json-depth"},
		"a broker that is not":   {"", "--topic=x --kafka-brokers=127.0.0.1:1", 1, "reach Kafka: broker 127.0.0.1:1: connect: unreachable"},
		"brokers without a port": {"", "--topic=x --kafka-brokers=nowhere", 2, "must be a list of host:port"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := tcda(t, nil, c.stdin, append([]string{"contract", "check"}, strings.Fields(c.args)...)...)
			reported := stderr == "" && strings.HasSuffix(stdout, c.says)
			refused := strings.Contains(stderr, c.says)
			if code != c.code || !reported && !refused {
				t.Errorf("exit code %d, want %d\n%s%s", code, c.code, stdout, stderr)
			}
		})
	}
}

// Each golden event in structured mode conforms as a line.
func TestContractCheckTakesGoldenEvents(t *testing.T) {
	t.Parallel()
	for _, typ := range fact.Types() {
		records := eventtest.Golden(t, typ)
		lines := string(records[2].Value) + "\n" + string(records[3].Value) + "\n"
		if code, stdout, _ := tcda(t, nil, lines, "contract", "check", "-"); code != 0 || !strings.Contains(stdout, "\nrepeated       1\n") {
			t.Errorf("%s: exit code %d\n%s", typ, code, stdout)
		}
	}
}

// checked is what the tests read of the JSON.
type checked struct {
	Verdict    contractcheck.Verdict `json:"verdict"`
	Records    int64                 `json:"records"`
	Accepted   int64                 `json:"accepted"`
	Violations int64                 `json:"violations"`
	Runs       int64                 `json:"runs"`
	Stopped    bool                  `json:"stopped"`
	Missed     []string              `json:"missed"`
	Findings   []struct {
		What     string `json:"what"`
		Field    string `json:"field"`
		Examples []struct {
			Place string `json:"place"`
			Value string `json:"value"`
		} `json:"examples"`
	} `json:"findings"`
}

// A report is aligned, names the line, and has nothing in it that a terminal
// obeys; JSON says the same.
func TestContractCheckReport(t *testing.T) {
	t.Parallel()
	evil := `\u001b[2J\u0007\n\u202e`
	lines := eventLine("1", good) +
		eventLine("2", `"sequence":"1","runid":"r-1","evil`+evil+`":"`+evil+`","data":{"execution_id":"`+eventtest.ExecutionID+`","`+evil+`":"`+evil+`"}`) +
		"\n" +
		eventLine("3", `"sequence":"2","runid":"`+evil+`","data":{"execution_id":"`+eventtest.ExecutionID+`","progress":"`+evil+`"}`) +
		eventLine("4\x1b[2J", good) + "\x1b[2J\x00\xff\n"
	code, stdout, stderr := tcda(t, nil, lines, "contract", "check", "-")
	if code != 1 || stderr != "" {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	for _, want := range []string{
		"RECORDS        NUMBER\nread           5\naccepted       2\nrepeated       0\nrefused        3\nruns           1\nof them ended  0\n\n",
		"TYPE                 EVENTS  REFUSED  NO SEQUENCE  NO RUNID\nexecution.heartbeat  2       2        0            0\n\n",
		"violation  1      schema               execution.heartbeat  data.progress\n",
		"violation  1      sequence_not_rising  -                    sequence\n",
		"line 4  ",
		`\x1b[2J\a\n\u202e`,
		"does not conform: 4 violations in 5 records (0 recommendations, 3 notes)\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("lacks %q", want)
		}
	}
	for _, r := range stdout {
		if r != '\n' && (r < ' ' || r == 0x7f || r == '\u202e') {
			t.Errorf("%q goes to the terminal", r)
		}
	}
	if t.Failed() {
		t.Log(stdout)
	}

	code, stdout, _ = tcda(t, nil, lines, "contract", "check", "-", "--json")
	var report checked
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != 1 || strings.Count(stdout, "\n") != 1 {
		t.Fatalf("exit code %d, %v\n%s", code, err, stdout)
	}
	if report.Verdict != contractcheck.Violated || report.Accepted != 2 || report.Violations != 4 || report.Stopped || report.Missed == nil {
		t.Errorf("%+v", report)
	}
	for _, f := range report.Findings {
		if f.What == "schema" && (f.Field != "data.progress" || f.Examples[0].Place != "line 4" || !strings.HasPrefix(f.Examples[0].Value, "\x1b[2J")) {
			t.Errorf("%+v", f)
		}
	}
}

// broker is a Kafka without anything around it, and what a command needs to
// reach it.
func broker(t *testing.T, partitions int32, options ...kgo.Opt) (write *kgo.Client, env map[string]string) {
	t.Helper()
	kafka := testenv.Kafka(t)
	kafka.CreateTopic(t, "events", partitions, nil)
	return kafka.Client(t, append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()))...), map[string]string{"TEST_COORDINATOR_ADAPTER_KAFKA_BROKERS": kafka.Brokers[0], "TEST_COORDINATOR_ADAPTER_KAFKA_FETCH_MAX_WAIT": "20ms"}
}

func toSend(record kafkarecord.Record, partition int32) *kgo.Record {
	out := &kgo.Record{Topic: "events", Partition: partition, Key: record.Key, Value: record.Value}
	for _, h := range record.Headers {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return out
}

// numbered is the nth event of an execution of its own.
func numbered(execution string, n int) kafkarecord.Record {
	r := eventtest.Binary(`{"execution_id":"`+execution+`"}`, "ce_subject="+execution, fmt.Sprintf("ce_id=%s-%d", execution, n), fmt.Sprintf("ce_sequence=%d", n), "ce_runid=r")
	r.Key = []byte(execution)
	return r
}

func TestContractCheckReadsATopic(t *testing.T) {
	t.Parallel()
	write, env := broker(t, 3)
	for partition := range int32(3) {
		for n := 1; n <= 10; n++ {
			if err := write.ProduceSync(t.Context(), toSend(numbered(fmt.Sprintf("e-%d", partition), n), partition)).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func(want int, args ...string) (r checked) {
		t.Helper()
		code, stdout, stderr := tcda(t, env, "", append([]string{"contract", "check", "--topic=events", "--json"}, args...)...)
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != want || stderr != "" {
			t.Fatalf("exit code %d, %v\n%s%s", code, err, stdout, stderr)
		}
		return r
	}
	if r := check(0, "--strict"); r.Records != 30 || r.Accepted != 30 || r.Runs != 3 || r.Stopped {
		t.Errorf("from the start: %+v", r)
	}
	if r := check(0, "--from=8"); r.Records != 6 {
		t.Errorf("from offset 8: %d records", r.Records)
	}
	if r := check(0, "--last=4"); r.Records != 12 {
		t.Errorf("the last 4: %d records", r.Records)
	}
	if r := check(0, "--max=13"); r.Records != 13 || !r.Stopped {
		t.Errorf("13 at most: %d records, stopped %v", r.Records, r.Stopped)
	}
	if r := check(1, "--from=99"); r.Verdict != contractcheck.Nothing {
		t.Errorf("behind the end: %+v", r)
	}

	wrong := numbered("e-1", 11)
	wrong.Key = []byte("\x1b[2J")
	if err := write.ProduceSync(t.Context(), toSend(wrong, 1), toSend(kafkarecord.Record{Key: []byte("e-1")}, 1)).FirstErr(); err != nil {
		t.Fatal(err)
	}
	code, stdout, _ := tcda(t, env, "", "contract", "check", "--topic=events")
	for _, want := range []string{"key_mismatch", `1@10  \x1b[2J`, "the subject, which is e-1", "tombstone", "1@11  -", "does not conform: 2 violations in 32 records"} {
		if code != 1 || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d, lacks %q:\n%s", code, want, stdout)
		}
	}
	if code, _, stderr := tcda(t, env, "", "contract", "check", "--topic=nobody"); code != 1 || !strings.Contains(stderr, "describe topic nobody: topic or partition does not exist") {
		t.Errorf("another topic: exit code %d, %s", code, stderr)
	}
	groups, err := kmsg.NewPtrListGroupsRequest().RequestWith(t.Context(), write)
	if err != nil || len(groups.Groups) != 0 {
		t.Errorf("groups %+v, %v: none was to be made", groups, err)
	}
}

// Records of aborted transactions were never said.
func TestContractCheckLeavesAbortedRecordsOut(t *testing.T) {
	t.Parallel()
	transactions, env := broker(t, 1, kgo.TransactionalID("check"))
	for n, commit := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := transactions.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := transactions.ProduceSync(t.Context(), toSend(numbered("e", n+1), 0)).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := transactions.EndTransaction(t.Context(), commit); err != nil {
			t.Fatal(err)
		}
	}
	code, stdout, stderr := tcda(t, env, "", "contract", "check", "--topic=events")
	if code != 0 || !strings.Contains(stdout, "\nread           2\n") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}
