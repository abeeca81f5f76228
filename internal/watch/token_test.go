package watch_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/watch"
)

// many are a hundred executions and what was told of them, of numbers as large as
// they get in a lifetime; of one nothing was told.
func many() ([]execution.ID, watch.Told) {
	ids := make([]execution.ID, 100)
	told := watch.Told{}
	for i := range ids {
		ids[i] = execution.ID(fmt.Sprintf("exec-%0190d", i))
		if i > 0 {
			told[ids[i]] = redisstore.NewVersion(1<<14-1, math.MaxInt32, 1<<35-1-int64(i))
		}
	}
	return ids, told
}

func TestATokenGivesBackWhatWasTold(t *testing.T) {
	t.Parallel()
	ids, told := many()
	token := told.Token(ids)
	if len(token) > 2048 { // as execution_service.proto limits it
		t.Errorf("the token has %d bytes", len(token))
	}
	slices.Reverse(ids)
	got, err := watch.ParseToken(token, ids)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(told, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if got, err := watch.ParseToken("", ids); err != nil || len(got) > 0 {
		t.Errorf("the empty token: %v, %v", got, err)
	}
}

func TestATokenOfOthersIsRefused(t *testing.T) {
	t.Parallel()
	ids, told := many()
	token := told.Token(ids)
	for name, c := range map[string]struct {
		token string
		ids   []execution.ID
	}{
		"fewer":   {token, ids[1:]},
		"others":  {token, append(slices.Clone(ids[1:]), "other")},
		"cut":     {token[:len(token)-4], ids},
		"longer":  {token + "AAAA", ids},
		"no text": {"%", ids},
		"short":   {"AAAA", ids},
	} {
		if got, err := watch.ParseToken(c.token, c.ids); !errors.Is(err, watch.ErrToken) {
			t.Errorf("%s: %d were told, %v", name, len(got), err)
		}
	}
}

// Tokens come from anywhere.
func FuzzParseToken(f *testing.F) {
	ids := []execution.ID{"a", "b"}
	f.Add(watch.Told{"a": redisstore.NewVersion(1, 2, 3)}.Token(ids))
	f.Add("AAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, token string) {
		told, err := watch.ParseToken(token, ids)
		if err != nil {
			return
		}
		again, err := watch.ParseToken(told.Token(ids), ids)
		if diff := cmp.Diff(told, again); err != nil || diff != "" {
			t.Errorf("%v (-first +again):\n%s", err, diff)
		}
	})
}

func TestAMarkGivesBackItsPlace(t *testing.T) {
	t.Parallel()
	want := watch.Mark{Run: 3, Arrival: 1 << 40, Lines: 1 << 41, Newest: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)}
	got, err := watch.ParseMark(want.Token())
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, wrong := range []string{"", "x", "bnVsbA", watch.Mark{}.Token(), watch.Mark{Run: 1, Arrival: -1}.Token()} {
		if _, err := watch.ParseMark(wrong); !errors.Is(err, watch.ErrToken) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}
