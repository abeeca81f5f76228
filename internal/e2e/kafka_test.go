package e2e_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// transact sends records in one transaction, and calls acknowledged for them
// when it is committed.
func (w *world) transact(client *kgo.Client, end kgo.TransactionEndTry, records []coordsim.Record, acknowledged func(*coordsim.Record, coordsim.Address) error) {
	w.Helper()
	if err := client.BeginTransaction(); err != nil {
		w.Fatal(err)
	}
	out := make([]*kgo.Record, len(records))
	for i, r := range records {
		out[i] = &kgo.Record{Topic: w.topics.Executions, Key: r.Key, Value: r.Value}
		if r.Topic == coordsim.Scenarios {
			out[i].Topic = w.topics.Scenarios
		}
		for _, h := range r.Headers {
			out[i].Headers = append(out[i].Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
	}
	if err := client.ProduceSync(w.Context(), out...).FirstErr(); err != nil {
		w.Fatal(err)
	}
	if err := client.EndTransaction(w.Context(), end); err != nil {
		w.Fatal(err)
	}
	if end == kgo.TryAbort {
		return
	}
	for i, r := range out {
		if err := acknowledged(&records[i], coordsim.Address{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}); err != nil {
			w.Fatal(err)
		}
	}
}

// Transactional coordinators write in every compression, every event type in
// every form among the records, and each aborts as much as it commits. What was
// committed is there once; of the rest there is no trace.
func TestCommittedTransactionsAreStoredAndAbortedOnesAreNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	service := w.serve()
	ledger := newLedger()
	committed, aborted := append(goldenRecords(t), load(t, "committed", 500)...), load(t, "aborted", 500)
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	part := func(records []coordsim.Record, i int) []coordsim.Record {
		return records[i*len(records)/len(codecs) : (i+1)*len(records)/len(codecs)]
	}
	var coordinators sync.WaitGroup
	for i, codec := range codecs {
		client := w.kafka.Client(t, kgo.ProducerBatchCompression(codec), kgo.TransactionalID(testenv.UniqueName("coordinator")))
		coordinators.Go(func() { // all at once, so that their records lie among one another's
			keep, drop := part(committed, i), part(aborted, i)
			half := len(keep) / 2
			w.transact(client, kgo.TryCommit, keep[:half], ledger.note)
			w.transact(client, kgo.TryAbort, drop, nil)
			w.transact(client, kgo.TryCommit, keep[half:], ledger.note)
		})
	}
	coordinators.Wait()
	w.drain()
	w.verify()
	service.interrupt()
	service.wantSuccess()
	w.wantStored(ledger)
}

// configure changes settings of the topic of executions.
func (w *world) configure(settings map[string]string) {
	w.Helper()
	changes := make([]kadm.AlterConfig, 0, len(settings))
	for name, value := range settings {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
	}
	done, err := kadm.NewClient(w.kafka.Client(w)).AlterTopicConfigs(w.Context(), changes, w.topics.Executions)
	if err == nil {
		_, err = done.On(w.topics.Executions, func(r *kadm.AlterConfigsResponse) error { return r.Err })
	}
	if err != nil {
		w.Fatalf("configure the topic with %v: %v", settings, err)
	}
}

// left is what of the topic of executions can still be read.
func (w *world) left() map[coordsim.Address]bool {
	w.Helper()
	all := map[coordsim.Address]bool{}
	for p, end := range w.ends() {
		if p.topic != w.topics.Executions {
			continue
		}
		from := map[string]map[int32]kgo.Offset{p.topic: {p.number: kgo.NewOffset().AtStart()}}
		reader := w.kafka.Client(w, kgo.ConsumePartitions(from), kgo.KeepControlRecords())
		for at := w.start(p); at < end; {
			fetches := reader.PollFetches(w.Context())
			if err := fetches.Err(); err != nil {
				w.Fatal(err)
			}
			fetches.EachRecord(func(r *kgo.Record) {
				all[coordsim.Address{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}] = true
				at = r.Offset + 1
			})
		}
		reader.Close()
	}
	return all
}

// start is where a partition's log begins.
func (w *world) start(p partition) int64 {
	w.Helper()
	offsets, err := w.log.Offsets(w.Context(), p.topic, p.number)
	if err != nil {
		w.Fatal(err)
	}
	return offsets.Start
}

// Compaction thins the log out behind the position of a service that is away.
// What is left is stored, and the service comes to the end of the log.
func TestCompactedTopicIsIngestedToItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ledger := newLedger()
	service := w.serve()
	w.mustSend(load(t, "before", 200), ledger.note)
	w.drain()
	service.interrupt()
	service.wantSuccess()

	w.configure(testenv.CompactsSoon())
	type sent struct {
		coordsim.Record
		at coordsim.Address
	}
	var meanwhile []sent
	for records := range chunks(load(t, "meanwhile", 400), 40) { // some segments
		w.mustSend(records, func(r *coordsim.Record, at coordsim.Address) error {
			meanwhile = append(meanwhile, sent{*r, at})
			return nil
		})
	}
	testenv.Eventually(t, "half of the records are compacted away", func() bool {
		w.kafka.Clean()
		left, gone := w.left(), 0
		for _, s := range meanwhile {
			if !left[s.at] {
				gone++
			}
		}
		return gone >= len(meanwhile)/2
	})
	w.serve()
	w.drain()
	w.verify()
	left := w.left() // compaction may have gone on: these were there all the time
	kept := int64(0)
	for _, s := range meanwhile {
		if left[s.at] {
			kept++
			if err := ledger.note(&s.Record, s.at); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.wantStoredOnce(ledger)
	if ingested := w.ingested() - 200; ingested < kept || ingested > int64(len(meanwhile))/2 {
		t.Errorf("%d records ingested of a compacted log that holds %d now and held %d", ingested, kept, len(meanwhile))
	}
	w.wantRunning()
}

// Retention removes what a service that is away has not read yet. The service
// stops at the hole, says which records are lost, and goes on when an operator
// has accepted that.
func TestRecordsThatExpireUnreadStopThePartition(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ledger := newLedger()
	service := w.serve()
	w.mustSend(load(t, "before", 200), ledger.note)
	w.drain()
	service.interrupt()
	service.wantSuccess()
	before := w.partitions()

	w.mustSend(load(t, "lost", 200), func(*coordsim.Record, coordsim.Address) error { return nil })
	ends := w.ends()
	w.configure(map[string]string{"retention.ms": "1"})
	testenv.Eventually(t, "everything has expired", func() bool {
		w.kafka.Clean()
		for p, end := range ends {
			if p.topic == w.topics.Executions && w.start(p) < end {
				return false
			}
		}
		return true
	})
	w.configure(map[string]string{"retention.ms": "-1"})
	w.mustSend(load(t, "after", 200), ledger.note)

	w.serve()
	for p, at := range before {
		if end := ends[p]; end > at.Next {
			w.wantStopped(p, pgstore.Gap{From: at.Next, To: end, Cause: pgstore.GapRetention})
			start(t, w.env, "tcda", "partitions", "accept-gap", "--yes", fmt.Sprintf("%s/%d", p.topic, p.number)).wantSuccess()
		}
	}
	w.drain()
	w.verify()
	w.wantStored(ledger)
}

// Partitions that are added while the service runs are read as well, from their
// beginning.
func TestAddedPartitionsAreIngested(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ledger := newLedger()
	w.serve()
	w.mustSend(load(t, "before", 200), ledger.note)
	const more = 3
	if _, err := kadm.NewClient(w.kafka.Client(t)).CreatePartitions(t.Context(), more, w.topics.Executions); err != nil {
		t.Fatal(err)
	}
	added := map[int32]int64{}
	producer := w.kafka.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i, r := range load(t, "added", 300) {
		out := &kgo.Record{Topic: w.topics.Executions, Partition: executionPartitions + int32(i%more), Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		if err := producer.ProduceSync(t.Context(), out).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := ledger.note(&r, coordsim.Address{Topic: out.Topic, Partition: out.Partition, Offset: out.Offset}); err != nil {
			t.Fatal(err)
		}
		added[out.Partition]++
	}
	w.drain()
	testenv.Eventually(t, "the added partitions are ingested", func() bool {
		stored := w.partitions()
		for number, records := range added {
			if stored[partition{w.topics.Executions, number}].Next < records {
				return false
			}
		}
		return true
	})
	w.verify()
	w.wantStored(ledger)
}
