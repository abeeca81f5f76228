package coordsim

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// director is what all plays of a simulation share: the options, chance, and the
// numbering of events.
type director struct {
	Options
	random *rand.Rand
	events int
	runs   int
}

// eventID is the next event id.
func (d *director) eventID() string {
	d.events++
	return fmt.Sprintf("%s-%06d", d.Instance, d.events)
}

// form is any of the forms in use.
func (d *director) form() Form { return d.Forms[d.random.IntN(len(d.Forms))] }

// said is something that a play sends.
type said struct {
	at   float64 // when it arrives, from 0 to 1 of the simulation
	play string
	kind Kind

	out  event.Outgoing // of an event
	form Form

	malformed kafkarecord.Record // of a malformed one
	topic     Topic
	reason    fact.Reason
}

func (s *said) record() (Record, error) {
	if s.kind == Malformed {
		return Record{Record: s.malformed, Topic: s.topic, Kind: Malformed, Reason: s.reason, Play: s.play}, nil
	}
	r, err := encode(s.out, s.form)
	r.Kind, r.Play = s.kind, s.play
	return r, err
}

// order is how the events of a play arrive.
type order int

const (
	inOrder   order = iota
	neighbour       // now and then two neighbours have changed places
	shuffled        // in any order
)

// script collects what one play says. It is written in the order in which
// things happen; arrivals decides when each of them is sent.
type script struct {
	*director
	name, about string
	runs        []*Expectation
	said        []said

	begin, end float64 // the share of the simulation in which it is sent
	order      order
	repeats    float64 // share of the events that are sent again
}

func newScript(d *director, name, about string) *script {
	return &script{director: d, name: name, about: about, end: 1, repeats: 0.02}
}

// during sets the share of the simulation in which the play is sent.
func (s *script) during(begin, end float64) { s.begin, s.end = begin, end }

// say adds an event.
func (s *script) say(o event.Outgoing) {
	s.said = append(s.said, said{play: s.name, kind: Event, out: o, form: s.form()})
}

// saySpoilt adds a record that must be quarantined.
func (s *script) saySpoilt(topic Topic, reason fact.Reason, r kafkarecord.Record) {
	s.said = append(s.said, said{play: s.name, kind: Malformed, malformed: r, topic: topic, reason: reason})
}

// arrivals are what was said, with the time at which each is sent, and with the
// repetitions.
func (s *script) arrivals() []said {
	all := slices.Clone(s.said)
	step := (s.end - s.begin) / float64(max(1, len(all)))
	for i := range all {
		all[i].at = s.begin + (float64(i)+0.5)*step
	}
	switch s.order {
	case shuffled:
		for i := range all {
			all[i].at = s.begin + s.random.Float64()*(s.end-s.begin)
		}
	case neighbour:
		for i := 1; i < len(all); i += 2 + s.random.IntN(8) {
			all[i-1].at, all[i].at = all[i].at, all[i-1].at
		}
	case inOrder:
	}
	return append(all, s.repetitions(all)...)
}

// repetitions are events sent again, some time after the first: half of them
// exactly as they were, as a producer does that has missed an acknowledgement,
// half in another form.
func (s *script) repetitions(all []said) []said {
	var again []said
	for n := 0; float64(n) < s.repeats*float64(len(all)); n++ {
		first := all[s.random.IntN(len(all))]
		if first.kind != Event {
			continue
		}
		first.kind = Duplicate
		if n%2 == 1 {
			first.form = s.form()
		}
		first.at += (1 - first.at) * s.random.Float64() * s.random.Float64() // sooner is likelier
		again = append(again, first)
	}
	return again
}
