package childproc_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// parentFlag makes the test binary play a parent that starts a child, prints
// the child's process id and then waits to be killed.
const parentFlag = "CHILDPROC_TEST_PARENT"

func TestMain(m *testing.M) {
	if log := os.Getenv(parentFlag); log != "" {
		p, err := childproc.Start(shell(log, "exec sleep 1000")) // alone: only a parent's child dies with it
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(p.PID())
		<-p.Done()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func shell(log, script string) childproc.Spec {
	return childproc.Spec{
		Path:          "/bin/sh",
		Args:          []string{"-c", script},
		Env:           []string{"PATH=/usr/bin:/bin"},
		LogFile:       log,
		OnParentDeath: syscall.SIGKILL,
	}
}

func TestKillEndsTheWholeTree(t *testing.T) {
	t.Parallel()
	p, grandchild := startSleeper(t)
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if !errors.As(p.Err(), &exit) || exit.ExitCode() != -1 {
		t.Errorf("the child ended with %v, want a signal", p.Err())
	}
	testenv.Eventually(t, "the grandchild is gone", func() bool { return !alive(grandchild) })
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("a signal to an ended child: %v", err)
	}
}

func TestStopKillsWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	p, err := childproc.Start(childproc.Spec{
		Path:    "/bin/sh",
		Args:    []string{"-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done"},
		Env:     []string{"PATH=/usr/bin:/bin"},
		LogFile: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "the child ignores SIGTERM", func() bool { return read(t, log) == "deaf\n" })
	if err := p.Stop(syscall.SIGTERM, 50*time.Millisecond); err == nil {
		t.Error("stopping a deaf child reported no error")
	}
	if !p.Exited() {
		t.Error("the child is still there")
	}
}

func TestStartOfMissingProgram(t *testing.T) {
	t.Parallel()
	_, err := childproc.Start(childproc.Spec{Path: "/does/not/exist", LogFile: filepath.Join(t.TempDir(), "log")})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want os.ErrNotExist", err)
	}
}

// startSleeper starts a child with a child of its own, and returns that one's
// id, too.
func startSleeper(t *testing.T) (p *childproc.Process, grandchild int) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	p, err := childproc.Start(shell(log, "sleep 1000 & echo $!; wait"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	})
	testenv.Eventually(t, "the child has its child", func() bool {
		grandchild, err = strconv.Atoi(strings.TrimSpace(read(t, log)))
		return err == nil
	})
	return p, grandchild
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// alive says whether a process runs; a zombie that nobody has reaped does not.
func alive(pid int) bool {
	out, err := exec.CommandContext(context.Background(), "ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !strings.HasPrefix(string(out), "Z")
}
