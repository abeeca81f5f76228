package coordsim_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
)

func TestLedger(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "ledger.jsonl")
	records := collect(t, simulate(t, coordsim.Options{LongUpdates: 20}))[:100]
	var want []coordsim.Entry
	write := func(from, to int) {
		ledger, err := coordsim.OpenLedger(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := from; i < to; i++ {
			r, at := records[i], coordsim.Address{Topic: "t", Partition: 1, Offset: int64(i)}
			if err := ledger.Add(&r, at); err != nil {
				t.Fatal(err)
			}
			entry := coordsim.Entry{Kind: r.Kind, Identity: r.Identity, Form: r.Form, Address: at}
			if r.ID != "" {
				entry.EventKey = r.EventKey().String()
			}
			want = append(want, entry)
		}
		if err := ledger.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write(0, 60)
	appendTo(t, name, `{"kind":"event","source":"/cut`) // as a crash leaves it
	wantEntries(t, name, want)
	write(60, 100)
	wantEntries(t, name, want)
}

func appendTo(t testing.TB, name, text string) {
	t.Helper()
	file, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func wantEntries(t testing.TB, name string, want []coordsim.Entry) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var got []coordsim.Entry
	for entry, err := range coordsim.ReadLedger(file) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, entry)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-written +read):\n%s", diff)
	}
}

func TestALedgerThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "ledger.jsonl")
	if err := os.WriteFile(name, []byte("hello\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var failed error
	for _, err := range coordsim.ReadLedger(file) {
		failed = err
	}
	if failed == nil {
		t.Error("read without an error")
	}
}
