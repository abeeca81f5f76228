package fact_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// The key is stored for ever: this value may not change between releases.
func TestKeyIsSha256OverLengthPrefixedTexts(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("\x00\x00\x00\x00\x00\x00\x00\x03src\x00\x00\x00\x00\x00\x00\x00\x02id\x00\x00\x00\x00\x00\x00\x00\x04exec"))
	key := fact.NewKey("src", "id", "exec")
	if key != fact.Key(sum) {
		t.Errorf("NewKey = %s, want %x", key, sum)
	}
	if got, want := key.String(), hex.EncodeToString(sum[:]); got != want {
		t.Errorf("String = %s, want %s", got, want)
	}
	if got, want := fact.Digest(sum).String(), hex.EncodeToString(sum[:]); got != want {
		t.Errorf("Digest.String = %s, want %s", got, want)
	}
}

func TestKeysOfDifferentTriplesDiffer(t *testing.T) {
	t.Parallel()
	type triple struct{ source, id, subject string }
	// The boundaries move, the concatenation stays: what a separator would confuse.
	splitAnywhere := rapid.Custom(func(t *rapid.T) triple {
		const whole = "aa:a\x00a"
		from := rapid.IntRange(0, len(whole)).Draw(t, "from")
		to := rapid.IntRange(from, len(whole)).Draw(t, "to")
		return triple{whole[:from], whole[from:to], whole[to:]}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := splitAnywhere.Draw(t, "a"), splitAnywhere.Draw(t, "b")
		same := fact.NewKey(a.source, a.id, a.subject) == fact.NewKey(b.source, b.id, b.subject)
		if same != (a == b) {
			t.Fatalf("keys of %q and %q: same = %v", a, b, same)
		}
	})
}

func TestHeaderOrder(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 10, 0, 0, 123456789, time.UTC)
	for name, test := range map[string]struct {
		sequence, want fact.Sequence
	}{
		"with a sequence":   {7, 7},
		"highest sequence":  {fact.MaxSequence, fact.MaxSequence},
		"without: the last": {fact.NoSequence, 1 << 53},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := fact.Header{Key: fact.NewKey("s", "1", "e"), Time: at, Sequence: test.sequence}
			want := fact.Order{Sequence: test.want, Time: at, Key: h.Key}
			if got := h.Order(); got != want {
				t.Errorf("Order = %+v, want %+v", got, want)
			}
			if h.Order().IsZero() {
				t.Error("the order of an event is zero")
			}
		})
	}
}
