// Package pgstore keeps everything in PostgreSQL, the only truth of the
// service.
//
// It owns transactions, the mapping between rows and the domain's types (in
// UTC, in one place a type), and the reading of database errors. Write methods
// of the ingest path exist only on Tx, so that nothing of a batch can be
// written outside its transaction. The generated queries lie in a nested
// internal package that only this one can import; SQL text lies in query/.
//
// A transaction makes few round trips, for on a busy machine each waits for a
// processor: statements wait in line (pipeline.go) until the rows of one behind
// them are wanted; parts of runs that a fold will probably want are loaded with
// the locks (parts.go); the rows to copy (copy.go) and COMMIT follow the last of
// the statements without waiting (ending.go).
//
// It knows nothing of Kafka but topic, partition and offset as addresses, and
// nothing of Redis. What an event means is decided by packages execution and
// scenario: the store loads what a fold needs and saves what it returns.
package pgstore
