//go:build interop

package evidence_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/evidence"
)

// The few lines of Python that stand in the README.txt of a bundle check it without
// this program, and find what they say they find.
func TestPythonChecksABundle(t *testing.T) {
	t.Parallel()
	b, manifest := write(t, sourceOf(t, crash(t)))
	f := unpack(t, b)
	_, script, _ := strings.Cut(string(f.content["README.txt"]), "    import hashlib")
	script, _, ok := strings.Cut("    import hashlib"+script, "\n\nWhat is proved")
	if !ok {
		t.Fatal("there is no script in README.txt")
	}
	script = strings.ReplaceAll("\n"+script, "\n    ", "\n")
	dir := t.TempDir()
	check := filepath.Join(dir, "check.py")
	if err := os.WriteFile(check, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	python := func(name string, bundle []byte) (string, error) {
		file := filepath.Join(dir, name+".zip")
		if err := os.WriteFile(file, bundle, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "python3", "-I", check, file).CombinedOutput()
		return string(out), err
	}
	if out, err := python("good", b); err != nil || !strings.Contains(out, "holds: 13 events, chain "+manifest.Events.Chain) || !strings.Contains(out, "manifest sha-256 "+manifest.SHA256()) {
		t.Errorf("error %v:\n%s", err, out)
	}
	for name, c := range map[string]struct {
		alter  func(f *files)
		relist bool
		says   string
	}{
		"text": {func(f *files) { f.content["README.txt"] = []byte("x") }, false, "README.txt: sha-256 or size"},
		"key": {func(f *files) {
			f.content["events.jsonl"] = replaced(t, f.content["events.jsonl"], `"id":"evt-7"`, `"id":"evt-8"`)
		}, true, "events.jsonl line 7: key or chain"},
		"left-out": {func(f *files) { f.setLines(f.lines()[1:]) }, true, "number of events, or head of the chain"},
		"swapped": {func(f *files) {
			l := f.lines()
			l[1], l[2] = l[2], l[1]
			f.setLines(l)
		}, true, "events.jsonl line 2: key or chain"},
		"twice":   {func(f *files) { f.names = append(f.names, "report.json") }, false, "report.json"},
		"further": {func(f *files) { f.names = append(f.names, "further.txt") }, false, "further.txt"},
	} {
		f := unpack(t, b)
		c.alter(f)
		if c.relist {
			f.relist(t)
		}
		p := f.pack(t)
		if out, err := python(name, p); err == nil || !strings.Contains(out, c.says) || strings.Contains(out, "holds:") {
			t.Errorf("%s: error %v:\n%s", name, err, out)
		}
		if r := verify(t, p, evidence.Expected{}); r.Verified {
			t.Errorf("%s: Python finds something, and this program does not", name)
		}
	}
}

// A bundle that other programs have unpacked and packed again is verified.
func TestPythonAndInfoZIPPackABundle(t *testing.T) {
	t.Parallel()
	b, manifest := write(t, sourceOf(t, crash(t)))
	const python = `import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as z:
    for name in sys.argv[2:]:
        %s
`
	if _, err := exec.LookPath("zip"); err != nil {
		t.Fatalf(`%v: the test needs Info-ZIP's zip: Debian and Ubuntu "apt-get install zip", Fedora "dnf install zip"`, err)
	}
	for name, command := range map[string][]string{
		"python3":             {"python3", "-I", "-c", fmt.Sprintf(python, "z.write(name)"), "../packed.zip"},
		"python3, in 64 bits": {"python3", "-I", "-c", fmt.Sprintf(python, `z.open(name, "w", force_zip64=True).write(open(name, "rb").read())`), "../packed.zip"},
		"python3, to a stream": {"sh", "-c", `python3 -I -c 'import sys, zipfile
with zipfile.ZipFile(sys.stdout.buffer, "w", zipfile.ZIP_DEFLATED) as z:
    for name in sys.argv[1:]:
        z.open(name, "w", force_zip64=True).write(open(name, "rb").read())' "$@" | cat >../packed.zip`, "sh"},
		"zip":              {"zip", "-q", "../packed.zip"},
		"zip, in 64 bits":  {"zip", "-q", "-fz", "../packed.zip"},
		"zip, to a stream": {"sh", "-c", `zip -q - "$@" | cat >../packed.zip`, "sh"},
		"zip, then Python": {"sh", "-c", `zip -q ../infozip.zip "$@" && python3 -I -c 'import zipfile
z = zipfile.ZipFile("../infozip.zip")
with zipfile.ZipFile("../packed.zip", "w") as to:
    for i in z.infolist():
        to.writestr(i, z.read(i))'`, "sh"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			f := unpack(t, b)
			for _, name := range f.names {
				file := filepath.Join(dir, "content", name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, f.content[name], 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			pack := exec.CommandContext(t.Context(), command[0], append(command[1:], f.names...)...) //nolint:gosec // one of those above
			pack.Dir = filepath.Join(dir, "content")
			if out, err := pack.CombinedOutput(); err != nil {
				t.Fatalf("error %v:\n%s", err, out)
			}
			p, err := os.ReadFile(filepath.Join(dir, "packed.zip"))
			if err != nil {
				t.Fatal(err)
			}
			if r := verify(t, p, evidence.Expected{Manifest: manifest.SHA256()}); !r.Verified {
				t.Errorf("findings %v", r.Findings)
			}
		})
	}
}
