package recordbatch_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog/internal/batchtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog/internal/recordbatch"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

var unlimited = recordbatch.Limits{Records: 1 << 30, Bytes: 1 << 30, RecordBytes: 1 << 20}

// decode reads a response to its end, in blocks of at most limits, and returns
// copies of the records.
func decode(data []byte, from int64, aborted []recordbatch.Aborted, limits recordbatch.Limits) (records []kafkarecord.Record, next int64, err error) {
	var d recordbatch.Decoder
	var block recordbatch.Block
	d.Reset(data, from, aborted)
	for {
		block.Reset()
		err := d.Read(&block, limits)
		for _, r := range block.Records {
			records = append(records, clone(r))
		}
		if errors.Is(err, io.EOF) {
			return records, d.Next(), nil
		}
		if err != nil {
			return records, d.Next(), err
		}
	}
}

func clone(r kafkarecord.Record) kafkarecord.Record {
	r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
	var headers []kafkarecord.Header
	for _, h := range r.Headers {
		headers = append(headers, kafkarecord.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
	}
	r.Headers = headers
	return r
}

var codecs = []batchtest.Codec{batchtest.None, batchtest.Gzip, batchtest.Snappy, batchtest.LZ4, batchtest.Zstd, batchtest.Xerial}

func value(n int, text string) []byte { return bytes.Repeat([]byte(text), n/len(text)+1)[:n] }

func TestBatchEmptiedByCompactionIsPassed(t *testing.T) {
	t.Parallel()
	data := batchtest.Batch{First: 10, LastDelta: 9}.Encode()
	records, next, err := decode(data, 12, nil, unlimited)
	if err != nil || len(records) != 0 || next != 20 {
		t.Errorf("got %d records, next %d, %v; want none, next 20", len(records), next, err)
	}
}

func TestBatchesCutOffAtTheEndAreLeftForTheNextFetch(t *testing.T) {
	t.Parallel()
	whole := batchtest.Batch{First: 0, Records: []batchtest.Record{{Value: []byte("a")}}}.Encode()
	second := batchtest.Batch{First: 1, Records: []batchtest.Record{{Value: []byte("b")}}}.Encode()
	for cut := range second {
		records, next, err := decode(append(bytes.Clone(whole), second[:cut]...), 0, nil, unlimited)
		if err != nil || len(records) != 1 || next != 1 {
			t.Fatalf("cut at %d: got %d records, next %d, %v; want 1, next 1", cut, len(records), next, err)
		}
	}
}

// TestBrokenBatchesAreErrors breaks batches in every way that a checksum does
// not show, and some that it does. What comes before the broken one is read.
func TestBrokenBatchesAreErrors(t *testing.T) {
	t.Parallel()
	record := batchtest.Record{Key: []byte("k"), Value: []byte("v")}
	one := func(edit func(*batchtest.Batch)) []byte {
		b := batchtest.Batch{First: 5, Records: []batchtest.Record{record}}
		edit(&b)
		return b.Encode()
	}
	raw := func(bytes ...byte) []byte {
		return batchtest.Batch{First: 5, Count: 1, Write: func(w io.Writer) { _, _ = w.Write(bytes) }}.Encode()
	}
	patched := func(at int, with ...byte) []byte {
		b := one(func(*batchtest.Batch) {})
		copy(b[at:], with)
		return batchtest.Seal(b)
	}
	unsealed := one(func(*batchtest.Batch) {})
	unsealed[len(unsealed)-1] ^= 1
	halved := func(codec batchtest.Codec) []byte {
		b := one(func(b *batchtest.Batch) { b.Codec, b.Records[0].Value = codec, random(1000) })
		b = b[:61+(len(b)-61)/2]
		binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
		return batchtest.Seal(b)
	}

	for name, broken := range map[string][]byte{
		"checksum":                       unsealed,
		"message format v1":              patched(16, 1),
		"negative length":                patched(8, 0xff, 0xff, 0xff, 0xff),
		"length below the header's":      patched(8, 0, 0, 0, 10),
		"negative last offset delta":     patched(23, 0xff, 0xff, 0xff, 0xff),
		"negative count":                 patched(57, 0xff, 0xff, 0xff, 0xff),
		"negative offset":                patched(0, 0xff),
		"offset overflow":                patched(0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"unknown codec":                  patched(22, 7),
		"gzip that is none":              patched(22, 1),
		"snappy that is none":            patched(22, 2),
		"lz4 that is none":               patched(22, 3),
		"zstd that is none":              patched(22, 4),
		"no compression, cut off":        halved(batchtest.None),
		"gzip cut off":                   halved(batchtest.Gzip),
		"snappy cut off":                 halved(batchtest.Snappy),
		"xerial cut off":                 halved(batchtest.Xerial),
		"lz4 cut off":                    halved(batchtest.LZ4),
		"zstd cut off":                   halved(batchtest.Zstd),
		"more records claimed than held": one(func(b *batchtest.Batch) { b.Count = 1 }),
		"records claimed, none held":     one(func(b *batchtest.Batch) { b.Records, b.Count = nil, 3 }),
		"offset beyond the batch": one(func(b *batchtest.Batch) {
			b.Records, b.Count, b.Write = nil, 1, func(w io.Writer) { _, _ = w.Write(batchtest.Record{Delta: 2}.Append(nil)) }
		}),
		"offsets that fall":              one(func(b *batchtest.Batch) { b.Records = []batchtest.Record{{Delta: 1}, {Delta: 0}} }),
		"record of negative length":      raw(0x01, 0, 0, 0, 0, 0, 0),
		"record shorter than its fields": raw(0x06, 0, 0, 0),
		"record longer than the batch":   raw(0x7e, 0, 0, 0),
		"key longer than the record":     raw(0x0c, 0, 0, 0, 0x40, 0x01, 0),
		"more headers than bytes":        raw(0x0c, 0, 0, 0, 0x01, 0x01, 0x40),
		"negative count of headers":      raw(0x0c, 0, 0, 0, 0x01, 0x01, 0x01),
		"header without a name":          raw(0x10, 0, 0, 0, 0x01, 0x01, 0x02, 0x01, 0x01),
		"bytes behind the last header":   raw(0x0e, 0, 0, 0, 0x01, 0x01, 0, 0),
		"number without an end":          raw(bytes.Repeat([]byte{0xff}, 40)...),
		"only what is before the offset": batchtest.Batch{First: 3, Records: []batchtest.Record{record}}.Encode(),
		"cut off with nothing before it": one(func(*batchtest.Batch) {})[:40],
		"less than a length":             {0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			records, next, err := decode(broken, 5, nil, unlimited)
			var corrupt *recordbatch.Error
			if !errors.As(err, &corrupt) || next < 5 || len(records) > 1 {
				t.Fatalf("got %d records, next %d, error %v; want an *Error", len(records), next, err)
			}
			if errors.Is(err, io.EOF) {
				t.Errorf("error %v can be taken for the end", err)
			}

			if len(broken) < 61 || broken[7] < 5 {
				return // cut off, or before our offset: behind another batch that is usual
			}
			before := batchtest.Batch{First: 4, Records: []batchtest.Record{record}}.Encode()
			records, _, err = decode(append(before, broken...), 4, nil, unlimited)
			if len(records) == 0 || records[0].Offset != 4 || !errors.As(err, &corrupt) {
				t.Errorf("behind a sound batch: got %d records, error %v; want its record, then an *Error", len(records), err)
			}
		})
	}
}

// random returns n bytes that no codec makes shorter.
func random(n int) []byte {
	b := make([]byte, n)
	source := rand.NewChaCha8([32]byte{})
	_, _ = source.Read(b)
	return b
}

func TestTimestamps(t *testing.T) {
	t.Parallel()
	records := []batchtest.Record{{TimestampDelta: 7}}
	created, _, err := decode(batchtest.Batch{FirstTimestamp: 1000, MaxTimestamp: 5000, Records: records}.Encode(), 0, nil, unlimited)
	if err != nil || !created[0].Timestamp.Equal(time.UnixMilli(1007)) {
		t.Errorf("got %v, %v; want the record's own time", created, err)
	}
	appended, _, err := decode(batchtest.Batch{FirstTimestamp: 1000, MaxTimestamp: 5000, Attributes: batchtest.LogAppendTime, Records: records}.Encode(), 0, nil, unlimited)
	if err != nil || !appended[0].Timestamp.Equal(time.UnixMilli(5000)) {
		t.Errorf("got %v, %v; want the time of appending", appended, err)
	}
	// franz-go's conversion over nanoseconds overflows here.
	far, _, err := decode(batchtest.Batch{FirstTimestamp: 253402300800000, Records: records[:1]}.Encode(), 0, nil, unlimited)
	if err != nil || far[0].Timestamp.Year() != 10000 {
		t.Errorf("got %v, %v; want the year 10000", far, err)
	}
}

func FuzzDecoderSurvives(f *testing.F) {
	for _, codec := range codecs {
		f.Add(batchtest.Batch{First: 3, Codec: codec, Records: []batchtest.Record{
			{Key: []byte("k"), Value: value(200, "v"), Headers: []batchtest.Header{{Key: "ce_id", Value: []byte("1")}}}, {Delta: 1},
		}}.Encode(), int64(3))
	}
	f.Add(batchtest.Marker(3, 1, false), int64(3))
	f.Fuzz(func(t *testing.T, data []byte, from int64) {
		if len(data) > 61 {
			batchtest.Seal(data)
		}
		if from < 0 {
			return
		}
		limits := recordbatch.Limits{Records: 10, Bytes: 1 << 16, RecordBytes: 1 << 10}
		records, next, err := decode(data, from, []recordbatch.Aborted{{ProducerID: 1}}, limits)
		last := from - 1
		for _, r := range records {
			if r.Offset <= last || r.Offset >= next {
				t.Fatalf("offset %d follows %d, next is %d", r.Offset, last, next)
			}
			last = r.Offset
		}
		if len(data) > 0 && next == from && err == nil {
			t.Fatal("the position stays, without an error: it would stay for ever")
		}
	})
}

func BenchmarkDecoder(b *testing.B) {
	for _, codec := range codecs {
		batch := batchtest.Batch{Codec: codec}
		for i := range 1000 {
			batch.Records = append(batch.Records, batchtest.Record{
				Delta: int64(i), Key: fmt.Appendf(nil, "execution-%d", i), Value: value(500, fmt.Sprintf("%d the value ", i)),
				Headers: []batchtest.Header{{Key: "ce_id", Value: []byte("1")}, {Key: "ce_type", Value: []byte("x")}},
			})
		}
		data := batch.Encode()
		name := map[batchtest.Codec]string{0: "none", 1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd", batchtest.Xerial: "xerial"}[codec]
		b.Run(name+"/ours", func(b *testing.B) {
			b.ReportAllocs()
			var d recordbatch.Decoder
			var block recordbatch.Block
			for b.Loop() {
				block.Reset()
				d.Reset(data, 0, nil)
				if err := d.Read(&block, unlimited); !errors.Is(err, io.EOF) || len(block.Records) != 1000 {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "records/s")
		})
		b.Run(name+"/franz-go", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if records, _, err := franz(data, 0, nil); err != nil || len(records) != 1000 {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "records/s")
		})
	}
}
