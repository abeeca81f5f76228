package retention

import (
	"math/bits"
	"strings"
)

// Kinds is a set of kinds of data.
type Kinds uint8

// Kinds of data of a run. Run is its row, and goes only when all others do.
const (
	Logs      Kinds = 1 << iota // log lines
	Snapshots                   // system snapshots
	Events                      // the timeline, annotations, and with them what identifies events
	Results                     // phases, steps, faults, validations
	Reports                     // test reports
	Run                         // the row of the run with its details
)

// Everything is all that there is of a run.
const Everything = Logs | Snapshots | Events | Results | Reports | Run

// Figures are the kinds that the analysts' figures are made from.
const Figures = Results | Run

const numKinds = 6

var kindNames = [numKinds]string{"logs", "snapshots", "events", "results", "reports", "run"}

// KindNames are the names of the kinds, in order.
func KindNames() []string { return append([]string(nil), kindNames[:]...) }

// ParseKind reads the name of one kind.
func ParseKind(name string) (Kinds, bool) {
	for i, known := range kindNames {
		if name == known {
			return 1 << i, true
		}
	}
	return 0, false
}

// ParseKinds reads names; unknown ones are left out.
func ParseKinds(names []string) (all Kinds) {
	for _, name := range names {
		k, _ := ParseKind(name)
		all |= k
	}
	return all
}

// Has tells whether all of other are in the set.
func (k Kinds) Has(other Kinds) bool { return k&other == other }

// Each are the kinds of the set, one by one, in order.
func (k Kinds) Each() []Kinds {
	each := make([]Kinds, 0, bits.OnesCount8(uint8(k)))
	for i := range kindNames {
		if one := Kinds(1) << i; k.Has(one) {
			each = append(each, one)
		}
	}
	return each
}

// Names are the names of the kinds of the set.
func (k Kinds) Names() []string {
	names := make([]string, 0, len(kindNames))
	for i, name := range kindNames {
		if k.Has(1 << i) {
			names = append(names, name)
		}
	}
	return names
}

// String is the names, joined by commas.
func (k Kinds) String() string { return strings.Join(k.Names(), ",") }
