// Command testdb opens the database that a failed test left: it starts a server
// on the files, prints the address and runs until it is interrupted.
//
//	go run ./internal/testenv/cmd/testdb FOLDER [DATABASE]
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgserver"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "testdb:", err)
		os.Exit(1)
	}
}

func run(args []string, out, progress io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) != 1 && len(args) != 2 {
		return errors.New("usage: testdb FOLDER [DATABASE]")
	}
	if _, err := os.Stat(args[0]); err != nil {
		return fmt.Errorf("find what the test left: %w", err)
	}
	database := "postgres"
	if len(args) == 2 {
		database = args[1]
	}
	server, err := pgserver.Start(ctx, pgserver.Options{DataDir: args[0], Progress: progress})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "psql %q\n", server.URL(database))
	<-ctx.Done()
	return server.Close()
}
