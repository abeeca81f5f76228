// Package batchtest encodes record batches for tests, the impossible and the
// hostile ones included. It shares no code with the decoder that it tests.
package batchtest

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Codec is how a batch is compressed.
type Codec int16

// The codecs, numbered as in the attributes of a batch.
const (
	None Codec = iota
	Gzip
	Snappy // raw, as librdkafka writes it
	LZ4
	Zstd

	Xerial Codec = 8 | Snappy // Snappy in the framing of the Java library
)

// Attributes of a batch beside its codec.
const (
	LogAppendTime = 0b0000_1000
	Transactional = 0b0001_0000
	Control       = 0b0010_0000
)

// Header is a record's header.
type Header struct {
	Key   string
	Value []byte
}

// Record is a record of a batch.
type Record struct {
	Delta          int64 // of the offset
	TimestampDelta int64
	Key, Value     []byte
	Headers        []Header
}

// Append appends the encoded record.
func (r Record) Append(to []byte) []byte {
	body := []byte{0} // attributes
	body = binary.AppendVarint(body, r.TimestampDelta)
	body = binary.AppendVarint(body, r.Delta)
	body = appendField(body, r.Key)
	body = appendField(body, r.Value)
	body = binary.AppendVarint(body, int64(len(r.Headers)))
	for _, h := range r.Headers {
		body = appendField(body, []byte(h.Key))
		body = appendField(body, h.Value)
	}
	to = binary.AppendVarint(to, int64(len(body)))
	return append(to, body...)
}

func appendField(to, field []byte) []byte {
	if field == nil {
		return binary.AppendVarint(to, -1)
	}
	to = binary.AppendVarint(to, int64(len(field)))
	return append(to, field...)
}

// Batch is a batch to encode.
type Batch struct {
	First          int64
	LastDelta      int32 // 0: that of the last record
	Codec          Codec
	Attributes     int16
	ProducerID     int64
	FirstTimestamp int64
	MaxTimestamp   int64

	Records []Record
	// Write, if not nil, writes the records instead, so that those of a bomb
	// need not be held; Count is how many the header claims.
	Write func(io.Writer)
	Count int32
}

// Encode returns the batch as it lies in a log.
func (b Batch) Encode() []byte {
	var compressed bytes.Buffer
	w := writer(b.Codec, &compressed)
	count, last := b.Count, b.LastDelta
	if b.Write != nil {
		b.Write(w)
	}
	for _, r := range b.Records {
		must(w.Write(r.Append(nil)))
		count, last = count+1, max(last, int32(r.Delta))
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	raw := kmsg.RecordBatch{
		FirstOffset:          b.First,
		Length:               int32(compressed.Len()) + 49,
		PartitionLeaderEpoch: 0,
		Magic:                2,
		Attributes:           int16(b.Codec)&7 | b.Attributes,
		LastOffsetDelta:      last,
		FirstTimestamp:       b.FirstTimestamp,
		MaxTimestamp:         b.MaxTimestamp,
		ProducerID:           b.ProducerID,
		ProducerEpoch:        -1,
		FirstSequence:        -1,
		NumRecords:           count,
		Records:              compressed.Bytes(),
	}
	return Seal(raw.AppendTo(nil))
}

// Seal puts the right checksum into an encoded batch, and returns it.
func Seal(batch []byte) []byte {
	binary.BigEndian.PutUint32(batch[17:], crc32.Checksum(batch[21:], crc32.MakeTable(crc32.Castagnoli)))
	return batch
}

// Marker returns the control batch that ends a transaction.
func Marker(offset, producer int64, committed bool) []byte {
	key := []byte{0, 0, 0, 0}
	if committed {
		key[3] = 1
	}
	return Batch{
		First: offset, ProducerID: producer, Attributes: Transactional | Control,
		Records: []Record{{Key: key, Value: []byte{0, 0, 0, 0, 0, 0}}},
	}.Encode()
}

func writer(codec Codec, to *bytes.Buffer) io.WriteCloser {
	switch codec {
	case Gzip:
		return gzip.NewWriter(to)
	case LZ4:
		return lz4.NewWriter(to)
	case Zstd:
		w, err := zstd.NewWriter(to, zstd.WithEncoderConcurrency(1))
		if err != nil {
			panic(err)
		}
		return w
	case Snappy, Xerial:
		return &snappyWriter{to: to, framed: codec == Xerial}
	default:
		return unclosed{to}
	}
}

type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

type snappyWriter struct {
	to     *bytes.Buffer
	framed bool
	plain  []byte
}

func (w *snappyWriter) Write(p []byte) (int, error) {
	w.plain = append(w.plain, p...)
	return len(p), nil
}

func (w *snappyWriter) Close() error {
	if !w.framed {
		must(w.to.Write(s2.EncodeSnappy(nil, w.plain)))
		return nil
	}
	must(w.to.WriteString("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"))
	for rest := w.plain; len(rest) > 0; {
		block := rest[:min(len(rest), 32<<10)]
		rest = rest[len(block):]
		encoded := s2.EncodeSnappy(nil, block)
		must(w.to.Write(binary.BigEndian.AppendUint32(nil, uint32(len(encoded)))))
		must(w.to.Write(encoded))
	}
	return nil
}

func must(_ int, err error) {
	if err != nil {
		panic(err)
	}
}
