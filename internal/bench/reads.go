package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/api"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1/testcoordinationv1connect"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

const (
	// readPage is how many entries a page has, and farPage the one that is held
	// against the first.
	readPage = 20
	farPage  = 10_000
	// walkPage is the size of the pages that lead there.
	walkPage = 500
	// readRounds is how often each of the two pages is read.
	readRounds = 200
)

// list is one that people page through.
type list struct {
	name string
	read func(ctx context.Context, size int32, token string) (entries int, next string, err error)
}

// lists are those of the API, each along another index.
func lists(client testcoordinationv1connect.ExecutionServiceClient) []list {
	runs := func(name string, of *contract.ListExecutionsRequest) list {
		return list{name, func(ctx context.Context, size int32, token string) (int, string, error) {
			of.PageSize, of.PageToken = size, token
			answer, err := client.ListExecutions(ctx, connect.NewRequest(of))
			if err != nil {
				return 0, "", err
			}
			return len(answer.Msg.GetExecutions()), answer.Msg.GetNextPageToken(), nil
		}}
	}
	timeline := func(name string, descending bool) list {
		return list{name, func(ctx context.Context, size int32, token string) (int, string, error) {
			answer, err := client.GetTimeline(ctx, connect.NewRequest(&contract.GetTimelineRequest{ExecutionId: longRun, PageSize: size, PageToken: token, Descending: descending}))
			if err != nil {
				return 0, "", err
			}
			return len(answer.Msg.GetEvents()), answer.Msg.GetNextPageToken(), nil
		}}
	}
	logs := func(name string, tail bool) list {
		return list{name, func(ctx context.Context, size int32, token string) (int, string, error) {
			answer, err := client.ListLogs(ctx, connect.NewRequest(&contract.ListLogsRequest{ExecutionId: longRun, PageSize: size, PageToken: token, Tail: tail}))
			if err != nil {
				return 0, "", err
			}
			return len(answer.Msg.GetLines()), answer.Msg.GetNextPageToken(), nil
		}}
	}
	return []list{
		runs("executions", &contract.ListExecutionsRequest{}),
		runs("executions of a scenario", &contract.ListExecutionsRequest{ScenarioId: "scenario-0"}),
		runs("executions of a group", &contract.ListExecutionsRequest{GroupId: "nightly"}),
		runs("executions of two statuses", &contract.ListExecutionsRequest{Statuses: []string{"passed", "failed"}}),
		runs("pinned executions", &contract.ListExecutionsRequest{Pinned: true}),
		{"active executions", func(ctx context.Context, size int32, token string) (int, string, error) {
			answer, err := client.ListActiveExecutions(ctx, connect.NewRequest(&contract.ListActiveExecutionsRequest{PageSize: size, PageToken: token}))
			if err != nil {
				return 0, "", err
			}
			return len(answer.Msg.GetExecutions()), answer.Msg.GetNextPageToken(), nil
		}},
		{"active faults", func(ctx context.Context, size int32, token string) (int, string, error) {
			answer, err := client.ListActiveFaults(ctx, connect.NewRequest(&contract.ListActiveFaultsRequest{PageSize: size, PageToken: token}))
			if err != nil {
				return 0, "", err
			}
			return len(answer.Msg.GetFaults()), answer.Msg.GetNextPageToken(), nil
		}},
		timeline("timeline", false), timeline("timeline, newest first", true),
		logs("log lines", false), logs("log lines, the last first", true),
	}
}

// measureReads measures what a page far in costs, beside the first one.
func (b *bench) measureReads(ctx context.Context) error {
	const database = "bench_reads"
	if err := b.freshDatabase(ctx, database); err != nil {
		return err
	}
	seed := Seed{Executions: b.Executions, LogLines: b.LogLines, Now: time.Now().UTC(), Progress: b.Progress}
	if err := b.onDatabase(ctx, database, func(conn *pgx.Conn) error { return seed.Fill(ctx, conn) }); err != nil {
		return fmt.Errorf("fill the database: %w", err)
	}
	s := &Section{Name: partReads, About: fmt.Sprintf("pages of %d by the API, with %s executions and %s log lines", readPage, count(int64(b.Executions)), count(int64(b.LogLines)))}
	err := serveReads(ctx, b.servers.postgres.URL(database), func(client testcoordinationv1connect.ExecutionServiceClient) error {
		for _, l := range lists(client) {
			if err := b.measureList(ctx, s, l); err != nil {
				return fmt.Errorf("read %s: %w", l.name, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.note("read %d times each, by turns, through HTTP; the far page is a nearer one where a list has fewer than %s", readRounds, count(farPage))
	b.report.Sections = append(b.report.Sections, s)
	return b.dropDatabase(ctx, database)
}

// serveReads serves the API on a database while work lasts.
func serveReads(ctx context.Context, url string, work func(testcoordinationv1connect.ExecutionServiceClient) error) error {
	return serveAPI(ctx, url, func(c *connectClient) error {
		return work(testcoordinationv1connect.NewExecutionServiceClient(c.http, c.url))
	})
}

// connectClient is how the API is reached.
type connectClient struct {
	http *http.Client
	url  string
}

// serveAPI serves the API on a database while work lasts.
func serveAPI(ctx context.Context, url string, work func(*connectClient) error) (err error) {
	store, err := pgstore.Open(ctx, pgstore.Config{URL: url, MaxConns: 4, StatementTimeout: 30 * time.Second})
	if err != nil {
		return err
	}
	defer store.Close()
	handler, err := api.NewHandler(api.Parts{Store: store, Commands: &command.Commands{}, Now: time.Now, Log: zerolog.Nop()})
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		err = errors.Join(err, server.Close())
		if failed := <-served; !errors.Is(failed, http.ErrServerClosed) {
			err = errors.Join(err, failed)
		}
	}()
	return work(&connectClient{http.DefaultClient, "http://" + listener.Addr().String()})
}

// measureList reads the first page and one far in, by turns.
func (b *bench) measureList(ctx context.Context, s *Section, l list) error {
	far, token, err := l.walk(ctx)
	if err != nil {
		return err
	}
	var first, last []float64
	for range readRounds {
		for _, page := range []struct {
			token string
			took  *[]float64
		}{{"", &first}, {token, &last}} {
			began := time.Now()
			entries, _, err := l.read(ctx, readPage, page.token)
			if err != nil {
				return err
			}
			*page.took = append(*page.took, float64(time.Since(began).Microseconds())/1000)
			if entries != readPage {
				return fmt.Errorf("a page has %d entries, want %d: it needs a longer seed", entries, readPage)
			}
		}
	}
	f := s.addSummary(l.name+", page 1", "ms", first)
	s.addSummary(fmt.Sprintf("%s, page %s", l.name, count(int64(far))), "ms", last).of(f, f.Name)
	fmt.Fprintf(b.Progress, "%s: page 1 %s ms, page %s %s ms\n", l.name, amount(median(first)), count(int64(far)), amount(median(last)))
	return nil
}

// walk is the token of the far page, and its number; where there are fewer pages,
// of the last that steps of walkPage lead to.
func (l *list) walk(ctx context.Context) (page int, token string, err error) {
	passed := 0
	for want := (farPage - 1) * readPage; passed < want; {
		entries, next, err := l.read(ctx, int32(min(walkPage, want-passed)), token)
		if err != nil {
			return 0, "", err
		}
		if next == "" || entries < min(walkPage, want-passed) {
			break
		}
		// The page behind this one must be a full one, too.
		if following, _, err := l.read(ctx, readPage, next); err != nil || following < readPage {
			return passed/readPage + 1, token, err
		}
		passed, token = passed+entries, next
	}
	return passed/readPage + 1, token, nil
}

// addSummary adds a figure of so many values that only their spread is kept.
func (s *Section) addSummary(name, unit string, values []float64) *Figure {
	f := s.add(name, unit, values...)
	f.Values = nil
	return f
}
