package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
)

const pollInterval = 5 * time.Millisecond

// pidFile is what PostgreSQL writes into its data directory: the process id in
// the first line, its state in the eighth.
func (c *cluster) pidFile() string { return filepath.Join(c.path(clusterName), "postmaster.pid") }

func (c *cluster) readPIDFile() (pid int, ready bool, err error) {
	text, err := os.ReadFile(c.pidFile())
	if err != nil {
		return 0, false, err
	}
	lines := strings.Split(string(text), "\n")
	if pid, err = strconv.Atoi(strings.TrimSpace(lines[0])); err != nil {
		return 0, false, fmt.Errorf("read %s: %w", c.pidFile(), err)
	}
	return pid, len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready", nil
}

// awaitReady waits until the server takes connections, or has ended.
func (c *cluster) awaitReady(ctx context.Context, process *childproc.Process) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		// The file may be missing or half-written: that is "not yet".
		if pid, ready, err := c.readPIDFile(); err == nil && ready && pid == process.PID() {
			return nil
		}
		select {
		case <-process.Done():
			return fmt.Errorf("the server ended: %w", process.Err())
		case <-ctx.Done():
			return fmt.Errorf("wait until the server is ready: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// clearStalePIDFile removes what a killed server left. PostgreSQL does that
// itself, except where another process of the same user has got the old process
// id since, which is common after a reboot and in containers. A server that
// still runs there is given a moment: its parent may have died just now.
func (c *cluster) clearStalePIDFile(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		pid, _, err := c.readPIDFile()
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil || !c.servedBy(pid) {
			if err := os.Remove(c.pidFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("remove a stale process id: %w", err)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("another server, process %d, uses %s", pid, c.dir)
		case <-tick.C:
		}
	}
}

// servedBy says whether a process is a server of this cluster: a server's
// working directory is its data directory. Where there is no /proc, any living
// process counts.
func (c *cluster) servedBy(pid int) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return false
	}
	if !childproc.EndsWithParent {
		return true
	}
	cwd, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/cwd")
	// Unreadable are processes of other users, which cannot serve this cluster,
	// and zombies.
	return err == nil && cwd == c.path(clusterName)
}
