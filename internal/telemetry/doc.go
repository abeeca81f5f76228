// Package telemetry is how tcda shows what it does: logs, metrics and traces.
//
// No label and no span name comes from a producer's text, so that nobody can
// make the number of series grow; log lines carry such text, escaped. The
// package decides nothing: what it is told it records. It knows the closed
// list of quarantine reasons and otherwise nothing of the domain, and nothing
// of Kafka, PostgreSQL or Redis.
package telemetry
