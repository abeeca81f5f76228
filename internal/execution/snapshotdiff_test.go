package execution_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

func state(text string) execution.SnapshotContent {
	return execution.SnapshotContent{State: json.RawMessage(text)}
}

func TestDiffSnapshots(t *testing.T) {
	t.Parallel()
	ratio := func(f float64) *float64 { return &f }
	type changes = []execution.SnapshotChange
	for name, c := range map[string]struct {
		before, after execution.SnapshotContent
		want          changes
	}{
		"the same":           {state(`{"a": [1, {"b": null}]}`), state(`{ "a":[1.0,{"b":null}] }`), nil},
		"nothing at all":     {state(``), state(``), nil},
		"a state appears":    {state(``), state(`{"a": 1}`), changes{{Kind: "added", Path: "state", After: `{"a":1}`}}},
		"keys come and go":   {state(`{"a": 1, "c": 2}`), state(`{"b": {"x": "<&>"}, "c": 2}`), changes{{Kind: "removed", Path: "state.a", Before: "1"}, {Kind: "added", Path: "state.b", After: `{"x":"<&>"}`}}},
		"items by index":     {state(`[1, 2]`), state(`[1, 3, 4]`), changes{{Kind: "changed", Path: "state[1]", Before: "2", After: "3", Delta: "1", Relative: ratio(0.5)}, {Kind: "added", Path: "state[2]", After: "4"}}},
		"another type":       {state(`{"a": {}}`), state(`{"a": []}`), changes{{Kind: "changed", Path: "state.a", Before: "{}", After: "[]"}}},
		"null and nothing":   {state(`{"a": null}`), state(`{}`), changes{{Kind: "removed", Path: "state.a", Before: "null"}}},
		"null and false":     {state(`null`), state(`false`), changes{{Kind: "changed", Path: "state", Before: "null", After: "false"}}},
		"a number as a text": {state(`{"a": 1}`), state(`{"a": "1"}`), changes{{Kind: "changed", Path: "state.a", Before: "1", After: `"1"`}}},
		"beyond 2^53":        {state(`9007199254740993`), state(`9007199254740992`), changes{{Kind: "changed", Path: "state", Before: "9007199254740993", After: "9007199254740992", Delta: "-1", Relative: ratio(-1.1102230246251564e-16)}}},
		"beyond float64":     {state(`0.1`), state(`0.10000000000000000001`), changes{{Kind: "changed", Path: "state", Before: "0.1", After: "0.10000000000000000001", Delta: "0.00000000000000000001", Relative: ratio(1e-19)}}},
		"from zero":          {state(`0`), state(`-0.5`), changes{{Kind: "changed", Path: "state", Before: "0", After: "-0.5", Delta: "-0.5"}}},
		"minus zero":         {state(`-0`), state(`0.0`), nil},
		"from below zero":    {state(`-2`), state(`-1`), changes{{Kind: "changed", Path: "state", Before: "-2", After: "-1", Delta: "1", Relative: ratio(0.5)}}},
		"the ends of floats": {state(`1e-300`), state(`1e300`), changes{{Kind: "changed", Path: "state", Before: "1e-300", After: "1e300", Delta: "1e+300"}}},
		"a deadly number":    {state(`1e999999999`), state(`1e999999998`), changes{{Kind: "changed", Path: "state", Before: "1e999999999", After: "1e999999998"}}},
		"metrics": {
			execution.SnapshotContent{Metrics: json.RawMessage(`{"latency_ms": 100, "orders": 5}`)},
			execution.SnapshotContent{Metrics: json.RawMessage(`{"latency_ms": 250.5, "orders": 5}`)},
			changes{{Kind: "changed", Path: "metrics.latency_ms", Before: "100", After: "250.5", Delta: "150.5", Relative: ratio(1.505)}},
		},
		"odd keys": {
			state(`{"a.b": {"": 1, "\u001b[2J": 1, "x/y:z-1_": 1}}`), state(`{"a.b": {"": 2, "\u001b[2J": 2, "x/y:z-1_": 2}}`),
			changes{
				{Kind: "changed", Path: `state["a.b"][""]`, Before: "1", After: "2", Delta: "1", Relative: ratio(1)},
				{Kind: "changed", Path: `state["a.b"]["\x1b[2J"]`, Before: "1", After: "2", Delta: "1", Relative: ratio(1)},
				{Kind: "changed", Path: `state["a.b"].x/y:z-1_`, Before: "1", After: "2", Delta: "1", Relative: ratio(1)},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := execution.DiffSnapshots(c.before, c.after, 100)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got.Changes); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if n := got.Added + got.Removed + got.Changed; n != len(c.want) || got.Truncated {
				t.Errorf("%d changes counted, truncated %v", n, got.Truncated)
			}
		})
	}
}

func TestDiffSnapshotsIsBounded(t *testing.T) {
	t.Parallel()
	var before, after strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&before, `"k%04d": 1, `, i)
		fmt.Fprintf(&after, `"k%04d": 2, `, i)
	}
	got, err := execution.DiffSnapshots(state("{"+before.String()+`"z": 1}`), state("{"+after.String()+`"y": 1}`), 10)
	if err != nil || !got.Truncated || len(got.Changes) != 10 || got.Changed != 5000 || got.Added != 1 || got.Removed != 1 {
		t.Errorf("%d changes, %d + %d + %d, truncated %v (%v)", len(got.Changes), got.Added, got.Removed, got.Changed, got.Truncated, err)
	}
	long, err := execution.DiffSnapshots(state(`"`+strings.Repeat("é", 1000)+`"`), state("1"), 10)
	if err != nil || len(long.Changes[0].Before) > 250 || !strings.HasSuffix(long.Changes[0].Before, "é…") {
		t.Errorf("a long value: %+v (%v)", long, err)
	}
}

func TestDiffSnapshotsNamesWhatIsNotJSON(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after execution.SnapshotContent
		want          string
	}{
		"state":      {state(`{`), state(``), "state of snapshot 1: read JSON: unexpected EOF"},
		"metrics":    {state(``), execution.SnapshotContent{Metrics: json.RawMessage(`x`)}, "metrics of snapshot 2: read JSON: invalid character 'x' looking for beginning of value"},
		"two values": {state(`1 2`), state(``), "state of snapshot 1: read JSON: more than one value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := execution.DiffSnapshots(c.before, c.after, 10); err == nil || err.Error() != c.want {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// aValue draws small JSON values that have much in common.
func aValue(depth int) *rapid.Generator[any] {
	scalar := rapid.SampledFrom([]any{nil, true, 1, 2.5, "x"})
	if depth == 0 {
		return scalar
	}
	inner := rapid.Deferred(func() *rapid.Generator[any] { return aValue(depth - 1) })
	return rapid.OneOf(scalar,
		rapid.Map(rapid.SliceOfN(inner, 0, 3), func(s []any) any { return s }),
		rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c"}), inner, 0, 3), func(m map[string]any) any { return m }))
}

func aState(t *rapid.T, label string) execution.SnapshotContent {
	text, err := json.Marshal(aValue(3).Draw(t, label))
	if err != nil {
		t.Fatal(err)
	}
	return execution.SnapshotContent{State: text}
}

// TestDiffSnapshotsProperties: there are changes exactly when the values
// differ, and backwards added is removed.
func TestDiffSnapshotsProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		one, other := aState(t, "one"), aState(t, "other")
		there, err := execution.DiffSnapshots(one, other, 1000)
		if err != nil {
			t.Fatal(err)
		}
		back, err := execution.DiffSnapshots(other, one, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if there.Added != back.Removed || there.Removed != back.Added || there.Changed != back.Changed {
			t.Fatalf("there %+v, back %+v", there, back)
		}
		if same := string(one.State) == string(other.State); same != (len(there.Changes) == 0) {
			t.Fatalf("%s and %s: %+v", one.State, other.State, there.Changes)
		}
	})
}
