package soak

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// The Kafkas that a soak can run on.
const (
	Apache = "apache" // a real one
	Kfake  = "kfake"  // in this process: starts at once, and knows fewer faults
)

// broker is a Kafka of one node.
type broker interface {
	Direct() string  // its address beside the proxy
	Outside() string // the address for clients that shall feel the faults
	Behind() string  // what the proxy leads to
	Kill() error
	Restart(ctx context.Context) error // in order, or after Kill
	Pause() error
	Resume() error
}

func newBroker(ctx context.Context, o Options, dir, outside string) (broker, error) {
	if o.Kafka == Kfake {
		return newInProcess(ctx, dir)
	}
	programs, err := testenv.ObtainApacheKafka(ctx, o.Progress)
	if err != nil {
		return nil, err
	}
	server, err := programs.Start(ctx, dir, outside)
	if err != nil {
		return nil, err
	}
	return apacheBroker{server, outside}, nil
}

type apacheBroker struct {
	*testenv.ApacheKafkaServer
	proxy string
}

func (b apacheBroker) Direct() string  { return b.Addr() }
func (b apacheBroker) Outside() string { return b.proxy }
func (b apacheBroker) Behind() string  { return b.OutsideAddr() }

// inProcess keeps its records on disk, so that it can be started again.
type inProcess struct {
	dir     string
	port    int
	cluster *kfake.Cluster
}

func newInProcess(ctx context.Context, dir string) (*inProcess, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	port, err := childproc.FreePort(ctx)
	if err != nil {
		return nil, err
	}
	b := &inProcess{dir: dir, port: port}
	if err := b.Restart(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *inProcess) Direct() string  { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)) }
func (b *inProcess) Outside() string { return b.Direct() }
func (b *inProcess) Behind() string  { return b.Direct() }

// Kill ends it in order: what is in this process cannot die alone.
func (b *inProcess) Kill() error {
	if b.cluster != nil {
		b.cluster.Close()
	}
	b.cluster = nil
	return nil
}

func (b *inProcess) Restart(context.Context) (err error) {
	if err := b.Kill(); err != nil {
		return err
	}
	b.cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(b.port), kfake.DataDir(b.dir), kfake.GroupMinSessionTimeout(50*time.Millisecond))
	if err != nil {
		return fmt.Errorf("start an in-process Kafka: %w", err)
	}
	return nil
}

func (b *inProcess) Pause() error  { return nil }
func (b *inProcess) Resume() error { return nil }
