// Package checker judges what the service has made of a history: it reads all
// records from Kafka, all rows from PostgreSQL and all states from Redis, and
// says what was lost, doubled or is wrong.
//
// A history is what producers sent and what callers asked for through the API. A
// write that was answered is one event of the service's own, with the id that
// follows from the request's, and no other: it is placed and folded with those of
// producers, and what was answered is what the run was by then. What asks the
// coordinator for something must have been published as it is stored, in order.
//
// It shares no code with the service. Decoding, identity, the rule which run an
// event belongs to, and the fold are written here anew, from the contract; a
// fault that the service and its own verification have in common is seen here.
// (depguard and a test hold that. Of the project it uses only the generated
// messages of the contract.) Where it can, it goes another way: the service
// merges event by event, field by field; the checker sorts all events of a run
// by their order and reads them once.
//
//	history.go      what is judged: a log, rows, states, ledgers of records and calls
//	report.go       what is found
//	check.go        the judgement as a whole, in passes over ranges of ids
//	decode.go json.go rules.go    a record is an event, or has a reason
//	records.go      each record is one of applied, duplicate, quarantined (with its bytes); the sums agree
//	executions.go   all rows of one execution id, against its records
//	own.go          what the service itself has said, read from its rows
//	place.go        each event is in the run that the rule says
//	fold.go parts.go rows.go      each row is what the run's events come to
//	calls.go answer.go    each request has the effect that its caller was told of
//	told.go         what was told before holds for what is asked for afterwards
//	times.go        what was asked for is dated between the request and its answer
//	clears.go       orphaned faults are asked for, once for each end of their run
//	commands.go     what was published to the coordinator is what is stored
//	pruned.go       what retention has removed was to go, and nothing else is missing; no run comes back
//	definitions.go  the same for scenarios, templates and schedules
//	live.go         Redis shows what the rows say
//	kafka.go postgres.go stream.go redis.go    where a real history comes from
//
// The report of an empty history is red: who has seen nothing has proven nothing.
package checker
