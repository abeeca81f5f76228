// Package scenario holds the rules about what is to be run: definitions and
// their versions, templates with typed parameters, the dependency graph,
// schedules, and the fold of the events that state them.
//
// Everything here is a pure function of its arguments: the package opens
// nothing, logs nothing and asks no clock. It knows nothing of Kafka, of
// tables or of how a run goes (package execution), and of runs only that they
// passed, ended or are active; what is wrong with an input comes back as
// [Problems], all of them at once, and leaves as one [fact.Rejection].
//
// The parts:
//
//   - [ParseDefinition] reads the definition language, or finds that a text is
//     opaque and leaves it alone.
//   - [Definition.Extend] and [Definition.Instantiate] turn a template into a
//     scenario.
//   - [DiffDefinitions] compares two versions, by content where both have one.
//   - [Graph] finds cycles among the dependencies that require something,
//     the order in which scenarios can run, and what lies around one of them.
//   - [CheckReadiness] says whether a scenario may run now, and why not;
//     [NeededFacts] says what must be known for that.
//   - [ValidateSchedule] and [Schedule.Next] say when a schedule is due,
//     [Schedule.Preview] what the clocks' changes do to it.
//   - [ScheduleState.Plan] and [ScheduleState.Trigger] make the occurrences of a
//     schedule, [ScheduleState.Settle] and [Schedule.Admit] say whether one may be
//     started.
//   - [Event.Check] decides everything about an event that needs no other row.
//   - [Catalog] is what a set of events folds to, whatever their order.
package scenario
