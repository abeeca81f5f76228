package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
)

// worker is an instance of the service: tcda serve as a process of its own.
type worker struct {
	*world
	name    string
	listen  string // where it serves its API, whenever it lives
	process *childproc.Process
	doomed  *atomic.Bool // the present process is to end
	starts  int
}

// start starts it. It does not wait: a worker must cope with whatever it finds.
func (w *worker) start() error {
	w.starts++
	process, err := childproc.Start(childproc.Spec{
		Path: w.options.Program, Args: []string{"serve"}, Env: w.environment(w.name, w.listen), Dir: w.dir, LogFile: w.log(), OnParentDeath: syscall.SIGKILL,
	})
	if err != nil {
		return fmt.Errorf("start worker %s: %w", w.name, err)
	}
	doomed := &atomic.Bool{}
	w.process, w.doomed = process, doomed
	go func() {
		<-process.Done()
		if !doomed.Load() {
			w.problem(fmt.Sprintf("worker %s ended by itself: %v; it said:\n%s", w.name, process.Err(), w.tail()))
		}
	}()
	return nil
}

func (w *worker) log() string { return filepath.Join(w.dir, "worker-"+w.name+".log") }

// tail is the end of what it said.
func (w *worker) tail() string {
	text, err := os.ReadFile(w.log())
	if err != nil {
		return err.Error()
	}
	const enough = 3000
	return string(text[max(0, len(text)-enough):])
}

// kill is SIGKILL.
func (w *worker) kill() error {
	w.doomed.Store(true)
	return w.process.Kill()
}

// stopLimit is how long a worker may take to stop, whatever is broken around it.
const stopLimit = time.Minute

// stop is SIGTERM; it waits for the end.
func (w *worker) stop() error {
	w.doomed.Store(true)
	if err := w.process.Stop(syscall.SIGTERM, stopLimit); err != nil {
		return fmt.Errorf("stop worker %s: %w; it said:\n%s", w.name, err, w.tail())
	}
	return nil
}
