package childproc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports lie below those that systems give to outgoing connections (32768 and up
// on Linux, 49152 elsewhere): between the choice of one and the start of its
// server, or while that is down for a test, a client would take it now and then.
const (
	firstPort = 15_000
	ports     = 17_000
	portTries = 1000
)

var given sync.Map // ports of this process, by number

// FreePort finds a loopback port that nobody listens on, and gives none twice.
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
		if _, twice := given.LoadOrStore(port, true); twice {
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
