package redisstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

func wantFindings(t *testing.T, store *redisstore.Store, want ...string) {
	t.Helper()
	var got []string
	for _, f := range store.Findings() {
		got = append(got, f.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestServerWithEverythingHasNoFindings(t *testing.T) {
	t.Parallel()
	store := open(t, redisstore.Config{URL: startServer(t).URL()})
	wantFindings(t, store)
	want := redisstore.Capabilities{Checked: true, Scripts: true, Info: true, Writes: true}
	if got := store.Capabilities(); got != want || !store.Up() {
		t.Errorf("capabilities = %+v, up = %t, want %+v", got, store.Up(), want)
	}
}

func TestEcosystemUserIsToldWhatItLacks(t *testing.T) {
	t.Parallel()
	srv := startServer(t, "maxmemory 100mb", "maxmemory-policy allkeys-lfu", adapterACL)
	store := open(t, redisstore.Config{URL: srv.adapterURL()})
	want := redisstore.Capabilities{Checked: true, Writes: true}
	if got := store.Capabilities(); got != want || !store.Up() {
		t.Errorf("capabilities = %+v, up = %t, want %+v", got, store.Up(), want)
	}
	scripts := "user test-adapter may not run EVAL, EVALSHA: live state is written by plain commands, in three round trips, and checked on read. Remedy: ACL SETUSER test-adapter +eval +evalsha"
	info := "user test-adapter may not run INFO: eviction policy and role are not checked, and a restart is noticed only when data was lost with it. Remedy: ACL SETUSER test-adapter +info"
	ping := "user test-adapter may not run PING: nothing is degraded, connections are probed by reading a key. Remedy: ACL SETUSER test-adapter +ping"
	multi := "user test-adapter may not run MULTI: nothing is degraded, no transactions are used. Remedy: ACL SETUSER test-adapter +multi +exec +discard"
	publish := "user test-adapter may not run PUBLISH: nothing is degraded, followers read streams. Remedy: ACL SETUSER test-adapter +publish &test:*"
	wantFindings(t, store, scripts, info, ping, multi, publish)

	// Each remedy, run as it stands, settles its finding and no other.
	eviction := "maxmemory-policy is allkeys-lfu, not noeviction: live state, streams and hints may vanish under memory pressure; readers fall back to PostgreSQL, and losing the sentinel causes a sweep. Remedy: CONFIG SET maxmemory-policy noeviction, or give the adapter a Redis of its own"
	left := [][]string{
		{info, ping, multi, publish},
		{eviction, ping, multi, publish},
		{eviction, multi, publish},
		{eviction, publish},
		{eviction},
	}
	for i, f := range store.Findings() {
		var line []any
		for _, word := range strings.Fields(f.Remedy) {
			line = append(line, word)
		}
		if err := srv.Do(t.Context(), line...).Err(); err != nil {
			t.Fatalf("run remedy %q: %v", f.Remedy, err)
		}
		if err := store.Check(t.Context()); err != nil {
			t.Fatalf("check: %v", err)
		}
		wantFindings(t, store, left[i]...)
	}
	if got, want := apply(t, store, running(1)), (redisstore.Outcome{Applied: 1}); got != want {
		t.Errorf("outcome with scripts = %+v, want %+v", got, want)
	}
}

func TestFindingsAreLoggedOnceAndWhenTheyAreSettled(t *testing.T) {
	t.Parallel()
	srv := startServer(t, "user test-adapter on >pw ~test:* +@all -eval -evalsha &*")
	var lines bytes.Buffer
	store, err := redisstore.Open(t.Context(), redisstore.Config{URL: srv.adapterURL()}, zerolog.New(&lines))
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() { _ = store.Close() })
	for range 3 {
		if err := store.Check(t.Context()); err != nil {
			t.Fatalf("check: %v", err)
		}
	}
	if err := srv.Do(t.Context(), "ACL", "SETUSER", "test-adapter", "+eval", "+evalsha").Err(); err != nil {
		t.Fatalf("grant: %v", err)
	}
	if err := store.Check(t.Context()); err != nil {
		t.Fatalf("check: %v", err)
	}
	want := `{"level":"warn","subject":"scripts","effect":"live state is written by plain commands, in three round trips, and checked on read","remedy":"ACL SETUSER test-adapter +eval +evalsha","message":"redis: user test-adapter may not run EVAL, EVALSHA"}
{"level":"info","subject":"scripts","message":"redis finding is settled"}
`
	if diff := cmp.Diff(want, lines.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestRightTakenAwayWhileRunningDegradesAtOnce(t *testing.T) {
	t.Parallel()
	srv := startServer(t, "user test-adapter on >pw ~test:* +@all &*")
	store := open(t, redisstore.Config{URL: srv.adapterURL()})
	apply(t, store, running(1))
	if err := srv.Do(t.Context(), "ACL", "SETUSER", "test-adapter", "-eval", "-evalsha").Err(); err != nil {
		t.Fatalf("take the right away: %v", err)
	}
	if got, want := apply(t, store, running(2)), (redisstore.Outcome{Applied: 1, Plain: true}); got != want {
		t.Errorf("outcome = %+v, want %+v", got, want)
	}
	wantSubjects(t, store, "scripts")
	wantStream(t, store, "", 1, 2)

	// A command that no check tries.
	if err := srv.Do(t.Context(), "ACL", "SETUSER", "test-adapter", "-zrange").Err(); err != nil {
		t.Fatalf("take the right away: %v", err)
	}
	if _, err := store.ActiveMembers(t.Context()); !errors.Is(err, redisstore.ErrDenied) {
		t.Errorf("active members: error = %v, want %v", err, redisstore.ErrDenied)
	}
	findings := store.Findings()
	got := findings[len(findings)-1].String()
	if want := "user test-adapter may not run ZRANGE: the feature that needs it is not available. Remedy: ACL SETUSER test-adapter +zrange"; got != want {
		t.Errorf("finding = %q, want %q", got, want)
	}
}

func TestWhatKeepsRedisFromBeingUsedAtAll(t *testing.T) {
	t.Parallel()
	srv := startServer(t, adapterACL, "user elsewhere on >pw ~market:* +@all &*")
	tests := map[string]struct {
		url  string
		want string
		err  error
	}{
		"database number": {
			srv.adapterURL() + "/1",
			"user test-adapter may not run SELECT, and the URL names a database other than 0: Redis is not used at all. Remedy: take the database number out of the URL, or ACL SETUSER test-adapter +select",
			redisstore.ErrDenied,
		},
		"other prefix": {
			"redis://elsewhere:pw@" + srv.Addr(),
			`user elsewhere may not touch keys of prefix "test:": Redis is not used at all. Remedy: ACL SETUSER elsewhere ~test:*`,
			redisstore.ErrDenied,
		},
		"wrong password": {
			"redis://test-adapter:secret@" + srv.Addr(),
			"Redis refuses the credentials of user test-adapter: live state, hints and the active set are not kept; ingest goes on, and a sweep follows when it is back. Remedy: correct user and password in the URL",
			redisstore.ErrUnavailable,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := open(t, redisstore.Config{URL: test.url})
			wantFindings(t, store, test.want)
			_, err := store.ApplyStates(t.Context(), []execution.Live{running(1)}, 1)
			if !errors.Is(err, test.err) {
				t.Errorf("apply states: error = %v, want %v", err, test.err)
			}
			if known, err := store.Known(t.Context(), []redisstore.Hint{hint("a")}); known[0] || !errors.Is(err, test.err) {
				t.Errorf("known = %v, %v, want false and %v", known, err, test.err)
			}
			wantFindings(t, store, test.want)
		})
	}
}

func TestReplicaIsReadAndNotWritten(t *testing.T) {
	t.Parallel()
	primary := startServer(t, "repl-diskless-sync-delay 0")
	apply(t, open(t, redisstore.Config{URL: primary.URL()}), running(1))
	host, port, _ := net.SplitHostPort(primary.Addr())
	replica := startServer(t, "replicaof "+host+" "+port, adapterACL)
	testenv.Eventually(t, "the replica has the state", func() bool {
		return replica.Exists(t.Context(), "test:{exec:"+string(id)+"}:state").Val() == 1
	})

	store := open(t, redisstore.Config{URL: replica.URL()})
	wantFindings(t, store, "the server is a replica of "+host+":"+port+": live state and hints are not written; readers fall back to PostgreSQL. Remedy: point the URL at the primary")
	wantState(t, store, running(1))
	// Without INFO the refused write tells the same.
	blind := open(t, redisstore.Config{URL: replica.adapterURL()})
	wantSubjects(t, blind, "replica", "scripts", "info", "ping", "transactions", "publish")

	for name, s := range map[string]*redisstore.Store{"scripts": store, "plain": blind} {
		if _, err := s.ApplyStates(t.Context(), []execution.Live{running(2)}, 1); !errors.Is(err, redisstore.ErrReadOnly) {
			t.Errorf("%s: apply states: error = %v, want %v", name, err, redisstore.ErrReadOnly)
		}
		if err := s.MarkKnown(t.Context(), []redisstore.Hint{hint("a")}); !errors.Is(err, redisstore.ErrReadOnly) {
			t.Errorf("%s: mark known: error = %v, want %v", name, err, redisstore.ErrReadOnly)
		}
		if !s.Up() {
			t.Errorf("%s: a replica counts as an outage", name)
		}
	}
}

func TestFullServerKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(m mode) {
		t, srv, store := m.t, m.srv, m.store
		apply(t, store, running(1))
		if err := srv.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
			t.Fatalf("fill the memory: %v", err)
		}
		if _, err := store.ApplyStates(t.Context(), []execution.Live{running(2)}, 1); !errors.Is(err, redisstore.ErrFull) {
			t.Errorf("apply states: error = %v, want %v", err, redisstore.ErrFull)
		}
		wantState(t, store, running(1))
		wantStream(t, store, "", 1)
		if err := store.Check(t.Context()); err != nil {
			t.Fatalf("check: %v", err)
		}
		if got, want := store.Findings()[0].String(), "Redis has reached maxmemory and may evict nothing: live state and hints are not written; readers fall back to PostgreSQL. Remedy: CONFIG SET maxmemory <more>"; got != want {
			t.Errorf("finding = %q, want %q", got, want)
		}
		if err := srv.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
			t.Fatalf("free the memory: %v", err)
		}
		apply(t, store, running(2))
		wantState(t, store, running(2))
	})
}

func infoValue(t *testing.T, srv *server, name string) string {
	t.Helper()
	_, rest, found := strings.Cut(srv.Info(t.Context()).Val(), "\r\n"+name+":")
	if !found {
		t.Fatalf("INFO has no %s", name)
	}
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

// Under the ecosystem's policy anything may vanish at any time, the sentinel
// too. What is left must never be older than what was there.
func TestEvictionLosesStatesAndTakesNoneBack(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(m mode) {
		t, srv, store := m.t, m.srv, m.store
		const latest = 20
		apply(t, store, running(latest))
		used, err := strconv.Atoi(infoValue(t, srv, "used_memory"))
		if err != nil {
			t.Fatalf("used memory: %v", err)
		}
		for name, value := range map[string]string{"maxmemory-policy": "allkeys-lfu", "maxmemory": strconv.Itoa(used + 256<<10)} {
			if err := srv.ConfigSet(t.Context(), name, value).Err(); err != nil {
				t.Fatalf("set %s: %v", name, err)
			}
		}
		for batch := 0; infoValue(t, srv, "evicted_keys") == "0"; batch++ {
			states := make([]execution.Live, 100)
			for i := range states {
				states[i] = running(1)
				states[i].ExecutionID = execution.ID(fmt.Sprintf("exec-%d-%d", batch, i))
			}
			apply(t, store, states...)
		}
		wantLatestOrNone := func() {
			t.Helper()
			if got, _, ok, err := store.State(t.Context(), id); err != nil || ok && got.Version != latest {
				t.Fatalf("state is at row version %d, %v, want %d or none", got.Version, err, latest)
			}
		}
		wantLatestOrNone()
		if err := srv.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
			t.Fatalf("end the eviction: %v", err)
		}
		apply(t, store, running(latest)) // a sweep
		apply(t, store, running(latest-1))
		wantState(t, store, running(latest))
	})
}

func TestEmbeddedStandInIsUsedAsFarAsItGoes(t *testing.T) {
	t.Parallel()
	srv := miniredis.RunT(t)
	store := open(t, redisstore.Config{URL: "redis://" + srv.Addr()})
	wantFindings(t, store, "the server does not know maxmemory-policy: that check is skipped")
	apply(t, store, running(2))
	apply(t, store, running(1))
	wantState(t, store, running(2))
	wantStream(t, store, "", 2)
	apply(t, store, passed(3))
	if got, err := store.Active(t.Context(), 10); err != nil || len(got) != 0 {
		t.Errorf("active = %v, %v, want none", got, err)
	}
	if err := store.MarkKnown(t.Context(), []redisstore.Hint{hint("a")}); err != nil {
		t.Fatalf("mark known: %v", err)
	}
	if known, err := store.Known(t.Context(), []redisstore.Hint{hint("a"), hint("b")}); err != nil || !known[0] || known[1] {
		t.Errorf("known = %v, %v, want the first only", known, err)
	}
	if deleted, err := store.DeleteOwnKeys(t.Context()); err != nil || deleted != 3 { // state, stream, hint
		t.Errorf("deleted = %d, %v, want 3", deleted, err)
	}
}

func TestConfigurationThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]redisstore.Config{
		"no URL":           {},
		"scheme":           {URL: "postgres://localhost"},
		"password in port": {URL: "redis://user:hunter2/x@localhost:6379"},
		"cluster scheme":   {URL: "http://user:hunter2@localhost", Cluster: true},
		"brace in prefix":  {URL: "redis://localhost", Prefix: "{test}:"},
	}
	for name, cfg := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, err := redisstore.Open(t.Context(), cfg, zerolog.Nop())
			if err == nil {
				_ = store.Close()
				t.Fatal("opened")
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}
