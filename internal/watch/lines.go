package watch

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// Mark is a place among the log lines of a run, in the order in which they were
// accepted: behind all that came with its first Arrival events. They are Lines.
type Mark struct {
	Run     execution.RunNumber `json:"r"`
	Arrival int64               `json:"a"`
	Lines   int64               `json:"l"`
	Newest  time.Time           `json:"t"` // the latest time among them: where to look for the next
}

// Token is the mark as a text.
func (m Mark) Token() string {
	raw, err := json.Marshal(m)
	if err != nil {
		panic("a mark has a JSON form: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// ParseMark reads what Token writes. The error is ErrToken.
func ParseMark(token string) (m Mark, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(raw, &m) != nil || m.Run < 1 || m.Arrival < 0 || m.Lines < 0 {
		return Mark{}, ErrToken
	}
	return m, nil
}

// Lines gives the log lines of a run after a mark, each once, in the order in which
// they were accepted. They are stored in the order of their times, and a line may
// come late; that none is missing follows from the run's row, which says how many
// there are.
type Lines struct {
	store *pgstore.Store
	key   pgstore.RunKey
	mark  Mark

	run    pgstore.LoggedRun  // as it was last read
	found  []pgstore.LogEvent // that come next, and are not given yet
	beyond bool               // there are more
}

const (
	// linesAtOnce is how many lines are read at a time; those of an event, of which
	// there may be a thousand, are not separated.
	linesAtOnce = 500
	// eventsAtOnce is how many events are found at a time.
	eventsAtOnce = 2000
	// lateness is how much older than the newest line one may be, to be found
	// without looking at all that the run has.
	lateness = time.Minute
)

// FollowLines begins behind the events that the run has now. last are the last lines
// by their times, at most tail, in the order in which they were accepted. The error is
// pgstore.ErrNotFound, or another of PostgreSQL.
func (h *Hub) FollowLines(ctx context.Context, k pgstore.RunKey, tail int) (l *Lines, last []pgstore.StoredLine, err error) {
	run, err := h.store.LoggedRun(ctx, k)
	if err != nil {
		return nil, nil, err
	}
	last, err = h.store.LastLines(ctx, run, run.Arrival, max(tail, 1)) // one is wanted for its time
	if err != nil {
		return nil, nil, err
	}
	l = &Lines{store: h.store, key: k, run: run, mark: Mark{Run: k.Number, Arrival: run.Arrival, Lines: run.Lines}}
	if len(last) > 0 {
		l.mark.Newest = last[0].Time
	}
	last = last[:min(len(last), tail)]
	slices.SortFunc(last, inOrderOfArrival)
	return l, last, nil
}

// ResumeLines begins at a mark.
func (h *Hub) ResumeLines(id execution.ID, mark Mark) *Lines {
	return &Lines{store: h.store, key: pgstore.RunKey{ID: id, Number: mark.Run}, mark: mark}
}

// Mark is the place behind all that was given.
func (l *Lines) Mark() Mark { return l.mark }

// Quiet tells whether the run had ended when it was last read, had not changed for
// some time before now, and nothing of it is left to be given.
func (l *Lines) Quiet(now time.Time, some time.Duration) bool {
	return l.run.Status.Terminal() && len(l.found) == 0 && !l.beyond && l.run.Lines == l.mark.Lines && now.Sub(l.run.ChangedAt) >= some
}

// Next gives the lines that come next, of whole events; none when there are no more
// just now. The error is ErrLost, when what is stored does not follow on the mark, or
// one of PostgreSQL.
func (l *Lines) Next(ctx context.Context, now time.Time) ([]pgstore.StoredLine, error) {
	if len(l.found) == 0 {
		if err := l.find(ctx, now); err != nil || len(l.found) == 0 {
			return nil, err
		}
	}
	events, n := cut(l.found)
	first, last := events[0].First, events[0].Last
	for _, e := range events {
		if e.First.Before(first) {
			first = e.First
		}
		if e.Last.After(last) {
			last = e.Last
		}
	}
	until := events[len(events)-1].Arrival
	lines, err := l.store.LinesOf(ctx, l.run, l.mark.Arrival, until, first, last)
	if err != nil {
		return nil, err
	}
	if int64(len(lines)) != n {
		return nil, ErrLost
	}
	l.found = l.found[len(events):]
	if len(l.found) == 0 && !l.beyond {
		until = l.run.Arrival
	}
	l.mark.Arrival, l.mark.Lines = until, l.mark.Lines+n
	if last.After(l.mark.Newest) {
		l.mark.Newest = last
	}
	return lines, nil
}

// cut takes so many of the first events that they have about linesAtOnce lines, and
// gives how many they have.
func cut(events []pgstore.LogEvent) ([]pgstore.LogEvent, int64) {
	n := events[0].Lines
	for i := 1; i < len(events); i++ {
		if n+events[i].Lines > linesAtOnce {
			return events[:i], n
		}
		n += events[i].Lines
	}
	return events, n
}

// find finds the events that come next. Most lines are about as new as the newest;
// where fewer are found than there must be, all of the run are looked at.
func (l *Lines) find(ctx context.Context, now time.Time) error {
	run, err := l.store.LoggedRun(ctx, l.key)
	if err != nil {
		return err
	}
	l.run, l.beyond = run, false
	missing := run.Lines - l.mark.Lines
	switch {
	case missing < 0 || run.Arrival < l.mark.Arrival:
		return ErrLost
	case missing == 0:
		l.mark.Arrival = run.Arrival
		return nil
	}
	since := l.mark.Newest
	if since.After(now) {
		since = now // a clock that went ahead would have every line taken for late
	}
	var total int64
	for _, from := range []time.Time{since.Add(-lateness), {}} {
		l.found, total, err = l.store.LogEvents(ctx, run, l.mark.Arrival, run.Arrival, from, eventsAtOnce)
		if err != nil {
			return err
		}
		if total == missing {
			break
		}
	}
	if total != missing {
		l.found = nil
		return ErrLost
	}
	for _, e := range l.found {
		total -= e.Lines
	}
	l.beyond = total > 0
	return nil
}

func inOrderOfArrival(a, b pgstore.StoredLine) int {
	if a.Arrival != b.Arrival {
		return int(min(max(a.Arrival-b.Arrival, -1), 1))
	}
	return int(a.Place - b.Place)
}
