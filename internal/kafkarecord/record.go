// Package kafkarecord is a Kafka record as it lies in the log: the one type
// that the reader of the log produces and the decoder of events takes. It
// knows no client library and no event.
package kafkarecord

import "time"

// Record is one record of a partition. Its byte slices may share a buffer that
// is reused after the batch has been committed: whoever keeps them longer
// copies them.
type Record struct {
	Offset    int64
	Timestamp time.Time
	Key       []byte // nil when the record has no key
	Value     []byte // nil for a tombstone, empty but not nil for an empty value
	Headers   []Header

	// Oversize is set when the record is not here as a whole: its key, its value
	// or its headers are larger, or more, than is read. Value then holds only its
	// first bytes (64 KiB at most); Key and Headers may be cut likewise.
	Oversize *Oversize
}

// Header is one header of a record. Names may repeat.
type Header struct {
	Key   string
	Value []byte
}

// Oversize describes a record that is not held as a whole.
type Oversize struct {
	Length int64    // length of the whole value in bytes, after decompression
	SHA256 [32]byte // of the whole value
}
