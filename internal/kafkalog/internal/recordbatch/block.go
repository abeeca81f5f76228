package recordbatch

import "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"

const (
	chunkBytes   = 256 << 10
	chunksKept   = 16 // what a block keeps for its next use: 4 MiB
	headersChunk = 1 << 10
	headersKept  = 128 << 10 // likewise: 5 MiB

	headerSize = 40 // a kafkarecord.Header, apart from what it refers to
)

// Block holds decoded records and the memory that they lie in, which is used
// again after Reset. The zero value is empty.
type Block struct {
	Records []kafkarecord.Record

	bytes   int // see Bytes
	chunks  [][]byte
	filling int // index of the chunk that is being filled
	headers []kafkarecord.Header
}

// Bytes is the memory that the keys, values and headers of the records take. A
// header takes more than it does encoded, where two bytes may be one.
func (b *Block) Bytes() int { return b.bytes }

// Reset empties the block. The records that it held must not be used any more.
func (b *Block) Reset() {
	clear(b.Records)
	clear(b.headers)
	b.Records, b.headers = b.Records[:0], b.headers[:0]
	if cap(b.headers) > headersKept {
		b.headers = nil
	}
	kept := b.chunks[:0]
	for _, chunk := range b.chunks {
		if cap(chunk) == chunkBytes && len(kept) < chunksKept { // larger ones were for single records
			kept = append(kept, chunk[:0])
		}
	}
	clear(b.chunks[len(kept):])
	b.chunks, b.filling, b.bytes = kept, 0, 0
}

// allocate returns n bytes with arbitrary content, to be overwritten.
func (b *Block) allocate(n int) []byte {
	b.bytes += n
	for ; b.filling < len(b.chunks); b.filling++ {
		chunk := b.chunks[b.filling]
		if from := len(chunk); cap(chunk)-from >= n {
			b.chunks[b.filling] = chunk[:from+n]
			return chunk[from : from+n : from+n]
		}
	}
	chunk := make([]byte, n, max(n, chunkBytes))
	b.chunks = append(b.chunks, chunk)
	return chunk[:n:n]
}

func (b *Block) allocateHeaders(n int) []kafkarecord.Header {
	b.bytes += n * headerSize
	from := len(b.headers)
	if cap(b.headers)-from < n { // records keep the former slice alive
		b.headers, from = make([]kafkarecord.Header, 0, max(n, headersChunk, 2*cap(b.headers))), 0
	}
	b.headers = b.headers[:from+n]
	return b.headers[from : from+n : from+n]
}
