// Package report says what became of a run, once and for all: why it has its
// verdict, what was done to the system, what the system did, and what follows.
//
//	events + lines ──► Builder ──► Report ──► Encode: the frozen bytes, with their sha-256
//	                                  │
//	                                  ├─► Compare: two reports, side by side
//	                                  └─► package render: Markdown, HTML, JUnit, CTRF, ...
//
// A report is a function of the run's accepted events, of the version of the
// rules here (BuilderVersion), of the definition that was run, and of the reports
// that it is compared with, which it names by their digests; of what retention had
// removed of the run, which it says (Inputs); and of one thing that no input names:
// the number of the scenario's version (Definition.Version), which the store gave it
// in the order of acceptance, and which never changes there. Whoever builds it again
// from the same gets the same bytes, in whatever order the run's events arrived:
// nothing here reads a clock, a map in its random order, or an offset. What was
// said late makes another report, a new revision, and never changes one.
//
// The package is pure. It knows nothing of tables, topics, or formats for people;
// which runs are compared, and when a report is frozen, is decided by others.
package report
