package redisstore_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

var epoch = redisstore.Epoch{System: "7000.1", Timeline: 1, Position: 100}

// newer reads what is newer than these row versions of the first run; 0 stands for
// none.
func newer(t *testing.T, store *redisstore.Store, rows map[execution.ID]int64) redisstore.Picture {
	t.Helper()
	var known []redisstore.Known
	for id, row := range rows {
		known = append(known, redisstore.Known{ExecutionID: id, Version: redisstore.NewVersion(1, 1, row)})
	}
	picture, err := store.Newer(t.Context(), known)
	if err != nil {
		t.Fatalf("read newer states: %v", err)
	}
	return picture
}

func TestNewerTellsApartWhatIsNewerTheSameAndNotToBeTold(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(m mode) {
		t, store := m.t, m.store
		must(t, store.SetSentinel(t.Context(), epoch))
		rows := map[execution.ID]int64{"new": 0, "newer": 2, "same": 3, "older": 4, "none": 1, "odd": 1, "torn": 1, "ahead": 3}
		want := redisstore.Picture{Newer: map[execution.ID]redisstore.Entry{}, Same: map[execution.ID]bool{"same": true, "ahead": true}, Epoch: epoch}
		for id := range rows {
			live := running(3)
			live.ExecutionID = id
			switch id {
			case "none":
				continue
			case "new", "newer":
				want.Newer[id] = redisstore.Entry{Version: redisstore.NewVersion(1, 1, 3), Live: live}
			}
			apply(t, store, live)
		}
		must(t, m.srv.Set(t.Context(), "test:{exec:odd}:state", "of another kind", 0).Err())
		must(t, m.srv.HDel(t.Context(), "test:{exec:torn}:state", "events").Err())
		if diff := cmp.Diff(want, newer(t, store, rows)); diff != "" {
			t.Errorf("picture (-want +got):\n%s", diff)
		}
	})
}

// A writer without scripts writes the stream first: what is newer there is told, if
// the hash is looked at at all.
func TestNewerReadsTheStreamToo(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	store := open(t, redisstore.Config{URL: srv.URL()})
	must(t, store.SetSentinel(t.Context(), epoch))
	apply(t, store, running(2))
	apply(t, store, running(3))
	must(t, srv.HSet(t.Context(), "test:{exec:"+string(id)+"}:state", "version", string(redisstore.NewVersion(1, 1, 2))).Err())
	if got := newer(t, store, map[execution.ID]int64{id: 1}).Newer[id].Version; got != redisstore.NewVersion(1, 1, 3) {
		t.Errorf("version %s", got)
	}
}

func TestNewerTellsNothingOfContentThatNobodyVouchesFor(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	store := open(t, redisstore.Config{URL: srv.URL()})
	apply(t, store, running(3))
	if p := newer(t, store, map[execution.ID]int64{id: 1}); len(p.Newer) > 0 || p.Epoch != (redisstore.Epoch{}) {
		t.Errorf("without a sentinel: %+v", p)
	}
	must(t, srv.Kill())
	if _, err := store.Newer(t.Context(), []redisstore.Known{{ExecutionID: id}}); err == nil {
		t.Error("no error of a server that is gone")
	}
}
