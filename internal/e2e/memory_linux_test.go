package e2e_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// memory is what a service of these tests may have: beyond it the kernel gives
// it none, and Go ends it.
const memory = 256 << 20

// startLimited starts a service under the limit. Only what it may write to
// counts, not what Go reserves: the stacks of threads too, so they are small.
func (w *world) startLimited(env map[string]string) *process {
	w.Helper()
	if err := programs(); err != nil {
		w.Fatal(err)
	}
	env["GOMEMLIMIT"] = strconv.Itoa(memory * 3 / 4)
	return run(w, exec.Command("/bin/sh", "-c", `ulimit -s 512 && ulimit -d "$0" && exec "$@"`, strconv.Itoa(memory>>10), //nolint:noctx // ended by run
		filepath.Join(binDir, "tcda"), "serve"), env)
}

// ofMemory is what Go's runtime says when it gets no more. Its garbage collector
// does not look whether it did.
var ofMemory = regexp.MustCompile(`(?m)^(fatal error|runtime|runtime/cgo): .*(memory|map pages|pthread_create).*|^SIGSEGV: segmentation violation`)

// bomb is a record, or a batch of many, that is small in Kafka.
type bomb struct {
	name    string
	codec   kgo.CompressionCodec
	records []*kgo.Record
	reason  fact.Reason
}

// beat is a heartbeat of a system in this state.
func beat(state []byte) []byte {
	text := fmt.Appendf(nil, `{"specversion":"1.0","id":"bomb","source":"/bomb","subject":"exec-bomb","time":%q,`+
		`"type":"test-coordination.execution.heartbeat.v1","data":{"execution_id":"exec-bomb","system_state":{"x":`, now().Format(time.RFC3339))
	return append(append(text, state...), "}}}"...)
}

// zeros is a list of n zeros in JSON.
func zeros(n int) []byte {
	return append(append([]byte("[0"), bytes.Repeat([]byte(",0"), n-1)...), ']')
}

func bombs() []bomb {
	many := func(n int, value []byte) (records []*kgo.Record) {
		for range n {
			records = append(records, &kgo.Record{Value: value})
		}
		return records
	}
	nothing := make([]byte, 200<<20)
	headers := func(n, size int) *kgo.Record {
		r := &kgo.Record{Value: []byte("{}")}
		for i := range n {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: fmt.Sprint("ce_", i), Value: nothing[:size]})
		}
		return r
	}
	nested := beat(bytes.Repeat([]byte("["), 1<<20-1000))
	list := beat(zeros(1<<19 - 1000))
	return []bomb{
		{"200 MiB, gzip", kgo.GzipCompression(), many(1, nothing), fact.ReasonTooLarge},
		{"200 MiB, zstd", kgo.ZstdCompression(), many(1, nothing), fact.ReasonTooLarge},
		{"a batch of 40 MiB", kgo.ZstdCompression(), many(80, nothing[:512<<10]), fact.ReasonNUL},
		{"a header of 100 MiB", kgo.ZstdCompression(), []*kgo.Record{headers(1, 100<<20)}, fact.ReasonHeaderLimit},
		{"a million headers", kgo.ZstdCompression(), []*kgo.Record{headers(1_000_000, 1)}, fact.ReasonHeaderLimit},
		{"a million nested arrays, 20 times", kgo.ZstdCompression(), many(20, nested), fact.ReasonDepth},
		{"a list of half a million, 20 times", kgo.ZstdCompression(), many(20, list), fact.ReasonTokenLimit},
	}
}

// drop produces a bomb to one partition, as one batch.
func (w *world) drop(b bomb) {
	w.Helper()
	const enough = 256 << 20
	client := w.kafka.Client(w, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(b.codec),
		kgo.ProducerBatchMaxBytes(enough), kgo.BrokerMaxWriteBytes(enough+1<<20), kgo.MaxBufferedBytes(2*enough))
	for _, r := range b.records {
		r.Topic, r.Partition = w.topics.Executions, 0
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "content-type", Value: []byte("application/cloudevents+json")})
	}
	if err := client.ProduceSync(w.Context(), b.records...).FirstErr(); err != nil {
		w.Fatalf("%s: %v", b.name, err)
	}
	client.Close()
}

// By its limits the service survives, in little memory, what would need a lot.
func TestServiceSurvivesBombsInLittleMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ledger, want := newLedger(), map[fact.Reason]int{}
	service := w.ready(w.startLimited(w.with()))
	for _, b := range bombs() {
		w.drop(b)
		want[b.reason] += len(b.records)
	}
	if err := w.send(t.Context(), amid(nil, goldenRecords(t)), 0, ledger.note); err != nil {
		t.Fatal(err)
	}
	w.drain()
	w.verify()
	service.interrupt()
	service.wantSuccess()
	got := map[fact.Reason]int{}
	for _, reason := range w.quarantined() {
		got[reason]++
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("quarantined: %v, want %v", got, want)
	}
	w.wantStoredOnce(ledger)
}

// Without its limits the same service dies of the same memory: of one record,
// again and again. After three deaths that record is left out, and what lies
// around it is applied.
func TestServiceThatDiesOfARecordLeavesItOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	env := w.with("LIMITS_RECORD_BYTES", "64MiB", "INGEST_BATCH_BYTES", "256MiB", "LIMITS_JSON_TOKENS", "10000000", "LIMITS_BULK_JSON_TOKENS", "10000000")
	golden, ledger := goldenRecords(t), newLedger()
	if err := w.send(t.Context(), amid(nil, golden[:len(golden)/2]), 0, ledger.note); err != nil {
		t.Fatal(err)
	}
	at := w.ends()[partition{w.topics.Executions, 0}]
	w.drop(bomb{name: "a list of 9 million", codec: kgo.ZstdCompression(), records: []*kgo.Record{{Value: beat(zeros(9_000_000))}}})
	if err := w.send(t.Context(), amid(nil, golden[len(golden)/2:]), 0, ledger.note); err != nil {
		t.Fatal(err)
	}
	ends, deaths := w.ends(), 0
	drained := func() bool {
		stored := w.partitions()
		for p, end := range ends {
			if stored[p].Next < end {
				return false
			}
		}
		return true
	}
	service := w.startLimited(env)
	testenv.Eventually(t, "everything is ingested", func() bool {
		if !service.running() {
			died := ofMemory.FindString(service.said.text())
			if died == "" {
				t.Fatalf("it died of something else: %v\n%s", service.err, service.said.text())
			}
			deaths++
			t.Logf("death %d (%s), with %d counted", deaths, died, w.partitions()[partition{w.topics.Executions, 0}].Attempts)
			service = w.startLimited(env)
		}
		return drained()
	})
	if deaths < 3 || deaths > 10 {
		t.Errorf("%d deaths", deaths)
	}
	w.verify()
	service.interrupt()
	service.wantSuccess()
	want := map[coordsim.Address]fact.Reason{{Topic: w.topics.Executions, Partition: 0, Offset: at}: fact.ReasonCrash}
	if got := w.quarantined(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("quarantined: %v, want %v", got, want)
	}
	w.wantStoredOnce(ledger)
}
