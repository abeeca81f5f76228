package main

import (
	"context"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack"
)

// kafkaCmd is the embedded Kafka in a process of its own, for bench: what it
// uses is its own then.
type kafkaCmd struct {
	DataDir string `required:"" placeholder:"PATH" help:"Where topics are kept."`
}

// Run serves until a signal ends ctx.
func (c *kafkaCmd) Run(ctx context.Context, term console) error {
	return devstack.ServeKafka(ctx, c.DataDir, term.out)
}

// redisCmd is the embedded Redis in a process of its own, for bench on a
// machine that has no redis-server.
type redisCmd struct{}

// Run serves until a signal ends ctx.
func (redisCmd) Run(ctx context.Context, term console) error {
	return devstack.ServeRedis(ctx, term.out)
}
