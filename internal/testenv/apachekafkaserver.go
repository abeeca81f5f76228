package testenv

import (
	"context"
	"fmt"
	"strconv"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
)

// ApacheKafkaServer is a running Apache Kafka of one node, or one that was
// stopped and can be started again on the same ports and data.
type ApacheKafkaServer struct {
	node    *kafkaNode
	outside int // port
}

// Start runs a server with its files in a folder that it makes. Clients that
// come by OutsideAddr are sent to the address outside, which should be a proxy
// before it; empty is OutsideAddr itself. It ends with this process.
func (p KafkaPrograms) Start(ctx context.Context, dir, outside string) (*ApacheKafkaServer, error) {
	port, err := childproc.FreePort(ctx)
	if err != nil {
		return nil, err
	}
	nodes, err := startKafkaNodes(ctx, p, dir, 1, outsideListener(port, outside))
	if err != nil {
		return nil, fmt.Errorf("start Apache Kafka: %w", err)
	}
	return &ApacheKafkaServer{node: nodes[0], outside: port}, nil
}

// outsideListener is a second port of a node, whose clients are sent to the
// address advertised.
func outsideListener(port int, advertised string) *moreListeners {
	return &moreListeners{listeners: []kafkaListener{{name: "OUTSIDE", protocol: "PLAINTEXT", port: port, advertised: advertised}}}
}

// Addr is the address of the server itself.
func (s *ApacheKafkaServer) Addr() string { return s.node.address() }

// OutsideAddr is what a proxy before the server leads to.
func (s *ApacheKafkaServer) OutsideAddr() string { return "127.0.0.1:" + strconv.Itoa(s.outside) }

// Stop ends the server in order.
func (s *ApacheKafkaServer) Stop() error {
	// A frozen server could not obey.
	if err := s.node.process.Resume(); err != nil {
		return err
	}
	return s.node.stop()
}

// Kill ends the server with SIGKILL.
func (s *ApacheKafkaServer) Kill() error { return s.node.kill() }

// Pause freezes the server: connections stay open, and nobody answers.
func (s *ApacheKafkaServer) Pause() error { return s.node.process.Pause() }

// Resume ends a Pause.
func (s *ApacheKafkaServer) Resume() error { return s.node.process.Resume() }

// Restart starts the server again, after Stop or Kill; one that still runs is
// stopped first.
func (s *ApacheKafkaServer) Restart(ctx context.Context) error {
	if err := s.Stop(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	err := s.node.launch()
	if err == nil {
		err = s.node.await(ctx)
	}
	if err != nil {
		return fmt.Errorf("restart Apache Kafka: %w", err)
	}
	return nil
}
