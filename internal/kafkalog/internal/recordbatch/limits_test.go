package recordbatch_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
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

// TestRecordsNearTheLimitAreWhole leaves it to the reader of a record to say
// what is wrong with it, as long as it can be held: key and value count there,
// headers have limits of their own.
func TestRecordsNearTheLimitAreWhole(t *testing.T) {
	t.Parallel()
	headers := func(n, size int) []batchtest.Header {
		return slices.Repeat([]batchtest.Header{{Key: "0123456789", Value: make([]byte, size-10)}}, n)
	}
	for name, test := range map[string]struct {
		record batchtest.Record
		whole  bool
	}{
		"value at the limit":                    {batchtest.Record{Value: make([]byte, recordLimit)}, true},
		"value above the limit":                 {batchtest.Record{Value: make([]byte, recordLimit+1)}, false},
		"key at the limit":                      {batchtest.Record{Key: make([]byte, recordLimit)}, true},
		"key above the limit":                   {batchtest.Record{Key: make([]byte, recordLimit+1)}, false},
		"key and value together above it":       {batchtest.Record{Key: make([]byte, 100), Value: make([]byte, recordLimit)}, true},
		"1,040,000 bytes with 20 KB of headers": {batchtest.Record{Value: make([]byte, 1_040_000), Headers: headers(20, 1000)}, true},
		"at the limit, with the largest headers that a setting can allow": {
			batchtest.Record{Key: make([]byte, 100), Value: make([]byte, recordLimit-100), Headers: headers(1000, 1<<20/1000)}, true,
		},
		"a small value with 70 headers": {batchtest.Record{Value: []byte("v"), Headers: headers(70, 10)}, true},
		"4,096 headers":                 {batchtest.Record{Value: []byte("v"), Headers: headers(4096, 10)}, true},
		"4,097 headers":                 {batchtest.Record{Value: []byte("v"), Headers: headers(4097, 10)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := test.record
			records, _, err := decode(batchtest.Batch{Records: []batchtest.Record{want, {Delta: 1}}}.Encode(), 0, nil, limits)
			if err != nil || len(records) != 2 {
				t.Fatalf("got %d records, %v; want 2", len(records), err)
			}
			got := records[0]
			if whole := got.Oversize == nil; whole != test.whole {
				t.Fatalf("whole is %v, want %v", whole, test.whole)
			}
			if !test.whole {
				if got.Oversize.Length != int64(len(want.Value)) || got.Oversize.SHA256 != sha256.Sum256(want.Value) {
					t.Errorf("oversize is %+v; want that of the value", got.Oversize)
				}
				if len(got.Key) != min(len(want.Key), cut) || len(got.Value) != min(len(want.Value), cut) || len(got.Headers) > 4096 {
					t.Errorf("key of %d bytes, value of %d, %d headers; want them cut", len(got.Key), len(got.Value), len(got.Headers))
				}
			} else if !bytes.Equal(got.Key, want.Key) || !bytes.Equal(got.Value, want.Value) || len(got.Headers) != len(want.Headers) {
				t.Errorf("key of %d bytes, value of %d, %d headers; want all", len(got.Key), len(got.Value), len(got.Headers))
			}
		})
	}
}

func TestOversizeByItsHeadersOrItsKeyAlone(t *testing.T) {
	t.Parallel()
	data := batchtest.Batch{Records: []batchtest.Record{
		{Delta: 0, Value: []byte("v"), Headers: []batchtest.Header{{Key: "h", Value: random(3 << 20)}}},
		{Delta: 1, Key: random(3 << 20)}, // a tombstone
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

// TestBrokenOversizeRecordsAreErrors has records that are longer than can be
// held, and malformed where their headers are still kept.
func TestBrokenOversizeRecordsAreErrors(t *testing.T) {
	t.Parallel()
	const size = 3 << 20
	for name, fields := range map[string][]byte{
		"key longer than the record":   binary.AppendVarint(nil, size),
		"value longer than the record": binary.AppendVarint([]byte{1}, size),
		"negative count of headers":    {1, 1, 1},
		"more headers than bytes":      binary.AppendVarint([]byte{1, 1}, size),
		"header without a name":        {1, 1, 2, 1},
		"number without an end":        bytes.Repeat([]byte{0xff}, 20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := make([]byte, size) // begins with attributes and deltas
			copy(body[3:], fields)
			data := batchtest.Batch{First: 5, Codec: batchtest.Zstd, Count: 1, Write: func(w io.Writer) {
				write(w, binary.AppendVarint(nil, size))
				write(w, body)
			}}.Encode()
			records, next, err := decode(data, 5, nil, limits)
			var corrupt *recordbatch.Error
			if !errors.As(err, &corrupt) || errors.Is(err, io.EOF) || next != 5 || len(records) != 0 {
				t.Errorf("got %d records, next %d, error %v; want an *Error", len(records), next, err)
			}
		})
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

// TestBombsNeedBoundedMemory reads up to 200 MiB that were compressed to little,
// as one record and as many, in values and in headers. All that is allocated
// meanwhile, garbage included, stays below 24 MiB, most of which are zstd's
// window and one block. What comes on top are records of 1 MiB, which no block
// keeps room for, and what it takes to grow the room for headers.
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
	inHeaders := func(header []byte) func(io.Writer) {
		return func(w io.Writer) {
			count := size / len(header)
			head := binary.AppendVarint([]byte{0, 0, 0, 1, 0}, int64(count)) // an empty value
			write(w, binary.AppendVarint(nil, int64(len(head)+count*len(header))))
			write(w, head)
			several := slices.Repeat(header, max(1, len(zeros)/len(header)))
			for left := count * len(header); left > 0; left -= len(several) {
				write(w, several[:min(left, len(several))])
			}
		}
	}
	longHeader := append(binary.AppendVarint([]byte{2, 'h'}, 64<<10-4), zeros[:64<<10-4]...)
	emptyHeaders := func(records, headers int64) func(io.Writer) {
		return func(w io.Writer) {
			for i := range records {
				head := binary.AppendVarint(binary.AppendVarint([]byte{0, 0}, i), -1) // no key
				head = binary.AppendVarint(append(head, 0), headers)                  // an empty value
				write(w, binary.AppendVarint(nil, int64(len(head))+2*headers))
				write(w, head)
				write(w, zeros[:2*headers])
			}
		}
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
	batch := func(count int32, write func(io.Writer)) batchtest.Batch {
		return batchtest.Batch{Write: write, Count: count, LastDelta: count - 1}
	}
	for name, codec := range map[string]batchtest.Codec{"gzip": batchtest.Gzip, "lz4": batchtest.LZ4, "zstd": batchtest.Zstd} {
		for _, bomb := range []struct {
			name    string
			batch   batchtest.Batch
			length  int64 // of the value of what is oversize
			allowed uint64
		}{
			{"one record", batch(1, oneRecord), size, allowed},
			{"many records", batch(many, manyRecords), 0, allowed},
			{"one record of headers of 64 KiB", batch(1, inHeaders(longHeader)), 0, allowed},
			{"one record of empty headers", batch(1, inHeaders([]byte{0, 0})), 0, allowed},
			{"20 records of 500,000 empty headers", batch(20, emptyHeaders(20, 500_000)), 0, allowed + 20<<20},
			{"2,000 records of 4,096 empty headers", batch(2000, emptyHeaders(2000, 4096)), 0, allowed + 8<<20},
		} {
			t.Run(name+"/"+bomb.name, func(t *testing.T) {
				bomb.batch.Codec = codec
				data := bomb.batch.Encode()
				var d recordbatch.Decoder
				var block recordbatch.Block
				var before, now runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				d.Reset(data, 0, nil)
				total, peak := int32(0), uint64(0)
				for reads := 0; ; reads++ {
					block.Reset()
					err := d.Read(&block, limits)
					total += int32(len(block.Records))
					for _, r := range block.Records {
						if r.Oversize != nil && r.Oversize.Length != bomb.length {
							t.Fatalf("oversize of %d bytes, want %d", r.Oversize.Length, bomb.length)
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
				if total != bomb.batch.Count {
					t.Errorf("got %d records, want %d", total, bomb.batch.Count)
				}
				allocated := now.TotalAlloc - before.TotalAlloc
				t.Logf("%d bytes; allocated %d in all, heap rose from %d to %d at most", len(data), allocated, before.HeapInuse, peak)
				if allocated > bomb.allowed {
					t.Errorf("allocated %d bytes, want at most %d", allocated, bomb.allowed)
				}
				if peak > before.HeapInuse+bomb.allowed {
					t.Errorf("heap rose from %d to %d bytes, want at most %d more", before.HeapInuse, peak, bomb.allowed)
				}
			})
		}
	}
}

func TestBlockKeepsLittleOfAnUnusualOne(t *testing.T) { //nolint:paralleltest // measures the memory of the process
	batch := batchtest.Batch{}
	for i := range int64(100) {
		batch.Records = append(batch.Records, batchtest.Record{Delta: i, Headers: make([]batchtest.Header, 4096)})
	}
	data := batch.Encode()
	var d recordbatch.Decoder
	var block recordbatch.Block
	var before, full, empty runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	d.Reset(data, 0, nil)
	if err := d.Read(&block, unlimited); !errors.Is(err, io.EOF) || len(block.Records) != 100 {
		t.Fatalf("got %d records, %v; want 100", len(block.Records), err)
	}
	runtime.ReadMemStats(&full)
	held := block.Bytes()
	block.Reset()
	runtime.GC()
	runtime.ReadMemStats(&empty)
	if rose := int(full.HeapAlloc - before.HeapAlloc); held < 100*4096*40 || held > rose {
		t.Errorf("the block says that it held %d bytes, the heap rose by %d; want at least what %d headers take", held, rose, 100*4096)
	}
	if kept := int64(empty.HeapAlloc) - int64(before.HeapAlloc); kept > 6<<20 {
		t.Errorf("the empty block keeps %d bytes", kept)
	}
	runtime.KeepAlive(&block)
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
