// Package ingest is the engine: it takes the records of the input topics into
// PostgreSQL, each once in effect, and shows in Redis what PostgreSQL holds.
//
// One worker owns one partition at a time. The steps, and their order, are the
// heart of the service; the files are named after them:
//
//	S0 claim      claim.go      become the owner, learn the position; holes and re-created topics stop here
//	S1 fetch      fetch.go      records from that position, not from Kafka's committed offset
//	              attempt.go    where processes died before: noted, and one partition at a time
//	S2 decode     decode.go     event or poison
//	S3 hint       decode.go     Redis: probably known? never skips a check, only its locks
//	S4 commit     commit.go     one transaction, tried until it is certain what became of it; inside it
//	              apply.go      fence, ids, identity, rows, poison, outbox: a to g, as in the README's picture
//	              fold.go       run and fold
//	              recent.go     a guess at the runs, to load what will be merged into along with the locks
//	S5 state      publish.go    Redis: compare-and-set of the newest states
//	S6 mark       publish.go    Redis: idempotency hints, only after S4
//	S7 offset     worker.go     Kafka's committed offset, now and then: a gauge
//	S9 reconcile  reconcile.go  Redis is made right again, whatever was lost of S5
//
// (S8 publishes what transactions have left for other programs: package outbox.)
// Around them: engine.go starts a worker for each assigned partition, worker.go
// leads it from claim to release, retry.go paces what is tried again, maintain.go
// makes table partitions ahead, schedules.go makes the occurrences of schedules
// as they come due.
//
// Everything after S4 can be lost: states are rebuilt, and a lost hint costs a
// look-up. Nothing before S4 has any effect. S1 to S3 of the next batch overlap
// with S4 of this one, unless this one is small and nothing lies behind it, and
// with S5 to S7 of the former. Order is kept within a partition; partitions run
// in parallel.
//
// Non-obvious, and the cause of bugs elsewhere:
//   - The compare-and-set on next_offset is the fence against zombies; the
//     expected value is what was last claimed or committed, not the offset of
//     the batch's first record. The epoch guards against a reset to the same
//     value.
//   - A lost connection during COMMIT proves nothing: the stored position does.
//   - A transaction is applied anew from the decoded batch each time it is
//     tried; no folded state outlives a rollback.
//   - Events of an execution that was first heard of today are not looked up in
//     S4c: the primary key refuses a repeat, and the batch is applied again with
//     everything looked up. See toLookUp for why nothing can hide.
//   - What is decoded and not committed is bounded over all partitions. What has
//     been admitted waits for no other partition, so that this cannot lock up.
//   - Bad data is found by trying parts of the batch in transactions that are
//     rolled back. What the database refuses too often is a broken schema, not
//     bad data, and stops the partition.
//
// The package knows no SQL, no Kafka client calls beyond package kafkalog, and
// decides nothing about what an event means.
package ingest
