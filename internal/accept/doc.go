// Package accept is what accepting events does to the database, inside a
// transaction that somebody else has begun: which run an event belongs to, what
// it changes, and which rows follow. Events from Kafka (package ingest) and this
// service's own (package command) go the same way, so that both can be refolded.
//
// A [Fold] is S4d for events of runs: the caller has locked the execution ids,
// sorted out what is stored already, and saves what the fold comes to.
// [Definition] is the same for one event of a scenario, a template or a
// schedule.
//
// The package decides nothing about what an event means: packages execution
// and scenario do.
package accept
