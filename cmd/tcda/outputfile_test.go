package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// holds sees what a file holds, and what it lets whom do.
func holds(t *testing.T, name, content string, mode os.FileMode) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil || string(text) != content {
		t.Errorf("%s holds %q, error %v; want %q", name, text, err, content)
	}
	if info, err := os.Stat(name); err != nil || info.Mode() != mode {
		t.Errorf("%s: %v, error %v; want mode %v", name, info, err, mode)
	}
}

// alone sees that a folder has no other files than these.
func alone(t *testing.T, folder string, files int) {
	t.Helper()
	if left, err := os.ReadDir(folder); err != nil || len(left) != files {
		t.Errorf("files %v, error %v; want %d", left, err, files)
	}
}

// What fails before the file is whole leaves the one that was there.
func TestAFailedWriteLeavesTheFormerFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	name := filepath.Join(folder, "report.html")
	if err := os.WriteFile(name, []byte("former"), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, fails := range map[string]func(*outputFile) error{
		"given up": func(*outputFile) error { return os.ErrClosed },
		"the write": func(f *outputFile) error {
			_ = f.Close()
			_, err := f.Write([]byte("more"))
			return err
		},
		"the end": func(f *outputFile) error {
			_ = f.Close()
			return f.finish(name)
		},
	} {
		file, err := beginOutput(name, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write([]byte("a part")); err != nil {
			t.Fatal(err)
		}
		if err := fails(file); err == nil {
			t.Errorf("%s has not failed", what)
		}
		file.abandon()
		holds(t, name, "former", 0o600)
		alone(t, folder, 1)
	}
}

// A new file has the permissions that any has, one that is replaced keeps its own, and
// a link to it stays a link.
func TestAFileIsReplaced(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	name, link := filepath.Join(folder, "report.html"), filepath.Join(folder, "latest.html")
	if err := writeFile(name, []byte("one"), false); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(folder, "plain")
	if err := os.WriteFile(plain, nil, outputMode); err != nil { //nolint:gosec // to compare with
		t.Fatal(err)
	}
	like, err := os.Stat(plain)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, name, "one", like.Mode())
	if err := os.Chmod(name, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(link, []byte("two"), false); err != nil {
		t.Fatal(err)
	}
	holds(t, name, "two", 0o600)
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, error %v", info, err)
	}
	alone(t, folder, 3)
}

// What is no regular file is written to, and stays what it is.
func TestAPipeIsWrittenTo(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	name := filepath.Join(folder, "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(name, os.O_RDWR, 0) // waits for nobody
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	if err := writeFile(name, []byte("content"), false); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 100)
	if n, err := reader.Read(got); err != nil || string(got[:n]) != "content" {
		t.Errorf("read %q, error %v", got[:n], err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("it is %v, error %v", info, err)
	}
	if err := writeFile("/dev/null", []byte("content"), false); err != nil {
		t.Error(err)
	}
	alone(t, folder, 1)
}

// A link that leads nowhere yet leads to the file then.
func TestWhatALinkLeadsToIsMade(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "links"), 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(folder, "links", "latest")
	for name, to := range map[string]string{link: "../second", filepath.Join(folder, "second"): filepath.Join(folder, "report"), filepath.Join(folder, "round"): "round"} {
		if err := os.Symlink(to, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeFile(link, []byte("content"), true); !errors.Is(err, os.ErrExist) {
		t.Errorf("a fresh file over a link: %v", err)
	}
	if err := writeFile(link, []byte("content"), false); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(filepath.Join(folder, "report")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("what the link leads to is %v, error %v", info, err)
	}
	if text, err := os.ReadFile(link); err != nil || string(text) != "content" {
		t.Errorf("read %q, error %v", text, err)
	}
	if err := writeFile(filepath.Join(folder, "round"), []byte("content"), false); err == nil {
		t.Error("a link to itself was written to")
	}
	alone(t, folder, 4)
	alone(t, filepath.Join(folder, "links"), 1)
}

// What has got the name since it was begun stays, also where there are no links.
func TestAFreshFileReplacesNothing(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	name, part := filepath.Join(folder, "bundle.zip"), filepath.Join(folder, "part")
	file, err := beginOutput(name, true)
	if err != nil {
		t.Fatal(err)
	}
	for other, content := range map[string]string{name: "another's", part: "ours"} {
		if err := os.WriteFile(other, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.finish(name); !errors.Is(err, os.ErrExist) {
		t.Errorf("finished with error %v, want that it exists", err)
	}
	file.abandon()
	if err := copyFile(part, name, os.O_EXCL); !errors.Is(err, os.ErrExist) {
		t.Errorf("copied with error %v, want that it exists", err)
	}
	holds(t, name, "another's", 0o600)
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := copyFile(part, name, os.O_EXCL); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "ours" {
		t.Errorf("read %q, error %v", text, err)
	}
	alone(t, folder, 2)
}
