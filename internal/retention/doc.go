// Package retention decides what of old runs goes: pure rules, no I/O but the
// reading of a file of policies.
//
// Policies are an ordered list. For each run and each kind of data the first
// policy that matches the run and speaks of the kind decides; where none does,
// the data is kept. A policy that speaks of whole runs speaks of every kind. The
// row of a run goes only together with everything else of it, so an earlier
// policy that keeps a kind keeps the row, too. Results go not before the timeline:
// an event that comes late is merged into them. No policy touches
//
//   - a run that has not ended,
//   - one that is pinned, or under a legal hold,
//   - one that has changed lately, or whose events are dated in the future,
//   - the row of one that others need: the newest run, and the newest that
//     passed, of a scenario that another depends on, for each environment; the
//     latest run of an execution id of which an older one is kept.
//
// The attempts of a group, the runs of a scenario with one group id, are one in the
// analysts' figures, so they go as one: what these are made from, the results and the
// row, goes of an attempt only if it goes of every other, too, or has gone; and with
// results that stay stays what would go by the same policy. What other policies have
// go of an attempt goes by itself.
//
// The package must not know how data is stored, nor what removes it: package
// pruning asks it, run by run.
package retention
