package redisstore_test

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

func hint(name string) redisstore.Hint {
	return redisstore.Hint{
		Key:    fact.NewKey("/coordinator", name, string(id)),
		Digest: sha256.Sum256([]byte("content of " + name)),
	}
}

func TestMarkedEventsAreKnown(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(m mode) {
		t, srv, store := m.t, m.srv, m.store
		a, b := hint("a"), hint("b")
		if err := store.MarkKnown(t.Context(), []redisstore.Hint{a}); err != nil {
			t.Fatalf("mark known: %v", err)
		}
		conflict := a
		conflict.Digest = b.Digest
		// A later event of the same id must not take the first one's place.
		if err := store.MarkKnown(t.Context(), []redisstore.Hint{conflict}); err != nil {
			t.Fatalf("mark the conflict: %v", err)
		}
		known, err := store.Known(t.Context(), []redisstore.Hint{b, a, conflict})
		if err != nil {
			t.Fatalf("known: %v", err)
		}
		if diff := cmp.Diff([]bool{false, true, false}, known); diff != "" {
			t.Errorf("known (-want +got):\n%s", diff)
		}

		key := "test:idempotency:" + base64.RawURLEncoding.EncodeToString(a.Key[:16])
		if got := len(key) - len("test:idempotency:"); got != 22 {
			t.Errorf("the name of a hint has %d characters, want 22", got)
		}
		if ttl := srv.PTTL(t.Context(), key).Val(); ttl <= 23*time.Hour || ttl > 24*time.Hour {
			t.Errorf("the hint expires in %s, want 24 h", ttl)
		}
	})
}

func TestNoHintsAskNothing(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	store := open(t, redisstore.Config{URL: srv.URL()})
	must(t, srv.Kill())
	if known, err := store.Known(t.Context(), nil); err != nil || len(known) != 0 {
		t.Errorf("known = %v, %v", known, err)
	}
	if err := store.MarkKnown(t.Context(), nil); err != nil {
		t.Errorf("mark known: %v", err)
	}
}

func TestMoreHintsThanOnePipelineHolds(t *testing.T) {
	t.Parallel()
	store := open(t, redisstore.Config{URL: startServer(t).URL(), HintBudget: 10 * time.Second})
	hints := make([]redisstore.Hint, 2500)
	for i := range hints {
		hints[i] = hint(strconv.Itoa(i))
	}
	if err := store.MarkKnown(t.Context(), hints); err != nil {
		t.Fatalf("mark known: %v", err)
	}
	known, err := store.Known(t.Context(), hints)
	if err != nil {
		t.Fatalf("known: %v", err)
	}
	for i, k := range known {
		if !k {
			t.Fatalf("hint %d of %d is not known", i, len(hints))
		}
	}
}
