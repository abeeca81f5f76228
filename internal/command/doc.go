// Package command carries out what callers of the API, and the service's own
// loops, want to write. A write becomes an event of this service's source
// ("/tcda/<instance>"), and goes through the same decoder, the same fold and the
// same rows as an event from Kafka (package accept): whatever is stored can be
// folded again.
//
//	command.go     one transaction a request, once for each request id
//	own.go         a statement -> an event of our own, checked as Kafka's are
//	definitions.go scenarios, templates, dependencies, schedules
//	executions.go  requests, cancels, notes, pins
//	occurrences.go claims on due occurrences of schedules
//	refusal.go     why something is not done
//
// Everything is checked in the transaction that writes: that the caller's lock
// is held, that a scenario may run, that a run has not ended. What has been
// committed is shown in Redis afterwards, as S5 of package ingest does; when that
// fails, reconciliation (S9) makes up for it.
//
// Non-obvious:
//   - An event of ours follows what is known of its aggregate: it takes the
//     sequence of the last event in order, if that has one, and a later time. A
//     producer that counts does not hide what is published through the API, and
//     its next number comes after it.
//   - A request for a run carries a runid. The coordinator must repeat it in its
//     events: another runid is another run.
//   - Nothing is tried again here. The caller repeats with the same request id,
//     also when the outcome of the commit is unknown.
package command
