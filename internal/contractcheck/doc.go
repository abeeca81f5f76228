// Package contractcheck holds records against the contract before they are sent
// to a service that keeps them: for those who write a coordinator.
//
// A [Grader] takes records one by one and gives a [Report]. It decodes them as
// the service does, with the same limits, and decides identity, runs and
// definitions by the same code, so that it refuses what the service would
// refuse, as far as that follows from the records alone: what a database
// already holds it cannot know. Beyond that it says what is accepted and yet
// not as it should be.
//
// There are three levels. A violation breaks the contract: the record would be
// quarantined, or is accepted for mercy. A recommendation is something that the
// service would have to guess. A note is for people to know; all may be well.
//
// It does no I/O but to read what it is given, and takes the time from its
// caller. Its memory is bounded, whatever comes: see [Memory].
//
//	grader.go       one record's way
//	runs.go         which run, its end, the order of its numbers
//	definitions.go  what scenarios and templates mean to each other
//	names.go        names that version 1 does not know
//	findings.go     what was found, grouped
//	report.go       the outcome
//	lines.go        records from JSON lines
//	recent.go       what is remembered, and forgotten
package contractcheck
