package devstack

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
)

// ServeKafka is the stack's Kafka in a process of its own: it writes its
// addresses to out, in one line, and serves until ctx ends.
func ServeKafka(ctx context.Context, dataDir string, out io.Writer) error {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return fmt.Errorf("make Kafka's data directory: %w", err)
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(dataDir), kfake.GroupMinSessionTimeout(100*time.Millisecond))
	if err != nil {
		return fmt.Errorf("start Kafka: %w", err)
	}
	defer cluster.Close()
	if _, err := fmt.Fprintln(out, strings.Join(cluster.ListenAddrs(), ",")); err != nil {
		return fmt.Errorf("tell Kafka's addresses: %w", err)
	}
	<-ctx.Done()
	return nil
}

// ServeRedis is the stack's Redis in a process of its own: it writes its
// address to out, in one line, and serves until ctx ends.
func ServeRedis(ctx context.Context, out io.Writer) error {
	redis, err := miniredis.Run()
	if err != nil {
		return fmt.Errorf("start Redis: %w", err)
	}
	defer redis.Close()
	clock := startRedisClock(redis)
	defer clock.stop()
	if _, err := fmt.Fprintln(out, redis.Addr()); err != nil {
		return fmt.Errorf("tell the address of Redis: %w", err)
	}
	<-ctx.Done()
	return nil
}
