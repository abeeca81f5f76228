package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// roleVariable makes this binary another program, so that a test can kill it.
const roleVariable = "TCDA_LAB_TEST_ROLE"

const (
	roleLab   = "tcda-lab"
	roleServe = "tcda serve"
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case roleLab:
		main()
	case roleServe:
		os.Exit(serve())
	default:
		os.Exit(m.Run())
	}
}

// serve is tcda serve: the same settings, the same composition.
func serve() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cfg, err := config.Load(os.LookupEnv)
	if err == nil {
		err = cfg.Validate()
	}
	if err == nil {
		err = service.Run(ctx, cfg, service.Options{Log: zerolog.New(os.Stderr).Level(zerolog.WarnLevel)})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// environment is given to programs, without the prefix of tcda's variables.
type environment map[string]string

func (e environment) lookUp(name string) (string, bool) {
	value, set := e[strings.TrimPrefix(name, config.EnvPrefix)]
	return value, set && strings.HasPrefix(name, config.EnvPrefix)
}

// config is what a program makes of it.
func (e environment) config(t testing.TB) *config.Config {
	t.Helper()
	cfg, err := config.Load(e.lookUp)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// ran is how a command has ended.
type ran struct {
	code        int
	out, errors string
}

// lab runs tcda-lab in this process.
func lab(t testing.TB, env environment, args ...string) ran {
	t.Helper()
	var out, errors lockedBuffer
	code := run(t.Context(), args, console{in: strings.NewReader(""), out: &out, err: &errors, lookupEnv: env.lookUp})
	return ran{code, out.String(), errors.String()}
}

// child is a program in a process of its own.
type child struct {
	*exec.Cmd
	out, errors *lockedBuffer
	ended       chan struct{} // closed
}

// start runs a program of the given role, and kills it when the test ends.
func start(t testing.TB, role string, env environment, args ...string) *child {
	t.Helper()
	c := &child{Cmd: exec.CommandContext(t.Context(), os.Args[0], args...), out: &lockedBuffer{}, errors: &lockedBuffer{}, ended: make(chan struct{})}
	c.Stdout, c.Stderr = c.out, c.errors
	c.Env = append(os.Environ(), roleVariable+"="+role)
	for name, value := range env {
		c.Env = append(c.Env, config.EnvPrefix+name+"="+value)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.ended)
		_ = c.Wait() // ProcessState says how
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill() // if it has not ended
		<-c.ended
		if t.Failed() {
			t.Logf("%s wrote:\n%s", role, c.errors)
		}
	})
	return c
}

// kill ends the program as a crash does, and sees that it had not ended by itself.
func (c *child) kill(t testing.TB) {
	t.Helper()
	if err := c.Process.Kill(); err != nil {
		t.Fatalf("kill: %v", err)
	}
	c.wait(t)
	if status, ok := c.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the program had ended before it was killed: %s", c.ProcessState)
	}
}

// wait waits for the program's end.
func (c *child) wait(t testing.TB) {
	t.Helper()
	select {
	case <-c.ended:
	case <-time.After(testenv.Patience):
		t.Fatal("the program did not end in time")
	}
}

// lockedBuffer is written by one goroutine and read by another.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--help"}, 0, "demo"},
		{[]string{"emit"}, exitUsage, "--scenarios"},
		{[]string{"emit", "--scenarios", "--load=5"}, exitUsage, "can't be used together"},
		{[]string{"emit", "--load=5", "--mix=gossip=1"}, exitUsage, `mix names "gossip"`},
		{[]string{"emit", "--load=5", "--instance=No Name"}, exitUsage, "instance"},
		{[]string{"emit", "--scenarios", "--mode=spoken"}, exitUsage, "mode"},
		{[]string{"emit", "--file=/does/not/exist"}, exitFailed, "open recording"},
		{[]string{"emit", "--load=5", "--brokers=127.0.0.1:1"}, exitFailed, "connection refused"},
		{[]string{"ledger", "check", "--ledger=/does/not/exist"}, exitFailed, "open ledger"},
	} {
		got := lab(t, nil, c.args...)
		if got.code != c.code || !strings.Contains(got.out+got.errors, c.says) {
			t.Errorf("%v: exit code %d, want %d; says\n%s%s", c.args, got.code, c.code, got.out, got.errors)
		}
	}
}
