package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "tcda-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a folder for programs:", err)
		os.Exit(1)
	}
	programs = sync.OnceValue(func() error { return build(dir) })
	binDir = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, "remove programs:", err)
		code = 1
	}
	os.Exit(code)
}

var (
	programs func() error // builds them, once
	binDir   string
)

// build makes both programs as `go build` does, without the race detector: what
// is tested is what is delivered.
func build(dir string) error {
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", dir, "./cmd/tcda", "./cmd/tcda-lab")
	cmd.Dir = repository
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, said)
	}
	return nil
}

// repository is the root of the module, seen from this package.
const repository = "../.."

// process is a running program.
type process struct {
	testing.TB
	name  string
	cmd   *exec.Cmd
	said  logBuffer // standard output and error
	ended chan struct{}
	err   error // how it ended; read after ended is closed
}

// start runs a program with these settings, and nothing else of this process's
// environment. It is killed when the test ends, at the latest; a failing test
// shows what it said.
func start(t testing.TB, env map[string]string, program string, args ...string) *process {
	t.Helper()
	if err := programs(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(binDir, program), args...)
	return run(t, cmd, env)
}

// run starts a command and watches over it.
func run(t testing.TB, cmd *exec.Cmd, env map[string]string) *process {
	t.Helper()
	p := &process{TB: t, name: filepath.Base(cmd.Path), cmd: cmd, ended: make(chan struct{})}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdout, cmd.Stderr = &p.said, &p.said
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s %q said:\n%s", p.name, cmd.Args[1:], p.said.tail())
		}
	})
	return p
}

// kill is SIGKILL: the program notices nothing.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// interrupt asks the program to stop in order.
func (p *process) interrupt() {
	p.Helper()
	p.signal(syscall.SIGTERM)
}

// freeze stops the program where it is; thaw lets it go on.
func (p *process) freeze() {
	p.Helper()
	p.signal(syscall.SIGSTOP)
}

func (p *process) thaw() {
	p.Helper()
	p.signal(syscall.SIGCONT)
}

func (p *process) signal(s syscall.Signal) {
	p.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.Fatalf("send %v to %s: %v", s, p.name, err)
	}
}

// says tells whether the program has said all of the words in one line.
func (p *process) says(words ...string) bool {
	for line := range strings.Lines(p.said.text()) {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
			return true
		}
	}
	return false
}

// wait waits for the end of the program and returns its exit code.
func (p *process) wait() int {
	p.Helper()
	select {
	case <-p.ended:
	case <-time.After(testenv.Patience):
		p.Fatalf("%s %q has not ended", p.name, p.cmd.Args[1:])
	}
	var exit *exec.ExitError
	if p.err != nil && !errors.As(p.err, &exit) {
		p.Fatalf("wait for %s: %v", p.name, p.err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// wantSuccess waits for the end of the program, which must be a good one.
func (p *process) wantSuccess() {
	p.Helper()
	if code := p.wait(); code != 0 {
		p.Fatalf("%s %q ended with exit code %d; it said:\n%s", p.name, p.cmd.Args[1:], code, p.said.tail())
	}
}

// running tells whether the program has not ended.
func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// logBuffer keeps what a program says.
type logBuffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

// text is all of it.
func (b *logBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}

// tail is the end of it.
func (b *logBuffer) tail() string {
	const enough = 8000
	all := b.text()
	return all[max(0, len(all)-enough):]
}

// pause waits, unless the test ends before.
func pause(t testing.TB, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}
