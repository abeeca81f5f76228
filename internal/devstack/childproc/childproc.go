// Package childproc runs a server as a child of this process, so that the
// server never outlives it: on Linux the kernel ends the child when the parent
// dies, however it dies.
//
// It knows processes, signals and log files, and nothing of the servers that
// are run with it.
package childproc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Spec describes the child.
type Spec struct {
	// Path is the program's file, Args its arguments without the name.
	Path string
	Args []string
	// Env is the whole environment of the child: nothing is inherited, so that
	// a PGPORT or a KAFKA_OPTS of the developer's shell has no effect.
	Env []string
	// Dir is the child's working directory; empty is that of this process.
	Dir string
	// LogFile receives standard output and error. It is appended to.
	LogFile string
	// Credential is the user to run as; nil is the user of this process.
	Credential *syscall.Credential
	// OnParentDeath is what the kernel sends to the child when this process
	// dies. Linux only.
	OnParentDeath syscall.Signal
}

// Process is a started child.
type Process struct {
	pid  int
	done chan struct{}
	err  error // of Wait; read it after done is closed
}

// Start starts the child in a process group of its own, so that a Ctrl-C on the
// terminal reaches only this process, which then stops the child in order.
func Start(spec Spec) (*Process, error) {
	log, err := os.OpenFile(spec.LogFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log file: %w", err)
	}
	defer func() { _ = log.Close() }() // the child holds its own descriptor

	cmd := &exec.Cmd{
		Path:        spec.Path,
		Args:        append([]string{spec.Path}, spec.Args...),
		Env:         spec.Env,
		Dir:         spec.Dir,
		Stdout:      log,
		Stderr:      log,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Credential: spec.Credential},
	}
	dieWithParent(cmd.SysProcAttr, spec.OnParentDeath)

	p := &Process{done: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(cmd, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Path, err)
	}
	return p, nil
}

// run starts the child and waits for it on one OS thread: the kernel's "parent"
// in the parent-death signal is the thread that forked, and an idle thread of
// the Go scheduler may end at any time. The thread is never unlocked; it ends
// with the goroutine, when the child is gone.
func (p *Process) run(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	p.pid = cmd.Process.Pid
	started <- nil
	p.err = cmd.Wait()
	close(p.done)
}

// PID is the child's process id.
func (p *Process) PID() int { return p.pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exited says whether the child has ended.
func (p *Process) Exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Err is how the child ended: nil after exit code 0, else an *exec.ExitError.
// It is nil as long as the child runs.
func (p *Process) Err() error {
	if !p.Exited() {
		return nil
	}
	return p.err
}

// Signal sends a signal to the child alone. A child that has ended is no error.
func (p *Process) Signal(sig syscall.Signal) error {
	if p.Exited() {
		return nil
	}
	if err := syscall.Kill(p.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %v to process %d: %w", sig, p.pid, err)
	}
	return nil
}

// Stop sends sig and waits; a child that is still there after the patience is
// killed, and that is an error.
func (p *Process) Stop(sig syscall.Signal, patience time.Duration) error {
	if err := p.Signal(sig); err != nil {
		return err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		return errors.Join(
			fmt.Errorf("process %d was killed: it did not end within %v of %v", p.pid, patience, sig),
			p.SignalTree(syscall.SIGKILL),
			p.wait(),
		)
	}
}

// Kill ends the child and all its descendants with SIGKILL, as a crash would,
// and waits until the child is gone.
func (p *Process) Kill() error {
	if err := p.SignalTree(syscall.SIGKILL); err != nil {
		return err
	}
	return p.wait()
}

// Pause freezes the child and all its descendants with SIGSTOP: connections
// stay open and nobody answers.
func (p *Process) Pause() error { return p.SignalTree(syscall.SIGSTOP) }

// Resume thaws what Pause froze.
func (p *Process) Resume() error { return p.SignalTree(syscall.SIGCONT) }

// SignalTree sends a signal to the child and then to its descendants. The child
// comes first, so that under SIGSTOP and SIGKILL it starts no further ones.
func (p *Process) SignalTree(sig syscall.Signal) error {
	if p.Exited() {
		return nil
	}
	// Listed before SIGKILL, which would hand the children to another parent.
	before, err := descendants(p.pid)
	if err != nil {
		return fmt.Errorf("list the children of process %d: %w", p.pid, err)
	}
	if err := p.Signal(sig); err != nil {
		return err
	}
	after, err := descendants(p.pid)
	if err != nil {
		return fmt.Errorf("list the children of process %d: %w", p.pid, err)
	}
	for _, pid := range append(before, after...) {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("send %v to process %d: %w", sig, pid, err)
		}
	}
	return nil
}

// wait waits for a child that was killed. Only a process stuck in the kernel
// survives SIGKILL; the limit keeps it from hanging its parent as well.
func (p *Process) wait() error {
	const patience = 30 * time.Second
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		return fmt.Errorf("process %d survived SIGKILL for %v", p.pid, patience)
	}
}

// descendants lists the children of a process, their children and so on.
func descendants(pid int) ([]int, error) {
	children, err := childrenByParent()
	if err != nil {
		return nil, err
	}
	all := children[pid]
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all, nil
}
