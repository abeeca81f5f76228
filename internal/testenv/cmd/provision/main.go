// Command provision gets the servers that the tests run, ahead of them and with
// progress on standard error, which "go test" would hide. What the machine has
// is used; what it lacks is downloaded into the user's cache.
//
//	go run ./internal/testenv/cmd/provision [postgresql] [redis] [kafka]
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/redisserver"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgserver"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

func main() {
	if err := provision(os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "provision:", err)
		os.Exit(1)
	}
}

func provision(names []string, progress io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(names) == 0 {
		names = []string{"postgresql", "redis"}
	}
	for _, name := range names {
		switch name {
		case "postgresql":
			in, err := pgserver.Obtain(ctx, progress)
			if err != nil {
				return err
			}
			fmt.Fprintf(progress, "tests run on %v\n", in)
		case "redis":
			programs, err := redisserver.Obtain(ctx, progress)
			if err != nil {
				return err
			}
			fmt.Fprintf(progress, "tests run on Redis in %s\n", programs.Server)
		case "kafka":
			programs, err := testenv.ObtainApacheKafka(ctx, progress)
			if err != nil {
				return err
			}
			fmt.Fprintf(progress, "tests run on Apache Kafka %s in %s\n", programs.Version, programs.Jars)
		default:
			return fmt.Errorf("unknown server %q: want postgresql, redis or kafka", name)
		}
	}
	return nil
}
