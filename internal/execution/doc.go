// Package execution decides what the events of a run mean: which run of a
// reused execution id an event belongs to (Place), and what the run's state is
// after any set of events (State.Apply).
//
// The fold is a merge: every field remembers the order key of the event it
// came from, so the same set of events gives the same state in whatever order
// they arrive. It is pure and knows nothing of Kafka, tables or Redis; the
// engine loads the parts that an event touches, folds, and stores what changed.
//
// Three questions about what is stored are answered here too: what differs
// between two snapshots (DiffSnapshots), whether the system is in the state of a
// baseline (StateCheck), and why a run has its status (Explain).
//
// The status of a run:
//
//	pending ──started──▶ running ◀──resumed── paused
//	   │                   │  └────paused──────▶ │
//	   └───────────────────┴──────finished───────┴──▶ passed failed error cancelled timeout
//
//	any non-terminal ──no sign of life, or superseded──▶ interrupted
//	interrupted ──any real event──▶ what the events say
//	passed ──a failed validation, whenever it arrives──▶ failed
//
// A run is superseded by a start without a runid that opens the next one. That a
// run shows no sign of life is stated by package liveness.
//
// Non-obvious, and the cause of bugs elsewhere:
//   - Of several finished events the lowest in order decides, not the first to
//     arrive.
//   - requested never takes a running run back to pending, whatever its time.
//   - interrupted carries the number of real events seen and holds only while
//     that number stands; nobody has to take it back.
//   - A start that shows another beginning opens a run of its own also after an
//     end or an interruption that is dated later: clocks overlap, and a reader
//     that lags notices a silence after the next run has begun.
//   - A time in the far future is compared with nothing: a run that seems to end
//     in ten years would swallow all runs until then.
//   - Counters are exact because an event is applied once: identity is checked
//     before the fold, never inside it.
package execution
