package recordbatch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// codec is the compression of a batch, as its attributes number it.
type codec int

const (
	codecNone codec = iota
	codecGzip
	codecSnappy
	codecLZ4
	codecZstd
)

// zstdWindow is the largest window that is accepted. It is what every zstd
// decoder accepts, and what the highest levels of the Java producer use; usual
// levels need 8 MiB at most.
const zstdWindow = 128 << 20

// codecs holds one reader of each kind, made when first needed and used again.
type codecs struct {
	source bytes.Reader
	gzip   *gzip.Reader
	snappy snappyReader
	lz4    *lz4.Reader
	zstd   *zstd.Decoder
}

// open returns a reader of the decompressed data. It ends the former one.
func (c *codecs) open(kind codec, compressed []byte) (io.Reader, error) {
	c.source.Reset(compressed)
	switch kind {
	case codecNone:
		return &c.source, nil
	case codecGzip:
		if c.gzip == nil {
			c.gzip = new(gzip.Reader)
		}
		if err := c.gzip.Reset(&c.source); err != nil {
			return nil, fmt.Errorf("open gzip: %w", unexpected(err))
		}
		return c.gzip, nil
	case codecSnappy:
		c.snappy.reset(compressed)
		return &c.snappy, nil
	case codecLZ4:
		if c.lz4 == nil {
			c.lz4 = lz4.NewReader(nil)
		}
		c.lz4.Reset(&c.source)
		return c.lz4, nil
	case codecZstd:
		if c.zstd == nil {
			decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
			if err != nil {
				return nil, fmt.Errorf("make zstd decoder: %w", err)
			}
			c.zstd = decoder
		}
		if err := c.zstd.Reset(&c.source); err != nil {
			return nil, fmt.Errorf("open zstd: %w", unexpected(err))
		}
		return c.zstd, nil
	default:
		return nil, fmt.Errorf("unknown compression %d", kind)
	}
}

// snappyReader reads snappy as Kafka has it: one raw block, as librdkafka
// writes it, or blocks in the framing of the Java library (xerial). A block is
// decompressed as a whole, which is bounded, as the format cannot expand far.
type snappyReader struct {
	compressed []byte
	framed     bool
	block      []byte // decompressed
	unread     []byte // rest of block
}

// snappyExpansion is more than snappy can expand: 64 bytes from a copy of 3.
// A block that claims more is not snappy.
const snappyExpansion = 32

var (
	xerialMagic  = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}
	errXerial    = errors.New("malformed snappy framing")
	xerialHeader = len(xerialMagic) + 8 // two version numbers
)

func (r *snappyReader) reset(compressed []byte) {
	*r = snappyReader{compressed: compressed, block: r.block[:0]}
	if cap(r.block) > 1<<20 { // an unusual one must not stay
		r.block = nil
	}
	if bytes.HasPrefix(compressed, xerialMagic) && len(compressed) >= xerialHeader {
		r.framed = true
		r.compressed = compressed[xerialHeader:]
	}
}

func (r *snappyReader) Read(p []byte) (int, error) {
	for len(r.unread) == 0 {
		if err := r.nextBlock(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.unread)
	r.unread = r.unread[n:]
	return n, nil
}

func (r *snappyReader) nextBlock() error {
	if len(r.compressed) == 0 {
		return io.EOF
	}
	raw := r.compressed
	if r.framed {
		if len(raw) < 4 {
			return errXerial
		}
		size := int64(binary.BigEndian.Uint32(raw))
		if raw = raw[4:]; size > int64(len(raw)) {
			return errXerial
		}
		raw = raw[:size]
		r.compressed = r.compressed[4+size:]
	} else {
		r.compressed = nil
	}
	size, err := s2.DecodedLen(raw)
	if err != nil {
		return fmt.Errorf("open snappy: %w", err)
	}
	if size > snappyExpansion*len(raw) {
		return fmt.Errorf("snappy block of %d bytes claims %d", len(raw), size)
	}
	if r.block, err = s2.Decode(r.block[:cap(r.block)], raw); err != nil {
		return fmt.Errorf("decompress snappy: %w", err)
	}
	r.unread = r.block
	return nil
}
