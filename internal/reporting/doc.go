// Package reporting makes the reports of runs: it gives what is stored of a run to
// the builder of package report, and freezes what that makes.
//
//	a run settles ──► report_queue ──► loop.go: claim ──► build ──► freeze ──► report.published.v1
//	                  (in the transaction                │          │
//	                   that announces it)                │          └─ freeze.go: is it new? the next revision
//	                                                     └─ inputs.go, context.go: at one moment
//
// The queue is worked on by any number of instances. A claim lasts as long as its
// lease, which is renewed while the builder works: when that dies, another begins
// again. Both may end up with the same report, and only one of them is frozen. A
// run whose report cannot be built waits for longer after each try, with the
// reason, and is in nobody's way.
//
// A revision is never changed (a trigger refuses that). Another one is frozen when
// the run itself has something new to say: its events are others, pins left out, or
// another definition, or template of it, is known to have been run. That the reports it is compared
// with have got revisions, or that further runs came, is no reason: a report names
// those by their digests, and what follows from them stays as true as it was. Nor
// is a new version of the rules. Whoever wants a report with all that asks for it
// (GenerateReport), and gets a revision if it says anything else.
//
// Log lines and snapshots may have been removed by retention since. That alone is no
// reason either, nor does asking help: such a run keeps the report that it has. When it
// has something new to say, a revision is built from the rest, and says what is gone
// and which revision was made from the whole. To a run whose events are gone nothing
// can be added; it keeps its report for ever.
//
// The package knows no SQL and no format; what a report says is decided by package
// report, and whether a run has settled by package outbox.
package reporting
