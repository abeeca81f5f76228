// Package chaostoolkit reads journals of the Chaos Toolkit (what `chaos run
// --journal-path` writes) and says what they say in events of the contract.
//
//	journal.go   the journal's own types, for reading and for writing
//	read.go      text to Journal: strict about what is needed, tolerant of the rest
//	convert.go   Journal to events; outcome.go says how a run ended
//	fit.go       what the contract's limits make of texts and values
//
// It is a pure function of the journal's content and the options: no I/O, no
// clock, no randomness. All ids follow from the content, so a journal that is
// imported again, from whatever machine, gives events that are known already.
// It must not know Kafka, PostgreSQL, or where a journal lies.
package chaostoolkit
