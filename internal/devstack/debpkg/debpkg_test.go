package debpkg_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/debpkg"
)

// TestUnpack uses the machine's apt-get and dpkg on an archive of its own: a
// program and the library that it depends on. Elsewhere than on Debian it holds
// the error that leads to the other ways of getting a program.
func TestUnpack(t *testing.T) { //nolint:paralleltest // it sets APT_CONFIG
	if !debian() {
		_, err := debpkg.Unpack(t.Context(), "anything", filepath.Join(t.TempDir(), "tree"), io.Discard)
		if !errors.Is(err, debpkg.ErrNoApt) {
			t.Fatalf("without apt-get: got %v, want %v", err, debpkg.ErrNoApt)
		}
		return
	}
	archive := newArchive(t)
	archive.add(t, "tcda-test-library", "", "usr/lib/any-linux-gnu/libtcda.so", "a library")
	archive.add(t, "tcda-test-program", "tcda-test-library", "usr/bin/tcda-test", "#!/bin/sh\necho it runs\n")
	archive.use(t)

	dir := filepath.Join(t.TempDir(), "cache", "tree")
	var progress bytes.Buffer
	tree, err := debpkg.Unpack(t.Context(), "tcda-test-program", dir, &progress)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(string(tree), "usr/bin/tcda-test")).Output()
	if err != nil || string(out) != "it runs\n" {
		t.Errorf("the program says %q, %v", out, err)
	}
	if want := filepath.Join(dir, "usr/lib/any-linux-gnu"); tree.LibraryPath() != want {
		t.Errorf("library path %q, want %q", tree.LibraryPath(), want)
	}
	if !strings.Contains(progress.String(), "tcda-test-program tcda-test-library") {
		t.Errorf("progress does not name what is downloaded: %q", &progress)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".unpacking-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	progress.Reset()
	if _, err := debpkg.Unpack(t.Context(), "tcda-test-program", dir, &progress); err != nil || progress.Len() > 0 {
		t.Errorf("the second call says %q, %v; want nothing", &progress, err)
	}

	absent := filepath.Join(t.TempDir(), "tree")
	if _, err := debpkg.Unpack(t.Context(), "tcda-no-such-package", absent, io.Discard); err == nil ||
		!strings.Contains(err.Error(), "tcda-no-such-package") {
		t.Errorf("an unknown package: got %v", err)
	}
	if _, err := os.Stat(absent); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a failed download left its folder: %v", err)
	}
}

func TestLockExcludes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "lock")
	var holders atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				unlock, err := debpkg.Lock(file)
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d hold the lock", n)
				}
				holders.Add(-1)
				unlock()
			}
		})
	}
	group.Wait()
}

func TestCacheDirOfRootIsReadableByOthers(t *testing.T) {
	t.Parallel()
	dir, err := debpkg.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 && strings.HasPrefix(dir, home+"/") {
		t.Errorf("root's cache %s lies in its home, which other users cannot read", dir)
	}
}

func debian() bool {
	for _, program := range []string{"apt-get", "dpkg", "dpkg-deb"} {
		if _, err := exec.LookPath(program); err != nil {
			return false
		}
	}
	return true
}

// archive is a Debian archive of a few packages in a folder.
type archive struct {
	dir   string
	index bytes.Buffer
}

func newArchive(t *testing.T) *archive {
	t.Helper()
	return &archive{dir: t.TempDir()}
}

// add builds a package that holds one file.
func (a *archive) add(t *testing.T, name, depends, path, content string) {
	t.Helper()
	tree := t.TempDir()
	control := fmt.Sprintf("Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: for a test\n", name)
	if depends != "" {
		control += "Depends: " + depends + "\n"
	}
	write(t, filepath.Join(tree, "DEBIAN/control"), control)
	write(t, filepath.Join(tree, path), content)
	file := name + ".deb"
	out, err := exec.CommandContext(t.Context(), "dpkg-deb", "--build", tree, filepath.Join(a.dir, file)).CombinedOutput()
	if err != nil {
		t.Fatalf("build %s: %v: %s", file, err, out)
	}
	deb, err := os.ReadFile(filepath.Join(a.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&a.index, "%sFilename: ./%s\nSize: %d\nSHA256: %x\n\n", control, file, len(deb), sha256.Sum256(deb))
}

// use makes apt-get of this process see this archive only, and nothing of it
// until its list is read.
func (a *archive) use(t *testing.T) {
	t.Helper()
	write(t, filepath.Join(a.dir, "Packages"), a.index.String())
	etc := t.TempDir()
	write(t, filepath.Join(etc, "sources.list"), fmt.Sprintf("deb [trusted=yes] file:%s ./\n", a.dir))
	write(t, filepath.Join(etc, "lists/partial/.keep"), "")
	write(t, filepath.Join(etc, "apt.conf"), fmt.Sprintf(
		"Dir::Etc::sourcelist %q;\nDir::Etc::sourceparts \"/dev/null\";\nDir::State::Lists %q;\nDir::Cache %q;\n",
		filepath.Join(etc, "sources.list"), filepath.Join(etc, "lists"), filepath.Join(etc, "cache")))
	t.Setenv("APT_CONFIG", filepath.Join(etc, "apt.conf"))
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}
