package api_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/api"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1/testcoordinationv1connect"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// lockWorld is the API with a client of its LockService.
type lockWorld struct {
	*world
	locks testcoordinationv1connect.LockServiceClient
}

// withLocks runs a test with Redis, without it, and with one that has gone.
func withLocks(t *testing.T, test func(*lockWorld)) {
	t.Helper()
	for _, redis := range []string{"there", "none", "gone"} {
		t.Run("redis "+redis, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(p *api.Parts) {
				if redis == "none" {
					return
				}
				server := testenv.Redis(t)
				live, err := redisstore.Open(t.Context(), redisstore.Config{
					URL: server.URL(), Budget: testenv.Patience, HintBudget: testenv.Patience, DialTimeout: testenv.Patience,
				}, zerolog.Nop())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = live.Close() })
				p.Redis = live
				if redis == "gone" {
					if err := server.Kill(); err != nil {
						t.Fatal(err)
					}
				}
			})
			test(&lockWorld{world: w, locks: testcoordinationv1connect.NewLockServiceClient(http.DefaultClient, w.url, connect.WithProtoJSON())})
		})
	}
}

func (w *lockWorld) acquire(name, holder string) *contract.Lock {
	w.Helper()
	return call(w.world, w.locks.AcquireLock, &contract.AcquireLockRequest{Name: name, Holder: holder, Lease: durationpb.New(time.Hour), Purpose: "to run it"}).GetLock()
}

func token(name string, token int64) *contract.LockToken {
	return &contract.LockToken{Name: name, Token: token}
}

// metadata is what the ErrorInfo of an error tells programs.
func metadata(t testing.TB, err error) (told map[string]string, retry time.Duration) {
	t.Helper()
	var e *connect.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want one of Connect", err)
	}
	for _, d := range e.Details() {
		switch v, _ := d.Value(); v := v.(type) {
		case *errdetails.ErrorInfo:
			told = v.GetMetadata()
		case *errdetails.RetryInfo:
			retry = v.GetRetryDelay().AsDuration()
		}
	}
	return told, retry
}

func TestAcquireLock(t *testing.T) {
	t.Parallel()
	withLocks(t, func(w *lockWorld) {
		first := w.acquire("exec-1", "coord-a")
		if first.GetToken() != 1 || first.GetState() != "held" || first.GetHolder() != "coord-a" || first.GetPurpose() != "to run it" ||
			first.GetExpiresAt().AsTime().Sub(first.GetRenewedAt().AsTime()) != time.Hour || first.GetRemaining().AsDuration() <= 0 || first.GetRemaining().AsDuration() > time.Hour {
			w.Errorf("acquired: %v", first)
		}
		again := w.acquire("exec-1", "coord-a")
		if again.GetToken() != 1 || !again.GetAcquiredAt().AsTime().Equal(first.GetAcquiredAt().AsTime()) || !again.GetExpiresAt().AsTime().After(first.GetExpiresAt().AsTime()) {
			w.Errorf("a repeat: %v", again)
		}
		other := &contract.AcquireLockRequest{Name: "exec-1", Holder: "coord-b", Lease: durationpb.New(time.Second)}
		refused(w.world, w.locks.AcquireLock, other, connect.CodeFailedPrecondition, "lock_held")
		_, err := w.locks.AcquireLock(w.Context(), connect.NewRequest(other))
		told, retry := metadata(w, err)
		want := map[string]string{"name": "exec-1", "holder": "coord-a", "token": "1", "expires_at": again.GetExpiresAt().AsTime().Format(time.RFC3339Nano)}
		if diff := cmp.Diff(want, told); diff != "" || retry <= 0 || retry > time.Hour {
			w.Errorf("to be tried again in %s; metadata (-want +got):\n%s", retry, diff)
		}
		for field, m := range map[string]*contract.AcquireLockRequest{
			"name":    {Name: "exec 1", Holder: "b", Lease: durationpb.New(time.Second)},
			"holder":  {Name: "exec-1", Lease: durationpb.New(time.Second)},
			"lease":   {Name: "exec-1", Holder: "b", Lease: durationpb.New(time.Second - 1)},
			"purpose": {Name: "exec-1", Holder: "b", Lease: durationpb.New(time.Second), Purpose: "a\x00"},
		} {
			refused(w.world, w.locks.AcquireLock, m, connect.CodeInvalidArgument, "invalid_argument", field)
		}
		refused(w.world, w.locks.AcquireLock, &contract.AcquireLockRequest{Lease: durationpb.New(25 * time.Hour)}, connect.CodeInvalidArgument, "invalid_argument", "name", "holder", "lease")
	})
}

func TestRenewAndReleaseLock(t *testing.T) {
	t.Parallel()
	withLocks(t, func(w *lockWorld) {
		renew := func(n int64) *contract.RenewLockRequest {
			return &contract.RenewLockRequest{Lock: token("exec-1", n), Lease: durationpb.New(2 * time.Hour)}
		}
		first := w.acquire("exec-1", "coord-a")
		for range 2 {
			renewed := call(w.world, w.locks.RenewLock, renew(1)).GetLock()
			if renewed.GetToken() != 1 || renewed.GetRemaining().AsDuration() <= time.Hour || !renewed.GetAcquiredAt().AsTime().Equal(first.GetAcquiredAt().AsTime()) {
				w.Errorf("renewed: %v", renewed)
			}
		}
		released := call(w.world, w.locks.ReleaseLock, &contract.ReleaseLockRequest{Lock: token("exec-1", 1)}).GetLock()
		if released.GetState() != "released" || released.GetEndedAt() == nil || released.GetRemaining() != nil {
			w.Errorf("released: %v", released)
		}
		if diff := cmp.Diff(released, call(w.world, w.locks.ReleaseLock, &contract.ReleaseLockRequest{Lock: token("exec-1", 1)}).GetLock(), protocmp.Transform()); diff != "" {
			w.Errorf("released again (-first +repeat):\n%s", diff)
		}
		refused(w.world, w.locks.RenewLock, renew(1), connect.CodeAborted, "lock_lost")
		testenv.Eventually(w, "another has it", func() bool { // in a second at the latest, also if Redis was deaf for a moment
			_, err := w.locks.AcquireLock(w.Context(), connect.NewRequest(&contract.AcquireLockRequest{Name: "exec-1", Holder: "coord-b", Lease: durationpb.New(time.Hour)}))
			return err == nil
		})
		refused(w.world, w.locks.ReleaseLock, &contract.ReleaseLockRequest{Lock: token("exec-1", 1)}, connect.CodeAborted, "lock_lost")
		_, err := w.locks.RenewLock(w.Context(), connect.NewRequest(renew(1)))
		told, _ := metadata(w, err)
		want := map[string]string{"name": "exec-1", "token": "1", "cause": "taken", "current_holder": "coord-b", "current_token": "2", "current_state": "held"}
		if diff := cmp.Diff(want, told); diff != "" {
			w.Errorf("metadata of a loss (-want +got):\n%s", diff)
		}
		for _, n := range []int64{3, 1 << 62} {
			refused(w.world, w.locks.RenewLock, renew(n), connect.CodeAborted, "lock_not_held")
			refused(w.world, w.locks.ReleaseLock, &contract.ReleaseLockRequest{Lock: token("exec-1", n)}, connect.CodeAborted, "lock_not_held")
		}
		refused(w.world, w.locks.ReleaseLock, &contract.ReleaseLockRequest{Lock: token("nobody", 1)}, connect.CodeAborted, "lock_not_held")
		refused(w.world, w.locks.ReleaseLock, &contract.ReleaseLockRequest{}, connect.CodeInvalidArgument, "invalid_argument", "lock")
		refused(w.world, w.locks.RenewLock, &contract.RenewLockRequest{Lock: token("a b", 0)}, connect.CodeInvalidArgument, "invalid_argument", "lock.name", "lock.token", "lease")
	})
}

func TestALeaseThatRanOutIsToldToItsHolder(t *testing.T) {
	t.Parallel()
	withLocks(t, func(w *lockWorld) {
		brief := &contract.AcquireLockRequest{Name: "exec-1", Holder: "coord-a", Lease: durationpb.New(time.Second)}
		call(w.world, w.locks.AcquireLock, brief)
		testenv.Eventually(w, "the lease has run out", func() bool {
			return call(w.world, w.locks.GetLock, &contract.GetLockRequest{Name: "exec-1"}).GetLock().GetState() == "expired"
		})
		_, err := w.locks.RenewLock(w.Context(), connect.NewRequest(&contract.RenewLockRequest{Lock: token("exec-1", 1), Lease: durationpb.New(time.Second)}))
		if told, _ := metadata(w, err); connect.CodeOf(err) != connect.CodeAborted || told["cause"] != "expired" {
			w.Errorf("%v with %v", err, told)
		}
		if next := call(w.world, w.locks.AcquireLock, brief).GetLock(); next.GetToken() != 2 {
			w.Errorf("its holder comes back: %v", next)
		}
	})
}

func TestBreakLock(t *testing.T) {
	t.Parallel()
	withLocks(t, func(w *lockWorld) {
		w.acquire("exec-1", "coord-a")
		r := &contract.BreakLockRequest{Lock: token("exec-1", 1), Reason: "its host is gone"}
		broken := call(w.world, w.locks.BreakLock, r).GetLock()
		if broken.GetState() != "broken" || broken.GetEndReason() != "its host is gone" || broken.GetEndedBy() == "" || broken.GetEndedAt() == nil {
			w.Errorf("broken: %v", broken)
		}
		if diff := cmp.Diff(broken, call(w.world, w.locks.BreakLock, r).GetLock(), protocmp.Transform()); diff != "" {
			w.Errorf("broken again (-first +repeat):\n%s", diff)
		}
		_, err := w.locks.RenewLock(w.Context(), connect.NewRequest(&contract.RenewLockRequest{Lock: token("exec-1", 1), Lease: durationpb.New(time.Second)}))
		if told, _ := metadata(w, err); connect.CodeOf(err) != connect.CodeAborted || told["cause"] != "broken" {
			w.Errorf("%v with %v", err, told)
		}
		testenv.Eventually(w, "another has it", func() bool {
			_, err := w.locks.AcquireLock(w.Context(), connect.NewRequest(&contract.AcquireLockRequest{Name: "exec-1", Holder: "coord-b", Lease: durationpb.New(time.Hour)}))
			return err == nil
		})
		refused(w.world, w.locks.BreakLock, r, connect.CodeAborted, "lock_lost")
		refused(w.world, w.locks.BreakLock, &contract.BreakLockRequest{Lock: token("exec-1", 3), Reason: "r"}, connect.CodeAborted, "lock_not_held")
		refused(w.world, w.locks.BreakLock, &contract.BreakLockRequest{Lock: token("exec-1", 2)}, connect.CodeInvalidArgument, "invalid_argument", "reason")
		page, err := w.store.AuditLog(w.Context(), pgstore.AuditFilter{Subject: "exec-1", Page: 10})
		if err != nil || len(page) != 1 || page[0].Action != "lock.break" || page[0].Reason != "its host is gone" || page[0].Actor != broken.GetEndedBy() {
			w.Errorf("audit log is %+v, %v; want the one break", page, err)
		}
	})
}

func TestGetAndListLocks(t *testing.T) {
	t.Parallel()
	withLocks(t, func(w *lockWorld) {
		refused(w.world, w.locks.GetLock, &contract.GetLockRequest{Name: "exec-1"}, connect.CodeNotFound, "lock_not_found")
		refused(w.world, w.locks.GetLock, &contract.GetLockRequest{Name: "/"}, connect.CodeInvalidArgument, "invalid_argument", "name")
		for i := range 5 {
			w.acquire(fmt.Sprintf("exec-%d", i), "coord-a")
		}
		call(w.world, w.locks.ReleaseLock, &contract.ReleaseLockRequest{Lock: token("exec-2", 1)})
		if got := call(w.world, w.locks.GetLock, &contract.GetLockRequest{Name: "exec-1"}).GetLock(); got.GetState() != "held" || got.GetHolder() != "coord-a" || got.GetToken() != 1 {
			w.Errorf("read: %v", got)
		}
		for name, c := range map[string]struct {
			all  bool
			want string
		}{
			"held": {false, "exec-0 exec-1 | exec-3 exec-4 | "},
			"all":  {true, "exec-0 exec-1 | exec-2 exec-3 | exec-4 | "},
		} {
			var got strings.Builder
			r := &contract.ListLocksRequest{PageSize: 2, All: c.all}
			for {
				page := call(w.world, w.locks.ListLocks, r)
				for _, l := range page.GetLocks() {
					got.WriteString(l.GetName() + " ")
				}
				if len(page.GetLocks()) > 0 {
					got.WriteString("| ")
				}
				if r.PageToken = page.GetNextPageToken(); r.PageToken == "" {
					break
				}
			}
			if got.String() != c.want {
				w.Errorf("%s: %q, want %q", name, got.String(), c.want)
			}
		}
		next := call(w.world, w.locks.ListLocks, &contract.ListLocksRequest{PageSize: 2}).GetNextPageToken()
		refused(w.world, w.locks.ListLocks, &contract.ListLocksRequest{PageToken: next, All: true}, connect.CodeInvalidArgument, "invalid_argument", "page_token")
		refused(w.world, w.locks.ListLocks, &contract.ListLocksRequest{PageSize: 501}, connect.CodeInvalidArgument, "invalid_argument", "page_size")
	})
}

// A coordinator without a generated client sees this.
func TestLocksInPlainJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	post := func(procedure, body string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/testcoordination.v1.LockService/"+procedure, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	if code, text := post("AcquireLock", `{"name": "exec-1", "holder": "coord-a", "lease": "30s"}`); code != http.StatusOK || !strings.Contains(text, `"token":"1"`) || !strings.Contains(text, `"state":"held"`) {
		t.Errorf("acquire: %d %s", code, text)
	}
	if code, text := post("AcquireLock", `{"name": "exec-1", "holder": "coord-b", "lease": "30s"}`); code != http.StatusBadRequest || !strings.Contains(text, `"code":"failed_precondition"`) || !strings.Contains(text, "held by coord-a until") {
		t.Errorf("acquire by another: %d %s", code, text)
	}
	if code, text := post("ReleaseLock", `{"lock": {"name": "exec-1", "token": "1"}}`); code != http.StatusOK || !strings.Contains(text, `"state":"released"`) {
		t.Errorf("release: %d %s", code, text)
	}
	if code, text := post("RenewLock", `{"lock": {"name": "exec-1", "token": 1}, "lease": "30s"}`); code != http.StatusConflict || !strings.Contains(text, `"code":"aborted"`) {
		t.Errorf("renew: %d %s", code, text)
	}
}
