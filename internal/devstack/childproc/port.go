package childproc

import (
	"context"
	"fmt"
	"net"
)

// FreePort asks the kernel for a loopback port that nobody listens on. Another
// program may take it before the child does: a start that fails for that is to
// be tried again with another port.
func FreePort(ctx context.Context) (int, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return port, listener.Close()
}
