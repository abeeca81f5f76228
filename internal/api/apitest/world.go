// Package apitest serves the API to tests, of this package and of the command
// line: over HTTP, on a real database of its own.
package apitest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/accept"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/api"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/verify"
)

// World is the API over HTTP, with servers of its own.
type World struct {
	testing.TB
	DB      *testenv.DB
	Store   *pgstore.Store
	Handler http.Handler // of the API
	URL     string       // where it is served
	Client  *http.Client // of that server

	// Now is when what is said is heard; nil: just now.
	Now func() time.Time

	decoder *event.Decoder
	said    atomic.Int64

	claim sync.Once
	from  pgstore.Partition // where what is said comes from
}

// Serve serves the API until the test ends. Everything that it has stored can
// then be folded again.
func Serve(t testing.TB, change ...func(*api.Parts)) *World {
	t.Helper()
	w := &World{TB: t, DB: testenv.Postgres(t)}
	store, err := pgstore.Open(t.Context(), pgstore.Config{URL: w.DB.URL, MaxConns: 8, StatementTimeout: 20 * time.Second, LockTimeout: 10 * time.Second, IdleTimeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	w.Store = store
	if w.decoder, err = event.NewDecoder(event.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	parts := api.Parts{
		Store: store, Limits: scenario.DefaultLimits(), Log: zerolog.New(zerolog.NewTestWriter(t)),
		Commands: command.New(command.Parts{Store: store, Decoder: w.decoder, Limits: scenario.DefaultLimits(), Source: "/tcda/test"}),
	}
	for _, c := range change {
		c(&parts)
	}
	if w.Handler, err = api.NewHandler(parts); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w.Handler)
	t.Cleanup(server.Close)
	w.URL, w.Client = server.URL, server.Client()
	t.Cleanup(w.refoldable)
	return w
}

// refoldable holds what is stored against what its events fold to.
func (w *World) refoldable() {
	w.Helper()
	report, err := verify.Run(context.WithoutCancel(w.Context()), w.Store, nil, verify.Options{})
	if err != nil {
		w.Errorf("verify: %v", err)
	}
	for _, d := range report.Differences {
		w.Errorf("verification: %s", d)
	}
}

// Say accepts what a coordinator says, as ingest does with what comes from
// Kafka.
func (w *World) Say(m proto.Message, change ...func(*event.Outgoing)) {
	w.Helper()
	n, now := w.said.Add(1), time.Now
	if w.Now != nil {
		now = w.Now
	}
	o := event.Outgoing{Source: "/coordinator/a", ID: fmt.Sprintf("event-%d", n), Time: now().UTC(), Message: m}
	for _, c := range change {
		c(&o)
	}
	record, err := event.Encode(o, event.Binary, event.JSON)
	if err != nil {
		w.Fatal(err)
	}
	decoded, rejection := w.decoder.Decode(record, now())
	if rejection != nil {
		w.Fatal(rejection)
	}
	w.claim.Do(func() {
		w.from, err = w.Store.Claim(w.Context(), pgstore.ClaimRequest{Topic: "test-coordination.executions", Owner: "test", Now: now()})
	})
	if err != nil {
		w.Fatal(err)
	}
	err = w.Store.Batch(w.Context(), now(), func(tx *pgstore.Tx) error {
		if err := tx.Count(w.Context(), w.from, 1, 0, 0); err != nil {
			return err
		}
		if e := decoded.Execution; e != nil {
			known, err := tx.LockExecutions(w.Context(), []string{e.Subject}, nil)
			if err != nil {
				return err
			}
			f := accept.NewFold("/tcda/test", tx.Now(), known, 1)
			if err := f.Load(w.Context(), tx, []*execution.Event{e}); err != nil {
				return err
			}
			f.Apply(e, n)
			return tx.SaveExecutions(w.Context(), w.from, f.Rows(), f.Changed())
		}
		if err := tx.LockDefinitions(w.Context()); err != nil {
			return err
		}
		d, err := tx.LoadDefinitions(w.Context(), []*scenario.Event{decoded.Scenario})
		if err != nil {
			return err
		}
		if rejection, err := accept.Definition(w.Context(), d, decoded.Scenario, scenario.DefaultLimits()); rejection != nil || err != nil {
			return errors.Join(rejection, err)
		}
		return tx.SaveDefinitions(w.Context(), w.from, []pgstore.AcceptedDefinition{{Event: decoded.Scenario, Offset: n}}, d)
	})
	if err != nil {
		w.Fatal(err)
	}
}
