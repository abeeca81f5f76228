package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/chaostoolkit/chaostoolkittest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

func journals(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../internal/chaostoolkit/testdata/journals/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("journals: %v, %v", files, err)
	}
	return files
}

// Real journals are imported, twice: every fact is stored, once.
func TestJournalsAreStoredAsTheyAre(t *testing.T) {
	t.Parallel()
	i := install(t)
	imported := object[[]importedFile](i, 0, append([]string{"import", "chaostoolkit", "--environment=staging", "--label=team=a=b,c"}, journals(t)...)...)
	events := 0
	for _, f := range imported {
		events += f.Events
	}
	i.serveUntil(events)
	for _, f := range imported {
		text, err := os.ReadFile(f.File)
		if err != nil {
			t.Fatal(err)
		}
		chaostoolkittest.WantStored(t, i.db.Pool(t), f.ExecutionID, text)
		if f.Sent != f.Events || f.Events == 0 || f.Error != "" {
			t.Errorf("%+v", f)
		}
	}
	if applied, duplicates, quarantined := i.taken(); applied != events || duplicates != 0 || quarantined != 0 {
		t.Errorf("%d applied, %d duplicates, %d quarantined; sent %d", applied, duplicates, quarantined, events)
	}
	i.tcda(0, append([]string{"import", "chaostoolkit", "--environment=staging", "--label=team=a=b,c"}, journals(t)...)...)
	i.serveUntil(2 * events)
	if applied, duplicates, quarantined := i.taken(); applied != events || duplicates != events || quarantined != 0 {
		t.Errorf("imported again: %d applied, %d duplicates, %d quarantined; sent %d twice", applied, duplicates, quarantined, events)
	}
	var labels, environment string
	err := i.db.Pool(t).QueryRow(t.Context(), `SELECT DISTINCT d.labels->>'team', e.environment FROM test_coordination.executions AS e
		JOIN test_coordination.execution_details AS d USING (execution_id, run)`).Scan(&labels, &environment)
	if err != nil || labels != "a=b,c" || environment != "staging" {
		t.Errorf("labels %q, environment %q, %v", labels, environment, err)
	}
	i.tcda(0, "verify", "--live-grace="+testenv.Patience.String())
}

// taken is how many records of all topics the service has taken.
func (i *installation) taken() (applied, duplicates, quarantined int) {
	i.Helper()
	partitions, err := i.store.Partitions(i.Context())
	if err != nil {
		i.Fatal(err)
	}
	for _, p := range partitions {
		applied, duplicates, quarantined = applied+int(p.Applied), duplicates+int(p.Duplicates), quarantined+int(p.Quarantined)
	}
	return applied, duplicates, quarantined
}

// serveUntil runs the service until it has taken so many records.
func (i *installation) serveUntil(records int) {
	i.Helper()
	ctx, stop := context.WithCancel(i.Context())
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"serve"}, i.lookup, console{out: io.Discard, err: io.Discard}) }()
	testenv.Eventually(i, "all is taken", func() bool {
		applied, duplicates, quarantined := i.taken()
		return applied+duplicates+quarantined >= records
	})
	stop()
	if code := <-ended; code != 0 {
		i.Errorf("serve: exit code %d", code)
	}
}

func TestImportDryRunConforms(t *testing.T) {
	t.Parallel()
	for _, file := range journals(t) {
		code, stdout, stderr := tcda(t, nil, "", "import", "chaostoolkit", "--dry-run", file)
		if code != 0 || stderr != "" {
			t.Fatalf("%s: exit code %d, %s", file, code, stderr)
		}
		if code, report, stderr := tcda(t, nil, stdout, "contract", "check", "--strict", "-"); code != 0 || !strings.Contains(report, "conforms: ") {
			t.Errorf("%s: exit code %d\n%s%s", file, code, report, stderr)
		}
	}
}

func TestWhatCannotBeImportedIsSaid(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile("../../internal/chaostoolkit/testdata/journals/passing.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, test := range []struct{ file, says string }{
		{filepath.Join(dir, "missing.json"), "missing.json: open: no such file"},
		{write("a\x1b[2Jb.json", []byte("{")), "a\\x1b[2Jb.json: at byte 1: unexpected EOF"},
		{write("status.json", bytes.Replace(good, []byte(`"status": "completed"`), []byte(`"status": "=1+1"`), 1)), `status.json: status: \"=1+1\": must be completed`},
		{write("old.json", bytes.Replace(good, []byte(`"start": "2026`), []byte(`"start": "1926`), 1)), "would be refused: time_range"},
	} {
		// One that cannot be used does not keep the others.
		code, stdout, stderr := tcda(t, nil, string(good), "import", "chaostoolkit", "--dry-run", test.file, "-")
		if code != exitFailed || !strings.Contains(stderr, strings.ReplaceAll(test.says, `\"`, `"`)) || strings.Contains(stderr, "\x1b") {
			t.Errorf("%s: exit code %d, said %q, want %q", test.file, code, stderr, test.says)
		}
		if !json.Valid([]byte(strings.SplitN(stdout, "\n", 2)[0])) || strings.Count(stdout, "\n") < 10 {
			t.Errorf("%s: the good one is not printed: %.200s", test.file, stdout)
		}
	}
	if code, _, stderr := tcda(t, nil, "", "import", "chaostoolkit", "--scenario=not an id", "--dry-run", "../../internal/chaostoolkit/testdata/journals/passing.json"); code != exitFailed || !strings.Contains(stderr, "not an id") {
		t.Errorf("a scenario that is no id: exit code %d, %s", code, stderr)
	}
}
