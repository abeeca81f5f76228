package childproc_test

import (
	"context"
	"errors"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
)

func TestNoPortIsGivenTwiceOrToOutgoingConnections(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 200 {
		port, err := childproc.FreePort(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if seen[port] || port >= 32768 {
			t.Fatalf("port %d: given twice, or one that outgoing connections are given", port)
		}
		if childproc.Reserve(port) {
			t.Fatalf("port %d: given, and another process would be given it", port)
		}
		seen[port] = true
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := childproc.FreePort(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("after its time: %v", err)
	}
}
