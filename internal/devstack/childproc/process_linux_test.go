package childproc_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

func TestPauseFreezesTheWholeTree(t *testing.T) {
	t.Parallel()
	p, grandchild := startSleeper(t)
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "both are stopped", func() bool { return state(p.PID()) == "T" && state(grandchild) == "T" })
	if err := p.Resume(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "both go on", func() bool { return state(p.PID()) == "S" && state(grandchild) == "S" })
}

func TestChildDiesWithItsParent(t *testing.T) {
	t.Parallel()
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = append(os.Environ(), parentFlag+"="+filepath.Join(t.TempDir(), "log"))
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the parent says %q", line)
	}
	if !alive(child) {
		t.Fatal("the child is not there before its parent dies")
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // "signal: killed"
	testenv.Eventually(t, "the child is gone", func() bool { return !alive(child) })
}

// state is the letter of /proc: S sleeping, R running, T stopped, Z zombie.
func state(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest[:1]
}
