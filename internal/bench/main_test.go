package bench_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
)

// This binary is also the two programs that a bench starts, told apart by the
// command that they are given.
func TestMain(m *testing.M) {
	programs := map[string]func(context.Context) error{
		"version": func(context.Context) error { fmt.Println("under test"); return nil },
		"serve":   serve,
		"kafka":   func(ctx context.Context) error { return devstack.ServeKafka(ctx, os.Args[3], os.Stdout) },
		"redis":   func(ctx context.Context) error { return devstack.ServeRedis(ctx, os.Stdout) },
	}
	if len(os.Args) < 2 || programs[os.Args[1]] == nil {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := programs[os.Args[1]](ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve is tcda serve: the same settings, the same composition.
func serve(ctx context.Context) error {
	cfg, err := config.Load(os.LookupEnv)
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return err
	}
	return service.Run(ctx, cfg, service.Options{Log: zerolog.New(os.Stderr)})
}
