// Package testenv gives tests the real servers that the service works with:
// PostgreSQL, Redis and Kafka, private to the test process, on loopback.
//
//	db := testenv.Postgres(t)        // a migrated database of the test's own
//	redis := testenv.Redis(t)        // a redis-server of the test's own
//	kafka := testenv.Broker(t)       // an in-process broker, or Apache Kafka under "make test-kafka"
//
// Besides Broker, tests that hold on any Kafka have OwnBroker, whose leaders move
// and whose brokers restart, and SecuredBroker, which asks who its clients are.
//
// Nothing has to be installed or started before: what the machine lacks is
// downloaded into the user's cache (cmd/provision does it ahead, with progress).
// A server that cannot be had fails the test with instructions; no test is
// skipped for it. All servers end with the test process, however it ends.
//
// The package knows how to run servers and how to make the schema; it must not
// know what the service does with them.
package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
)

// startLimit bounds the start of a server, on a machine that is busy with other
// tests as well; downloads are bounded by the test's own limit only.
const startLimit = 2 * time.Minute

// scratch is the folder of this process's servers. Tests have no hook at the end
// of the process, and servers that many tests share cannot stop before; so a
// shell waits for the end of this process, which closes its standard input, and
// removes the folder then.
type scratch struct {
	dir    string
	keeper io.WriteCloser // a line written to it keeps the folder

	// keep leaves the folder in place when the process ends. The guard is gone
	// after the first call; the others have its outcome.
	keep func() error
}

// guardScript removes $1 when its input ends without a line. A server that is
// just dying may still write, so it tries for ten seconds. Where the kernel does
// not end servers with their parent ($2), it ends those that wrote a pid file.
const guardScript = `
trap '' HUP INT TERM
if read -r _; then exit; fi
if [ "$2" = kill ]; then
	for f in "$1"/*/*.pid "$1"/*/*/*.pid; do
		if [ -e "$f" ]; then kill -INT "$(head -n 1 "$f")"; fi
	done
fi
i=0
until rm -rf "$1" 2>/dev/null || [ $i -ge 100 ]; do i=$((i+1)); sleep 0.1; done
`

var processScratch = sync.OnceValues(newScratch)

// scratchPattern lies not in TMPDIR, which may be closed to the user that
// PostgreSQL runs as.
const scratchPattern = "/tmp/tcda-test-*"

func newScratch() (*scratch, error) {
	if err := removeForgotten(); err != nil {
		return nil, fmt.Errorf("remove what failed tests left days ago: %w", err)
	}
	dir, err := os.MkdirTemp(filepath.Split(scratchPattern))
	if err != nil {
		return nil, fmt.Errorf("make a folder for test servers: %w", err)
	}
	// Others may pass through, to what is theirs, and see nothing.
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, fmt.Errorf("open the folder of test servers: %w", err)
	}
	kill := "kill"
	if childproc.EndsWithParent {
		kill = ""
	}
	guard := exec.CommandContext(context.Background(), "/bin/sh", "-c", guardScript, "guard", dir, kill)
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // survive a Ctrl-C
	keeper, err := guard.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("watch the folder of test servers: %w", err)
	}
	if err := guard.Start(); err != nil {
		return nil, fmt.Errorf("watch the folder of test servers: %w", err)
	}
	return &scratch{dir: dir, keeper: keeper, keep: sync.OnceValue(func() error {
		_, err := io.WriteString(keeper, "keep\n")
		return err
	})}, nil
}

// removeForgotten removes our folders that failed tests left three days ago and
// more: the databases in them take some 50 MB each.
func removeForgotten() error {
	dirs, err := filepath.Glob(scratchPattern)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if errors.Is(err, os.ErrNotExist) {
			continue // another test process was faster
		}
		if err != nil {
			return err
		}
		ours := int(info.Sys().(*syscall.Stat_t).Uid) == os.Geteuid()
		if ours && time.Since(info.ModTime()) > 72*time.Hour {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// ProcessDir makes a folder for servers that a program starts by itself; it is
// removed when this process ends, however it ends.
func ProcessDir(name string) (string, error) {
	s, err := processScratch()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(s.dir, name+"-")
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		return "", fmt.Errorf("make a folder for %s: %w", name, err)
	}
	return dir, nil
}

// KeepProcessDirs leaves what ProcessDir has made in place when this process
// ends.
func KeepProcessDirs() error {
	s, err := processScratch()
	if err != nil {
		return err
	}
	return s.keep()
}

// testDir makes a folder for a server of one test, gone when the test ends.
func testDir(t testing.TB, name string) string {
	t.Helper()
	s, err := processScratch()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(s.dir, name+"-") //nolint:usetesting // t.TempDir is closed to the user that PostgreSQL runs as
	if err != nil {
		t.Fatalf("make a folder for %s: %v", name, err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatalf("open the folder of %s: %v", name, err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the folder of %s: %v", name, err)
		}
	})
	return dir
}

// DataDir is the path of a folder that a server may make for its files, until
// the test ends. PostgreSQL's own user reaches it when the test runs as root,
// unlike t.TempDir, which is closed to others.
func DataDir(t testing.TB) string {
	t.Helper()
	parent, err := os.MkdirTemp("/tmp", "tcda-test-data-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(parent); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(parent, 0o711); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(parent, "data")
}
