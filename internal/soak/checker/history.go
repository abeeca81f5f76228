package checker

import (
	"context"
	"fmt"
	"iter"
	"time"

	"google.golang.org/protobuf/proto"
)

// Address is where a record lies in Kafka.
type Address struct {
	Topic     string
	Partition int32
	Offset    int64
}

// String is the address as reports name it.
func (a Address) String() string { return fmt.Sprintf("%s/%d@%d", a.Topic, a.Partition, a.Offset) }

// Partition is a partition of a topic.
type Partition struct {
	Topic  string
	Number int32
}

// String is the partition as reports name it.
func (p Partition) String() string { return fmt.Sprintf("%s/%d", p.Topic, p.Number) }

func (a Address) partition() Partition { return Partition{a.Topic, a.Partition} }

// Header is a header of a record.
type Header struct {
	Name  string
	Value []byte
}

// Record is a record as it lies in Kafka; a tombstone has a nil value.
type Record struct {
	Address
	Key, Value []byte
	Headers    []Header
}

// Log is what Kafka holds, aborted transactions left out.
type Log interface {
	// Ends is the end of each partition: the first offset that may not be read.
	Ends(ctx context.Context) (map[Partition]int64, error)
	// Records are all records below the ends, in the order of each partition.
	Records(ctx context.Context) iter.Seq2[Record, error]
}

// Row is a row of a table or view, by column. Numbers are int64 or float64,
// times UTC, JSON is json.RawMessage, NULL is nil.
type Row map[string]any

// Store is what PostgreSQL holds.
type Store interface {
	// Rows are those of a table whose execution_id lies in [from, to), in byte
	// order of that id; an empty to is no bound. Tables without that column are
	// given whole, in any order.
	Rows(ctx context.Context, table, from, to string) iter.Seq2[Row, error]
	// Split divides the execution ids into ranges of about the same number of
	// events: it gives the inner bounds.
	Split(ctx context.Context, ranges int) ([]string, error)
	// Timeline is that of the server.
	Timeline(ctx context.Context) (uint32, error)
}

// Live is what Redis holds.
type Live interface {
	// States are the fields of the states of executions; nil for none.
	States(ctx context.Context, ids []string) ([]map[string]string, error)
	// Active are the members of the active set.
	Active(ctx context.Context) ([]string, error)
}

// Ack is a record of a partition that Kafka has acknowledged to its sender.
type Ack struct {
	Offset int64
	Sum    uint64 // of key and value; see Sum
}

// Call is a request to the API that writes, as who made it knows it. It may have
// been sent several times.
type Call struct {
	ID      string        // of the request
	Message proto.Message // the request
	Answer  proto.Message // nil: it was refused, or never answered
	Refusal string        // the reason, where it was refused

	// Sent is when it was sent first, and Answered when the first answer with success
	// was there; both with the clock that is never set.
	Sent, Answered time.Time

	// Doubtful says that it is not answered with success, and that of a try nobody
	// knows what became: it may have been carried out.
	Doubtful bool
}

// History is what is judged.
type History struct {
	Ledger   map[Partition][]Ack // what was acknowledged
	Calls    []Call              // what was asked for through the API, each request once
	Log      Log
	Commands Log // what was published to the coordinator; nil: not in use
	Store    Store
	Live     Live // nil: not in use

	// Caller is what the service calls those who made the calls.
	Caller string
	// Cleared says that the service had the time to ask for all orphaned faults.
	Cleared bool
	// Policies are those of retention; none: it removes nothing.
	Policies []Policy
	// Sources begins the sources of the service's own events.
	Sources string
	// Grace is how long Redis may take to follow.
	Grace time.Duration
	// PassRecords bounds the records in memory at a time: 1,500,000 if zero.
	PassRecords int
}
