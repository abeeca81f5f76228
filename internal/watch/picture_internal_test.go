package watch

import (
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

// at is a state of a timeline, a run and a row version.
func at(timeline uint32, run execution.RunNumber, row int64, status execution.Status) State {
	return State{Version: redisstore.NewVersion(timeline, run, row), Live: execution.Live{Status: status}}
}

func TestAPictureTakesWhatIsNewerAndPostgreSQLsWord(t *testing.T) {
	t.Parallel()
	const running = execution.StatusRunning
	held := at(2, 3, 10, running)
	for name, c := range map[string]struct {
		known State // that the picture had when it was asked; it has held now
		told  answer
		news  bool
		gone  bool
	}{
		"a newer row":                    {held, answer{at(2, 3, 11, running), false}, true, false},
		"a newer run":                    {held, answer{at(2, 4, 1, running), false}, true, false},
		"a newer timeline":               {held, answer{at(3, 1, 1, running), true}, true, false},
		"nothing newer":                  {held, answer{}, false, false},
		"the same":                       {held, answer{held, true}, false, false},
		"an older one of Redis":          {held, answer{at(2, 3, 9, running), false}, false, false},
		"an older one of PostgreSQL":     {held, answer{at(2, 3, 9, running), true}, true, false},
		"an older one, asked before":     {at(2, 3, 8, running), answer{at(2, 3, 9, running), true}, false, false},
		"nothing in PostgreSQL":          {held, answer{State{}, true}, true, true},
		"nothing there, asked before it": {State{}, answer{State{}, true}, false, false},
	} {
		p := &picture{state: held}
		news := p.take(question{Known: redisstore.Known{Version: c.known.Version}}, c.told, time.Now())
		want := held.Version
		if c.news {
			want = c.told.state.Version
		}
		if news != c.news || p.gone != c.gone || p.state.Version != want {
			t.Errorf("%s: news %t, gone %t, state %s; want %t, %t, %s", name, news, p.gone, p.state.Version, c.news, c.gone, want)
		}
	}
}

func TestPostgreSQLIsAskedNowAndThen(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	for status, again := range map[execution.Status]time.Duration{execution.StatusRunning: askEvery, execution.StatusPassed: checkEvery} {
		p := &picture{checkAt: begun.Add(checkEvery)}
		if q := p.due(redisstore.Known{}, begun); !q.ask || q.check {
			t.Errorf("first: %+v, want to be asked if Redis cannot tell", q)
		}
		p.take(question{}, answer{at(1, 1, 1, status), true}, begun)
		if q := p.due(redisstore.Known{}, begun.Add(again-1)); q.ask || q.check {
			t.Errorf("%s, soon after: %+v", status, q)
		}
		if q := p.due(redisstore.Known{}, begun.Add(again)); !q.ask {
			t.Errorf("%s, after %v: not asked", status, again)
		}
		if q := p.due(redisstore.Known{}, begun.Add(checkEvery)); !q.check {
			t.Errorf("%s, after %v: not checked", status, checkEvery)
		}
	}
}
