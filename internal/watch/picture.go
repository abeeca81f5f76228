package watch

import (
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

// State is a state of the latest run of an execution, and its place in the order of
// all that the execution ever has. Texts are cut as Redis keeps them, wherever it was
// read, so that it is the same from either store.
type State = redisstore.Entry

// picture is what is known of an execution that somebody follows.
type picture struct {
	followers map[*Watch]struct{}

	state State // the newest; zero: none is known
	gone  bool  // PostgreSQL no longer has a run of it

	answered time.Time // when a store last told of it
	askAfter time.Time // when PostgreSQL may be asked again because Redis cannot tell
	checkAt  time.Time // when it is asked whatever Redis tells
}

// question is what a look asks about an execution.
type question struct {
	redisstore.Known
	atLeast redisstore.Version // an older state is no answer of Redis
	ask     bool               // PostgreSQL, if Redis cannot tell
	check   bool               // PostgreSQL, whatever Redis tells
}

// due is what a look at a time asks about the execution.
func (p *picture) due(known redisstore.Known, now time.Time) question {
	return question{Known: known, ask: !now.Before(p.askAfter), check: !now.Before(p.checkAt)}
}

// answer is what a look has found out about an execution.
type answer struct {
	state        State // zero: none, of Redis nothing newer
	fromPostgres bool
}

// take takes an answer in and tells whether followers have news. A state takes the
// place of an older one. Only PostgreSQL's word that it has none, or an older one,
// counts too, unless the picture has changed since it was asked: then it has gone
// back.
func (p *picture) take(asked question, a answer, now time.Time) (news bool) {
	p.answered = now
	if a.fromPostgres {
		p.checkAt, p.askAfter = now.Add(checkEvery), now.Add(askEvery)
		if a.state.Live.Status.Terminal() {
			p.askAfter = p.checkAt // hardly anything changes, and Redis forgets it
		}
	}
	switch {
	case a.state.Version > p.state.Version:
		p.state, p.gone = a.state, false
		return true
	case a.fromPostgres && a.state.Version < p.state.Version && p.state.Version == asked.Version:
		p.state, p.gone = a.state, a.state.Version == ""
		return true
	}
	return false
}

const (
	// askEvery is how often PostgreSQL is asked at most about executions of which
	// Redis cannot tell.
	askEvery = 500 * time.Millisecond
	// checkEvery is how often it is asked about every execution that is followed:
	// Redis may hold a state that is no longer written anew.
	checkEvery = 5 * time.Second
)
