// Package recordbatch decodes what a Kafka broker answers to a fetch: record
// batches of message format v2, as committed transactions only.
//
// It decompresses and decodes record by record into a [Block], up to the limits
// of each call, and goes on from there at the next call. So the memory needed
// does not depend on what a batch decompresses to: a gzip bomb of 200 MiB in
// one batch comes out as many bounded blocks, a record that is too large as its
// first bytes with length and checksum, and its neighbours unharmed.
//
// The package knows neither connections nor topics nor groups, and nothing of
// what the records mean. Its reading of the format is held against franz-go's
// in the tests.
package recordbatch

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// Limits bound one call of [Decoder.Read].
type Limits struct {
	Records     int // most records of a block
	Bytes       int // no further record is read once a block holds so many bytes
	RecordBytes int // a record whose key or value is larger is not held whole but described as Oversize
}

// Error says that a batch cannot be decoded. Repeating the fetch repeats it.
type Error struct {
	First, Last int64 // offsets of the batch; equal when its header is unreadable
	Err         error
}

func (e *Error) Error() string {
	return fmt.Sprintf("decode record batch %d..%d: %v", e.First, e.Last, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// The layout of a batch: offset (8), length (4), leader epoch (4), magic (1),
// checksum (4), then what the checksum covers.
const (
	lengthEnd     = 12
	magicAt       = 16
	checksummedAt = 21
	headerEnd     = 61

	attributeCodec         = 0b0000_0111
	attributeLogAppendTime = 0b0000_1000
	attributeTransactional = 0b0001_0000
	attributeControl       = 0b0010_0000
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Decoder reads the record batches of one response after another. The zero
// value is ready for Reset. It is not safe for concurrent use.
type Decoder struct {
	from    int64  // the offset that was asked for
	next    int64  // the offset that follows what has been read
	data    []byte // batches not yet opened
	bytes   int    // length of the whole response
	aborted transactions
	err     error // ends the response

	batch     kmsg.RecordBatch // the open batch, while remaining > 0
	remaining int32            // records of it not yet read
	lastDelta int64            // offset delta of the record read last
	records   *bufio.Reader    // the decompressed rest of it

	codecs codecs
	names  names
}

// Reset makes the decoder read data, the answer to a fetch from offset from,
// whose aborted transactions are given in any order. The decoder refers to data
// until Read has reported its end.
func (d *Decoder) Reset(data []byte, from int64, aborted []Aborted) {
	d.from, d.next = from, from
	d.data, d.bytes, d.err = data, len(data), nil
	d.aborted.reset(aborted)
	d.remaining = 0
}

// Next is the offset to go on from: behind the last record that was read, and
// behind everything that holds no record for us, such as aborted transactions,
// markers and what compaction has emptied.
func (d *Decoder) Next() int64 { return d.next }

// Read appends records to the block until a limit is reached or the response
// is used up, which it reports with io.EOF. Any other error is an *Error; the
// records before it are in the block, and it comes again at the next call.
func (d *Decoder) Read(into *Block, limits Limits) error {
	for len(into.Records) < limits.Records && into.bytes < limits.Bytes {
		if d.err == nil && d.remaining == 0 {
			d.err = d.openBatch()
			continue
		}
		if d.err == nil {
			d.err = d.readRecord(into, limits.RecordBytes)
		}
		if d.err != nil {
			return d.err
		}
	}
	return nil
}

// openBatch goes to the next batch. It leaves no batch open when there is
// nothing in it to deliver.
func (d *Decoder) openBatch() error {
	if len(d.data) < lengthEnd {
		return d.end()
	}
	header := cursor{rest: d.data}
	first := header.int64()
	size := int64(header.int32()) + lengthEnd
	if size < headerEnd {
		return &Error{first, first, fmt.Errorf("batch of %d bytes", size)}
	}
	if size > int64(len(d.data)) { // the broker cuts the last batch anywhere
		return d.end()
	}
	raw := d.data[:size]
	if magic := raw[magicAt]; magic != 2 {
		return &Error{first, first, fmt.Errorf("message format v%d is not supported", magic)}
	}
	if err := d.batch.ReadFrom(raw); err != nil {
		return &Error{first, first, err}
	}
	d.data = d.data[size:]

	b := &d.batch
	if first < 0 || b.LastOffsetDelta < 0 || first > math.MaxInt64-1-int64(b.LastOffsetDelta) || b.NumRecords < 0 {
		return &Error{first, first, fmt.Errorf("impossible header: last offset delta %d, %d records", b.LastOffsetDelta, b.NumRecords)}
	}
	if sum := crc32.Checksum(raw[checksummedAt:], castagnoli); sum != uint32(b.CRC) {
		return d.corrupt(fmt.Errorf("checksum is %08x, header says %08x", sum, uint32(b.CRC)))
	}

	if b.Attributes&attributeControl != 0 {
		d.aborted.advance(d.lastOffset())
		if isAbortMarker(b.Records) {
			d.aborted.finish(b.ProducerID)
		}
		d.closeBatch()
		return nil
	}
	if b.Attributes&attributeTransactional != 0 {
		d.aborted.advance(d.lastOffset())
		if d.aborted.contains(b.ProducerID) {
			d.closeBatch()
			return nil
		}
	}
	if b.NumRecords == 0 || d.lastOffset() < d.next {
		d.closeBatch()
		return nil
	}

	decompressed, err := d.codecs.open(codec(b.Attributes&attributeCodec), b.Records)
	if err != nil {
		return d.corrupt(err)
	}
	if d.records == nil {
		d.records = bufio.NewReaderSize(nil, 32<<10)
	}
	d.records.Reset(decompressed)
	d.remaining, d.lastDelta = b.NumRecords, -1
	return nil
}

// end is reached behind the last whole batch. A response that has bytes but
// brings us no further would be asked for again for ever: that is an error.
func (d *Decoder) end() error {
	d.data = nil
	if d.next == d.from && d.bytes > 0 {
		return &Error{d.from, d.from, errors.New("the response ends before the asked offset")}
	}
	return io.EOF
}

// closeBatch passes the open batch, records that are no longer in it included.
func (d *Decoder) closeBatch() {
	d.remaining = 0
	d.next = max(d.next, d.lastOffset()+1)
}

func (d *Decoder) lastOffset() int64 { return d.batch.FirstOffset + int64(d.batch.LastOffsetDelta) }

func (d *Decoder) corrupt(err error) error {
	return &Error{d.batch.FirstOffset, d.lastOffset(), err}
}

// besideValue is what a record may take beside RecordBytes and be held whole:
// 1 MiB of headers, the most that can be set as their limit, and the lengths of
// all fields. So whoever reads the record decides about one near its limits.
const besideValue = 1<<20 + 64<<10

// maxRecordHead is the room that the fields before a record's key take at most.
const maxRecordHead = 10 + 1 + 10 + 10

// readRecord reads one record of the open batch, and closes it with the last.
func (d *Decoder) readRecord(into *Block, limit int) error {
	head, err := d.records.Peek(maxRecordHead)
	if len(head) == 0 {
		return d.corrupt(fmt.Errorf("%d records are missing: %w", d.remaining, unexpected(err)))
	}
	c := cursor{rest: head}
	length := c.varint()
	prefix := len(c.rest)
	c.take(1) // attributes, unused in this format
	timestampDelta, offsetDelta := c.varint(), c.varint()
	prefix -= len(c.rest)
	if c.failed && len(head) < maxRecordHead {
		return d.corrupt(fmt.Errorf("record behind offset delta %d: %w", d.lastDelta, unexpected(err)))
	}
	if c.failed || length < int64(prefix) || length > math.MaxInt32 {
		return d.corrupt(fmt.Errorf("malformed record behind offset delta %d", d.lastDelta))
	}
	if offsetDelta <= d.lastDelta || offsetDelta > int64(d.batch.LastOffsetDelta) {
		return d.corrupt(fmt.Errorf("offset delta %d follows %d", offsetDelta, d.lastDelta))
	}
	if _, err := d.records.Discard(len(head) - len(c.rest)); err != nil {
		return d.corrupt(err)
	}

	rest := int(length) - prefix
	record := kafkarecord.Record{Offset: d.batch.FirstOffset + offsetDelta, Timestamp: d.timestamp(timestampDelta)}
	switch {
	case record.Offset < d.next: // the fetch began in the middle of the batch
		_, err = d.records.Discard(rest)
	case int(length) <= limit+besideValue:
		err = d.readWhole(into, &record, rest, limit)
	default:
		err = d.readOversize(into, &record, rest)
	}
	if err != nil {
		return d.corrupt(fmt.Errorf("record at offset %d: %w", record.Offset, unexpected(err)))
	}
	if record.Offset >= d.next {
		into.Records = append(into.Records, record)
		d.next = record.Offset + 1
	}
	d.lastDelta = offsetDelta
	if d.remaining--; d.remaining == 0 {
		d.closeBatch()
	}
	return nil
}

func (d *Decoder) timestamp(delta int64) time.Time {
	if d.batch.Attributes&attributeLogAppendTime != 0 {
		return time.UnixMilli(d.batch.MaxTimestamp).UTC()
	}
	return time.UnixMilli(d.batch.FirstTimestamp + delta).UTC()
}

// unexpected turns the end of the input, which is not expected inside of a
// batch, into an error that cannot be taken for the end of the response.
func unexpected(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
