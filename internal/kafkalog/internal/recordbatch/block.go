package recordbatch

import "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"

const (
	chunkBytes   = 256 << 10
	chunksKept   = 16 // what a block keeps for its next use: 4 MiB
	headersChunk = 1 << 10
)

// Block holds decoded records and the memory that they lie in, which is used
// again after Reset. The zero value is empty.
type Block struct {
	Records []kafkarecord.Record

	bytes   int // what the records take, their keys, values and headers
	chunks  [][]byte
	filling int // index of the chunk that is being filled
	headers []kafkarecord.Header
}

// Bytes is the size of the keys, values and headers of the records as encoded.
func (b *Block) Bytes() int { return b.bytes }

// Reset empties the block. The records that it held must not be used any more.
func (b *Block) Reset() {
	clear(b.Records)
	clear(b.headers)
	b.Records, b.headers = b.Records[:0], b.headers[:0]
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
	from := len(b.headers)
	if cap(b.headers)-from < n { // records keep the former slice alive
		b.headers, from = make([]kafkarecord.Header, 0, max(n, headersChunk, 2*cap(b.headers))), 0
	}
	b.headers = b.headers[:from+n]
	return b.headers[from : from+n : from+n]
}
