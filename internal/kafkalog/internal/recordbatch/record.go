package recordbatch

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"io"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

const (
	// cutBytes is what is kept of the value of an oversize record; of its key
	// likewise, and of its headers together where they could not be read whole.
	cutBytes = 64 << 10

	// mostHeaders is what is kept of the headers of any record; one with more
	// is oversize. No limit on them can be set so high.
	mostHeaders = 4 << 10
)

var errMalformed = errors.New("malformed record")

// readWhole reads what follows the head of a record, size bytes, into the
// block. The record's fields are parts of one slice.
func (d *Decoder) readWhole(into *Block, record *kafkarecord.Record, size, limit int) error {
	raw := into.allocate(size)
	if _, err := io.ReadFull(d.records, raw); err != nil {
		return err
	}
	c := cursor{rest: raw}
	record.Key = c.nullable()
	record.Value = c.nullable()
	count := c.varint()
	if c.failed || count < 0 || count > int64(len(c.rest))/2 { // a header takes two bytes at least
		return errMalformed
	}
	if count > 0 {
		record.Headers = into.allocateHeaders(int(min(count, mostHeaders)))
	}
	for i := range record.Headers {
		record.Headers[i] = kafkarecord.Header{Key: d.names.name(c.required()), Value: c.nullable()}
	}
	if c.failed || len(c.rest) != 0 && count <= mostHeaders {
		return errMalformed
	}
	if count > mostHeaders || max(len(record.Key), len(record.Value)) > limit {
		record.Oversize = &kafkarecord.Oversize{Length: int64(len(record.Value)), SHA256: sha256.Sum256(record.Value)}
		record.Key = record.Key[:min(len(record.Key), cutBytes)]
		record.Value = record.Value[:min(len(record.Value), cutBytes)]
	}
	return nil
}

// readOversize reads what follows the head of a record that is too large to be
// held, keeping its beginning only.
func (d *Decoder) readOversize(into *Block, record *kafkarecord.Record, size int) error {
	s := stream{source: d.records, left: int64(size), block: into}
	record.Key = s.keep(s.varint(), io.Discard)

	record.Oversize = new(kafkarecord.Oversize)
	hash := sha256.New()
	length := s.varint()
	record.Value = s.keep(length, hash)
	record.Oversize.Length = max(length, 0)
	hash.Sum(record.Oversize.SHA256[:0])

	count := s.varint()
	if count < 0 || count > s.left/2 {
		s.fail(errMalformed)
	}
	if s.err == nil && count > 0 {
		record.Headers = s.headers(into.allocateHeaders(int(min(count, mostHeaders))))
	}
	return s.skip()
}

// stream reads the fields of one record without holding them. After a failure
// it reads zero values.
type stream struct {
	source *bufio.Reader
	left   int64 // bytes of the record
	block  *Block
	err    error
}

func (s *stream) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

func (s *stream) varint() int64 {
	if s.err != nil {
		return 0
	}
	head, err := s.source.Peek(int(min(s.left, 10)))
	c := cursor{rest: head}
	v := c.varint()
	if c.failed {
		if len(head) == 10 || int64(len(head)) == s.left {
			err = errMalformed
		}
		s.fail(unexpected(err))
		return 0
	}
	n, _ := s.source.Discard(len(head) - len(c.rest)) // they have just been peeked at
	s.left -= int64(n)
	return v
}

// keep reads a field of n bytes (negative: null) and returns its beginning; all
// of it is written to whole.
func (s *stream) keep(n int64, whole io.Writer) []byte {
	if n > s.left {
		s.fail(errMalformed)
	}
	if s.err != nil || n < 0 {
		return nil
	}
	kept := s.block.allocate(int(min(n, cutBytes)))
	if _, err := io.ReadFull(s.source, kept); err != nil {
		s.fail(err)
		return nil
	}
	_, _ = whole.Write(kept)                    // neither a hash nor io.Discard fails
	if rest := n - int64(len(kept)); rest > 0 { // CopyN allocates for nothing too
		if _, err := io.CopyN(whole, s.source, rest); err != nil {
			s.fail(err)
			return nil
		}
	}
	s.left -= n
	return kept
}

// headers reads headers as far as they fit, and returns those.
func (s *stream) headers(into []kafkarecord.Header) []kafkarecord.Header {
	end := s.left - cutBytes
	for i := range into {
		key, ok := s.keepBefore(end)
		if !ok {
			return into[:i]
		}
		if key == nil {
			s.fail(errMalformed)
		}
		value, ok := s.keepBefore(end)
		if !ok {
			return into[:i]
		}
		into[i] = kafkarecord.Header{Key: string(key), Value: value}
	}
	return into
}

// keepBefore keeps a field with its length before it, unless it reaches to
// where no more than end bytes of the record are left.
func (s *stream) keepBefore(end int64) (field []byte, ok bool) {
	n := s.varint()
	if s.err != nil || n > s.left-end {
		return nil, false
	}
	field = s.keep(n, io.Discard)
	return field, s.err == nil
}

// skip passes the rest of the record. Nothing in it is looked at.
func (s *stream) skip() error {
	if s.err != nil {
		return s.err
	}
	_, err := s.source.Discard(int(s.left))
	return err
}

// names holds each header name once: they repeat on every record, and are few.
type names struct{ seen map[string]string }

func (n *names) name(raw []byte) string {
	const most, longest = 256, 64 // a producer that makes up names must not fill the memory
	if name, ok := n.seen[string(raw)]; ok {
		return name
	}
	name := string(raw)
	if len(n.seen) < most && len(name) <= longest {
		if n.seen == nil {
			n.seen = make(map[string]string)
		}
		n.seen[name] = name
	}
	return name
}
