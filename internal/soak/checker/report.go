package checker

import (
	"fmt"
	"io"
	"sync"
)

// Class says in which way something is not as it must be.
type Class string

// The classes.
const (
	Lost    Class = "lost"    // a record or its effect is missing
	Doubled Class = "doubled" // it has had its effect more than once
	Wrong   Class = "wrong"   // it is there, and differs
)

// Finding is one thing that is not as it must be.
type Finding struct {
	Class Class  `json:"class"`
	Where string `json:"where"` // record coordinates, run, partition
	Field string `json:"field"`
	Got   string `json:"got"`
	Want  string `json:"want"`
}

// String is the finding in one line.
func (f Finding) String() string {
	return fmt.Sprintf("%-7s %s: %s is %s, want %s", f.Class, f.Where, f.Field, f.Got, f.Want)
}

// Report is what was judged and what was found.
type Report struct {
	Records     int64 `json:"records"`     // in Kafka
	Applied     int64 `json:"applied"`     // of those
	Duplicates  int64 `json:"duplicates"`  // of those
	Quarantined int64 `json:"quarantined"` // of those
	OwnEvents   int64 `json:"own_events"`  // of the service
	Calls       int64 `json:"calls"`       // to the API that write, answered
	Commands    int64 `json:"commands"`    // published, repetitions included
	Runs        int64 `json:"runs"`
	Definitions int64 `json:"definitions"` // scenarios, templates, schedules
	LiveStates  int64 `json:"live_states"` // in Redis

	PrunedRuns   int64 `json:"pruned_runs"`   // that have lost something
	PrunedWhole  int64 `json:"pruned_whole"`  // of those, everything
	PrunedEvents int64 `json:"pruned_events"` // of the applied records

	Lost    int64 `json:"lost"`
	Doubled int64 `json:"doubled"`
	Wrong   int64 `json:"wrong"`

	// Undecided counts execution ids whose order of acceptance across partitions
	// could not be told, so that the runs of their events were not judged.
	Undecided int64 `json:"undecided"`

	// Examples are the first findings of each class.
	Examples []Finding `json:"examples,omitempty"`

	mu sync.Mutex
}

// examplesOf is how many findings of a class are told.
const examplesOf = 10

func (r *Report) add(f Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.count(f.Class)
	if *n++; *n <= examplesOf {
		r.Examples = append(r.Examples, f)
	}
}

// counted adds to one of the sums.
func (r *Report) counted(sum *int64, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*sum += n
}

func (r *Report) count(c Class) *int64 {
	switch c {
	case Lost:
		return &r.Lost
	case Doubled:
		return &r.Doubled
	case Wrong:
	}
	return &r.Wrong
}

// Count is the number of findings of a class.
func (r *Report) Count(c Class) int64 { return *r.count(c) }

// Empty tells whether there was nothing to judge.
func (r *Report) Empty() bool { return r.Records == 0 || r.Applied == 0 }

// Green tells whether something was judged and all of it is as it must be.
func (r *Report) Green() bool {
	return !r.Empty() && r.Lost == 0 && r.Doubled == 0 && r.Wrong == 0 && r.Undecided == 0
}

// Write tells people of it.
func (r *Report) Write(out io.Writer) {
	fmt.Fprintf(out, "judged: %d records (%d applied, %d duplicates, %d quarantined), %d own events, %d calls, %d commands, %d runs, %d definitions, %d live states\n",
		r.Records, r.Applied, r.Duplicates, r.Quarantined, r.OwnEvents, r.Calls, r.Commands, r.Runs, r.Definitions, r.LiveStates)
	fmt.Fprintf(out, "pruned: %d runs, %d of them whole, with %d of the applied records\n", r.PrunedRuns, r.PrunedWhole, r.PrunedEvents)
	fmt.Fprintf(out, "lost %d, doubled %d, wrong %d\n", r.Lost, r.Doubled, r.Wrong)
	if r.Undecided > 0 {
		fmt.Fprintf(out, "not decided for %d execution ids: in which order their events were accepted\n", r.Undecided)
	}
	if r.Empty() {
		fmt.Fprintln(out, "the history is empty: nothing is proven")
	}
	for _, f := range r.Examples {
		fmt.Fprintln(out, "  "+f.String())
	}
}
