package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
)

// openStore validates the settings and opens the store for an operator's
// command, once the schema is known to be this program's.
func openStore(ctx context.Context, cfg *config.Config, change ...func(*pgstore.Config)) (*pgstore.Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := pgmigrate.Pending(ctx, cfg.Postgres.URL.Reveal(), service.Migrations(cfg)); err != nil {
		return nil, schemaError(err)
	}
	settings := service.Postgres(cfg)
	for _, c := range change {
		c(&settings)
	}
	return pgstore.Open(ctx, settings)
}

// schemaError gives an error about the schema's version its own exit code.
func schemaError(err error) error {
	if pgmigrate.IsMismatch(err) {
		return &exitError{exitSchema, err}
	}
	return err
}

// openKafka opens the client for an operator's command. Its log is what the
// command says.
func openKafka(cfg *config.Config) (*kafkalog.Client, error) {
	settings, err := service.Kafka(cfg)
	if err != nil {
		return nil, err
	}
	return kafkalog.Open(settings)
}

// operator names who acts, for the audit columns.
func operator() string {
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if name == "" { // a container without a name for its user
		name = "uid " + strconv.Itoa(os.Getuid())
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

func writeJSON(w io.Writer, v any) error {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// table writes rows in aligned columns under a heading. Cells are escaped: they
// may hold a producer's text.
func table(w io.Writer, heading []string, rows [][]string) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, strings.Join(heading, "\t"))
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cells[i] = escaped(cell); cell == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(out, strings.Join(cells, "\t"))
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// escaped is a text in one line, with nothing in it that a terminal obeys.
func escaped(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return s
	}
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// partitionName is the argument TOPIC/PARTITION.
type partitionName struct {
	Topic  string
	Number int32
}

// UnmarshalText reads the argument; a topic's name holds no slash.
func (p *partitionName) UnmarshalText(text []byte) error {
	topic, number, ok := strings.Cut(string(text), "/")
	n, err := strconv.ParseUint(number, 10, 31)
	if !ok || topic == "" || err != nil {
		return errors.New("must be TOPIC/PARTITION, such as test-coordination.executions/3")
	}
	p.Topic, p.Number = topic, int32(n)
	return nil
}

// String is the partition as it is typed.
func (p partitionName) String() string { return p.Topic + "/" + strconv.Itoa(int(p.Number)) }
