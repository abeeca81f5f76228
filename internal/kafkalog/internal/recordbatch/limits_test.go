package recordbatch_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog/internal/batchtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog/internal/recordbatch"
)

const (
	recordLimit = 1 << 20
	cut         = 64 << 10
)

var limits = recordbatch.Limits{Records: 1000, Bytes: 4 << 20, RecordBytes: recordLimit}

// TestOversizeRecordLeavesItsNeighboursWhole has a record above the limit
// between two others, in every compression.
func TestOversizeRecordLeavesItsNeighboursWhole(t *testing.T) {
	t.Parallel()
	large := random(3 << 20)
	for _, codec := range codecs {
		t.Run(fmt.Sprint(codec), func(t *testing.T) {
			t.Parallel()
			data := batchtest.Batch{First: 7, Codec: codec, Records: []batchtest.Record{
				{Delta: 0, Key: []byte("before"), Value: []byte("1")},
				{Delta: 1, Key: []byte("large"), Value: large, Headers: []batchtest.Header{
					{Key: "ce_id", Value: []byte("id")},
					{Key: "long", Value: large[:cut]}, // together with the first more than is kept
					{Key: "ce_type"},
				}},
				{Delta: 2, Key: []byte("after"), Value: []byte("2")},
			}}.Encode()
			records, next, err := decode(data, 7, nil, limits)
			if err != nil || len(records) != 3 || next != 10 {
				t.Fatalf("got %d records, next %d, %v; want 3, next 10", len(records), next, err)
			}
			for i, want := range []string{"1", "", "2"} {
				if want != "" && (string(records[i].Value) != want || records[i].Oversize != nil) {
					t.Errorf("neighbour %d: %q, oversize %v; want %q", i, records[i].Value, records[i].Oversize, want)
				}
			}
			got := records[1]
			if got.Oversize == nil || got.Oversize.Length != int64(len(large)) || got.Oversize.SHA256 != sha256.Sum256(large) {
				t.Errorf("oversize is %+v; want length %d and the checksum of the whole", got.Oversize, len(large))
			}
			if string(got.Key) != "large" || !bytes.Equal(got.Value, large[:cut]) {
				t.Errorf("key %q with %d bytes of value; want its first %d", got.Key, len(got.Value), cut)
			}
			if len(got.Headers) != 1 || got.Headers[0].Key != "ce_id" || string(got.Headers[0].Value) != "id" {
				t.Errorf("headers are %v; want those that fit", got.Headers)
			}
		})
	}
}

func TestRecordAtTheLimitIsWholeAndOneAboveIsNot(t *testing.T) {
	t.Parallel()
	record := batchtest.Record{Key: []byte("k"), Value: make([]byte, 10_000)}
	data := batchtest.Batch{Records: []batchtest.Record{record}}.Encode()
	for below, oversize := range map[int]bool{0: false, 1: true} {
		limits := limits
		limits.RecordBytes = encodedLength(record) - below
		records, _, err := decode(data, 0, nil, limits)
		if err != nil || len(records) != 1 || (records[0].Oversize != nil) != oversize {
			t.Errorf("limit %d below the record: got %d records, %v; want oversize %v", below, len(records), err, oversize)
		}
	}
}

func encodedLength(r batchtest.Record) int {
	body := r.Append(nil)
	for i, b := range body {
		if b < 0x80 { // the last byte of the length
			return len(body) - i - 1
		}
	}
	return 0
}

func TestOversizeByItsHeadersOrItsKeyAlone(t *testing.T) {
	t.Parallel()
	data := batchtest.Batch{Records: []batchtest.Record{
		{Delta: 0, Value: []byte("v"), Headers: []batchtest.Header{{Key: "h", Value: random(2 << 20)}}},
		{Delta: 1, Key: random(2 << 20)}, // a tombstone
	}}.Encode()
	records, _, err := decode(data, 0, nil, limits)
	if err != nil || len(records) != 2 {
		t.Fatalf("got %d records, %v; want 2", len(records), err)
	}
	if r := records[0]; r.Oversize == nil || r.Oversize.Length != 1 || string(r.Value) != "v" || len(r.Headers) != 0 {
		t.Errorf("large headers: got value %q, oversize %+v, %d headers", r.Value, r.Oversize, len(r.Headers))
	}
	if r := records[1]; r.Oversize == nil || r.Oversize.Length != 0 || r.Value != nil || len(r.Key) != cut {
		t.Errorf("large key: got value %q, oversize %+v, key of %d bytes", r.Value, r.Oversize, len(r.Key))
	}
}

func TestBlockEndsAtItsLimits(t *testing.T) {
	t.Parallel()
	batch := batchtest.Batch{Codec: batchtest.Zstd}
	for i := range int64(100) {
		batch.Records = append(batch.Records, batchtest.Record{Delta: i, Value: make([]byte, 1000)})
	}
	for name, test := range map[string]struct {
		limits recordbatch.Limits
		want   int
	}{
		"records": {recordbatch.Limits{Records: 30, Bytes: 1 << 30, RecordBytes: recordLimit}, 30},
		"bytes":   {recordbatch.Limits{Records: 1 << 30, Bytes: 20_000, RecordBytes: recordLimit}, 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var d recordbatch.Decoder
			var block recordbatch.Block
			d.Reset(batch.Encode(), 0, nil)
			var total int
			for {
				block.Reset()
				err := d.Read(&block, test.limits)
				total += len(block.Records)
				if d.Next() != int64(total) {
					t.Fatalf("next is %d after %d records", d.Next(), total)
				}
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil || len(block.Records) != test.want {
					t.Fatalf("block of %d records, %v; want %d", len(block.Records), err, test.want)
				}
			}
			if total != 100 {
				t.Errorf("got %d records in all, want 100", total)
			}
		})
	}
}

// TestBombsNeedBoundedMemory reads 200 MiB that were compressed to little, as
// one record and as many. All that is allocated meanwhile, garbage included,
// stays below 24 MiB, most of which are zstd's window and one block.
func TestBombsNeedBoundedMemory(t *testing.T) { //nolint:paralleltest // measures the memory of the process
	const size, allowed = bombSize, 24 << 20
	zeros := make([]byte, 1<<20)
	oneRecord := func(w io.Writer) {
		head := binary.AppendVarint([]byte{0, 0, 0, 1}, size) // attributes, deltas, no key, length of value
		write(w, binary.AppendVarint(nil, int64(len(head)+size+1)))
		write(w, head)
		for range size / len(zeros) {
			write(w, zeros)
		}
		write(w, []byte{0}) // no headers
	}
	const small, many = 4 << 10, size / (4 << 10)
	manyRecords := func(w io.Writer) {
		record := batchtest.Record{Value: zeros[:small]}
		var encoded []byte
		for i := range int64(many) {
			record.Delta = i
			encoded = record.Append(encoded[:0])
			write(w, encoded)
		}
	}
	for name, codec := range map[string]batchtest.Codec{"gzip": batchtest.Gzip, "lz4": batchtest.LZ4, "zstd": batchtest.Zstd} {
		for _, bomb := range []struct {
			name  string
			batch batchtest.Batch
			want  int
		}{
			{"one record", batchtest.Batch{Codec: codec, Write: oneRecord, Count: 1}, 1},
			{"many records", batchtest.Batch{Codec: codec, Write: manyRecords, Count: many, LastDelta: many - 1}, many},
		} {
			t.Run(name+"/"+bomb.name, func(t *testing.T) {
				data := bomb.batch.Encode()
				var d recordbatch.Decoder
				var block recordbatch.Block
				var before, now runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				d.Reset(data, 0, nil)
				total, peak := 0, uint64(0)
				for reads := 0; ; reads++ {
					block.Reset()
					err := d.Read(&block, limits)
					total += len(block.Records)
					for _, r := range block.Records {
						if r.Oversize != nil && r.Oversize.Length != size {
							t.Fatalf("oversize of %d bytes, want %d", r.Oversize.Length, size)
						}
					}
					if reads%50 == 0 || err != nil {
						runtime.ReadMemStats(&now)
						peak = max(peak, now.HeapInuse)
					}
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				if total != bomb.want {
					t.Errorf("got %d records, want %d", total, bomb.want)
				}
				allocated := now.TotalAlloc - before.TotalAlloc
				t.Logf("%d bytes became %d; allocated %d in all, heap rose from %d to %d at most", len(data), size, allocated, before.HeapInuse, peak)
				if allocated > allowed {
					t.Errorf("allocated %d bytes, want at most %d", allocated, allowed)
				}
				if peak > before.HeapInuse+allowed {
					t.Errorf("heap rose from %d to %d bytes, want at most %d more", before.HeapInuse, peak, allowed)
				}
			})
		}
	}
}

func TestSnappyThatClaimsTooMuchIsRefusedBeforeItIsAllocated(t *testing.T) { //nolint:paralleltest // measures the memory of the process
	claim := []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0} // 4 GiB in seven bytes
	raw := batchtest.Batch{Count: 1, Write: func(w io.Writer) { write(w, claim) }}.Encode()
	raw[22] = byte(batchtest.Snappy)
	batchtest.Seal(raw)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := decode(raw, 0, nil, limits)
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Error("got no error")
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 16<<20 {
		t.Errorf("allocated %d bytes", allocated)
	}
}

// TestBlocksKeepNothingOfTheirFormerRecords uses one block again and again, and
// holds every record against what was written: nothing shines through, and no
// record changes while its block is not reset.
func TestBlocksKeepNothingOfTheirFormerRecords(t *testing.T) {
	t.Parallel()
	var d recordbatch.Decoder
	var block recordbatch.Block
	for round := range 30 {
		batch := batchtest.Batch{Codec: codecs[round%len(codecs)]}
		for i := range 40 {
			text := fmt.Sprintf("round %d record %d ", round, i)
			batch.Records = append(batch.Records, batchtest.Record{
				Delta: int64(i), Key: []byte(text), Value: value((round*7919+i*104729)%(20<<10), text),
				Headers: []batchtest.Header{{Key: fmt.Sprintf("header-%d", i), Value: []byte(text)}, {Key: "empty", Value: []byte{}}, {Key: "null"}},
			})
		}
		block.Reset()
		d.Reset(batch.Encode(), 0, nil)
		if err := d.Read(&block, unlimited); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		for i, r := range block.Records {
			want := batch.Records[i]
			if !bytes.Equal(r.Key, want.Key) || !bytes.Equal(r.Value, want.Value) || r.Oversize != nil {
				t.Fatalf("round %d: record %d differs", round, i)
			}
			if len(r.Headers) != 3 || r.Headers[0].Key != want.Headers[0].Key || !bytes.Equal(r.Headers[0].Value, want.Key) ||
				r.Headers[1].Value == nil || r.Headers[2].Value != nil {
				t.Fatalf("round %d: headers of record %d are %v", round, i, r.Headers)
			}
		}
	}
}

func write(w io.Writer, b []byte) {
	if _, err := w.Write(b); err != nil {
		panic(err)
	}
}
