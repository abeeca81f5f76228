package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/debpkg"
)

// previousRevision is what an upgrade begins from: tcda before anybody proved
// that it can be upgraded. After a release it is that of the release.
const previousRevision = "5b1c18372005418cfd992260b49460a966eb6963"

// previousProgram is tcda as it was at previousRevision, built from the history
// of this repository once, and kept in the user's cache.
var previousProgram = sync.OnceValues(func() (file string, err error) {
	cache, err := debpkg.CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "previous")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make a folder for the previous program: %w", err)
	}
	file = filepath.Join(dir, "tcda-"+previousRevision)
	unlock, err := debpkg.Lock(file + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(file); err == nil || !errors.Is(err, os.ErrNotExist) {
		return file, err
	}
	return file, buildPrevious(file)
})

func buildPrevious(file string) error {
	tree, err := os.MkdirTemp("", "tcda-previous-")
	if err != nil {
		return fmt.Errorf("make a folder for the previous source: %w", err)
	}
	defer func() { _ = os.RemoveAll(tree) }() // what is left lies in the machine's temporary folder
	archive := filepath.Join(tree, "source.tar")
	source := filepath.Join(tree, "source")
	if err := os.Mkdir(source, 0o755); err != nil {
		return fmt.Errorf("make a folder for the previous source: %w", err)
	}
	if said, err := command(repository, "git", "archive", "--output="+archive, previousRevision); err != nil {
		return fmt.Errorf("the revision that an upgrade begins from, %s, cannot be had from git: %w: %s\n"+
			"This test needs the repository with its history: clone it with git, or in a shallow clone run git fetch --unshallow", previousRevision, err, said)
	}
	if said, err := command(source, "tar", "-xf", archive); err != nil {
		return fmt.Errorf("unpack the previous source: %w: %s", err, said)
	}
	unfinished := file + ".unfinished"
	if said, err := command(source, "go", "build", "-o", unfinished, "./cmd/tcda"); err != nil {
		return fmt.Errorf("build the previous program: %w: %s", err, said)
	}
	return os.Rename(unfinished, file)
}

func command(dir, name string, args ...string) (said string, err error) {
	cmd := exec.Command(name, args...) //nolint:noctx // outlives the test that needs it first
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(bytes.TrimSpace(out)), err
}

// startPrevious is start of the previous program.
func startPrevious(t testing.TB, env map[string]string, args ...string) *process {
	t.Helper()
	file, err := previousProgram()
	if err != nil {
		t.Fatal(err)
	}
	return run(t, exec.Command(file, args...), env) //nolint:noctx // ended by run
}

// migrationsSince are the migrations that the previous program does not know.
func migrationsSince(t testing.TB) []string {
	t.Helper()
	list := func(args ...string) map[string]bool {
		said, err := command(repository, "git", args...)
		if err != nil {
			t.Fatalf("list migrations: %v: %s", err, said)
		}
		files := map[string]bool{}
		for name := range strings.FieldsSeq(said) {
			files[filepath.Base(name)] = true
		}
		return files
	}
	known := list("ls-tree", "--name-only", previousRevision, "schema/migrations/")
	present, err := filepath.Glob(filepath.Join(repository, "schema", "migrations", "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	var since []string
	for _, file := range present {
		if name := filepath.Base(file); !known[name] {
			since = append(since, name)
		}
	}
	return since
}
