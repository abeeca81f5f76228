package childproc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// Ports lie below those that systems give to outgoing connections (32768 and up
// on Linux, 49152 elsewhere): between the choice of one and the start of its
// server, or while that is down for a test, a client would take it now and then.
const (
	firstPort = 15_000
	ports     = 17_000
	portTries = 1000
)

var (
	given    sync.Map // ports of this process, by number
	reserved sync.Map // the locked files of those, kept open
)

// FreePort finds a loopback port that nobody listens on, and gives none twice, nor
// one that another process was given by it and may be about to listen on again.
// Another program may take it before the child does: a start that fails for that
// is to be tried again with another port.
func FreePort(ctx context.Context) (int, error) {
	err := errors.New("all that were tried have been given")
	for range portTries {
		if ctx.Err() != nil {
			err = ctx.Err()
			break
		}
		port := firstPort + rand.IntN(ports)
		if _, twice := given.LoadOrStore(port, true); twice || !reserve(port) {
			continue
		}
		var listener net.Listener
		listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, listener.Close()
		}
	}
	return 0, fmt.Errorf("find a free port from %d on: %w", firstPort, err)
}

// reserve takes a port for as long as this process lives, among all that ask
// FreePort on this machine: the lock of a file ends with its process. Where there
// are no such files, ports are not reserved.
func reserve(port int) bool {
	dir := filepath.Join(os.TempDir(), "tcda-ports")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return true
	}
	_ = os.Chmod(dir, 0o777|os.ModeSticky) //nolint:gosec // other users reserve theirs in it
	name := filepath.Join(dir, strconv.Itoa(port))
	file, err := os.Open(name) //nolint:gosec // the name is a number
	if errors.Is(err, fs.ErrNotExist) {
		file, err = os.OpenFile(name, os.O_CREATE|os.O_RDONLY, 0o644) //nolint:gosec // likewise
	}
	if err != nil {
		return true
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return !errors.Is(err, syscall.EWOULDBLOCK)
	}
	reserved.Store(port, file)
	return true
}
