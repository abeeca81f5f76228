package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
)

type ledgerCmd struct {
	Check ledgerCheck `cmd:"" help:"Hold the database against a ledger: every acknowledged event is stored once or quarantined; exit 1 otherwise."`
}

type ledgerCheck struct {
	Ledger      string        `required:"" placeholder:"PATH" help:"The file that emit wrote."`
	PostgresURL config.URL    `placeholder:"URL" help:"Database of the service; without it that of the environment."`
	Wait        time.Duration `default:"30s" help:"How long to wait for what is not ingested yet."`
}

// Run checks the ledger.
func (c *ledgerCheck) Run(ctx context.Context, term console) error {
	cfg, err := config.Load(term.lookupEnv)
	if err != nil {
		return err
	}
	if c.PostgresURL.Reveal() != "" {
		cfg.Postgres.URL = c.PostgresURL
	}
	if err := cfg.Validate(); err != nil {
		return &usageError{err}
	}
	account, err := readAccount(c.Ledger)
	if err != nil {
		return err
	}
	store, err := pgstore.Open(ctx, service.Postgres(cfg))
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer store.Close()
	if err := account.awaitIngested(ctx, store, c.Wait); err != nil {
		return err
	}
	found, err := account.settle(ctx, store)
	if err != nil {
		return err
	}
	return found.write(term.out)
}

// partition names a partition of a topic.
type partition struct {
	topic  string
	number int32
}

// sentEvent is one event, sent once or several times.
type sentEvent struct {
	coordsim.Identity
	key fact.Key
	at  []coordsim.Address
}

// account is a ledger by event.
type account struct {
	records   int64
	events    []*sentEvent
	malformed []coordsim.Address
	ends      map[partition]int64 // highest offset in it
}

func readAccount(name string) (*account, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	defer func() { _ = file.Close() }()
	a := &account{ends: map[partition]int64{}}
	byKey := map[fact.Key]*sentEvent{}
	for entry, err := range coordsim.ReadLedger(file) {
		if err != nil {
			return nil, err
		}
		a.records++
		in := partition{entry.Topic, entry.Partition}
		a.ends[in] = max(a.ends[in], entry.Offset)
		if entry.EventKey == "" {
			a.malformed = append(a.malformed, entry.Address)
			continue
		}
		var key fact.Key
		if n, err := hex.Decode(key[:], []byte(entry.EventKey)); err != nil || n != len(key) || len(entry.EventKey) != 2*len(key) {
			return nil, fmt.Errorf("read ledger: event key %q is not %d hex digits", entry.EventKey, 2*len(key))
		}
		sent, again := byKey[key]
		if !again {
			sent = &sentEvent{Identity: entry.Identity, key: key}
			byKey[key] = sent
			a.events = append(a.events, sent)
		}
		sent.at = append(sent.at, entry.Address)
	}
	return a, nil
}

// awaitIngested waits until the service has come past the ledger.
func (a *account) awaitIngested(ctx context.Context, store *pgstore.Store, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not everything was ingested within %s", limit))
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		behind, err := a.behind(ctx, store)
		if err == nil && behind == "" {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if err != nil {
				behind = err.Error()
			}
			return fmt.Errorf("%w: %s", context.Cause(ctx), behind)
		}
	}
}

// behind names a partition of which not everything is ingested; empty: none.
func (a *account) behind(ctx context.Context, store *pgstore.Store) (string, error) {
	stored, err := store.Partitions(ctx)
	if err != nil {
		return "", err
	}
	next := map[partition]int64{}
	for _, p := range stored {
		next[partition{p.Topic, p.Number}] = p.Next
	}
	for p, end := range a.ends {
		if next[p] <= end {
			return fmt.Sprintf("%s/%d stands at offset %d, the ledger goes to %d", p.topic, p.number, next[p], end), nil
		}
	}
	return "", nil
}

// settlement is what became of a ledger.
type settlement struct {
	account                            *account
	stored, quarantined, lost, doubled int64
	faults                             []string
	applied, duplicates, inQuarantine  int64 // sums of the ledger's partitions
}

// lookUpAtOnce is how many events or offsets one query asks for.
const lookUpAtOnce = 1000

// settle looks up what became of everything in the ledger.
func (a *account) settle(ctx context.Context, store *pgstore.Store) (*settlement, error) {
	s := &settlement{account: a}
	quarantined, err := a.quarantined(ctx, store)
	if err != nil {
		return nil, err
	}
	isQuarantined := func(at coordsim.Address) bool { return quarantined[at] != "" }
	for page := range slices.Chunk(a.events, lookUpAtOnce) {
		asked := make([]pgstore.SentEvent, len(page))
		for i, e := range page {
			asked[i] = pgstore.SentEvent{Subject: e.Subject, Key: e.key}
		}
		copies, err := store.StoredCopies(ctx, asked)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			switch n := copies[e.key]; {
			case n == 1:
				s.stored++
			case n > 1:
				s.doubled++
				s.fault("stored %d times: %s %s of %s", n, e.Type, e.ID, e.Subject)
			case slices.ContainsFunc(e.at, isQuarantined):
				// It counts below.
			default:
				s.lost++
				s.fault("neither stored nor quarantined: %s %s of %s, acknowledged at %s/%d offset %d",
					e.Type, e.ID, e.Subject, e.at[0].Topic, e.at[0].Partition, e.at[0].Offset)
			}
		}
	}
	for _, at := range a.malformed {
		if !isQuarantined(at) {
			s.lost++
			s.fault("not quarantined: the malformed record at %s/%d offset %d", at.Topic, at.Partition, at.Offset)
		}
	}
	s.quarantined = int64(len(quarantined))
	err = s.compareSums(ctx, store)
	return s, err
}

// quarantined are the quarantined ones among all records of the ledger.
func (a *account) quarantined(ctx context.Context, store *pgstore.Store) (map[coordsim.Address]fact.Reason, error) {
	offsets := map[partition][]int64{}
	add := func(at coordsim.Address) {
		p := partition{at.Topic, at.Partition}
		offsets[p] = append(offsets[p], at.Offset)
	}
	for _, e := range a.events {
		for _, at := range e.at {
			add(at)
		}
	}
	for _, at := range a.malformed {
		add(at)
	}
	found := map[coordsim.Address]fact.Reason{}
	for p, all := range offsets {
		for page := range slices.Chunk(all, lookUpAtOnce) {
			reasons, err := store.QuarantinedAt(ctx, p.topic, p.number, page)
			if err != nil {
				return nil, err
			}
			for offset, reason := range reasons {
				found[coordsim.Address{Topic: p.topic, Partition: p.number, Offset: offset}] = reason
			}
		}
	}
	return found, nil
}

// compareSums holds the service's own sums against the ledger, where it is the
// only one that has sent to its partitions.
func (s *settlement) compareSums(ctx context.Context, store *pgstore.Store) error {
	stored, err := store.Partitions(ctx)
	if err != nil {
		return err
	}
	for _, p := range stored {
		if _, ours := s.account.ends[partition{p.Topic, p.Number}]; ours {
			s.applied, s.duplicates, s.inQuarantine = s.applied+p.Applied, s.duplicates+p.Duplicates, s.inQuarantine+p.Quarantined
		}
	}
	if !s.alone() {
		return nil
	}
	if duplicates := s.account.records - s.stored - s.quarantined; s.applied != s.stored || s.duplicates != duplicates || s.inQuarantine != s.quarantined {
		s.fault("the service counts %d applied, %d duplicates, %d quarantined; by the ledger they are %d, %d, %d",
			s.applied, s.duplicates, s.inQuarantine, s.stored, duplicates, s.quarantined)
	}
	return nil
}

// alone tells whether every ingested record of the partitions is in the ledger.
func (s *settlement) alone() bool {
	return s.applied+s.duplicates+s.inQuarantine == s.account.records
}

func (s *settlement) fault(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// maxFaults bounds what is written.
const maxFaults = 50

func (s *settlement) write(w io.Writer) error {
	for i, fault := range s.faults {
		if i == maxFaults {
			fmt.Fprintf(w, "... and %d more\n", len(s.faults)-maxFaults)
			break
		}
		fmt.Fprintln(w, fault)
	}
	fmt.Fprintf(w, "%d records in the ledger, %d events of them: %d stored once, %d records quarantined, %d lost, %d doubled\n",
		s.account.records, len(s.account.events), s.stored, s.quarantined, s.lost, s.doubled)
	if !s.alone() {
		fmt.Fprintf(w, "the service has ingested %d records of these partitions: the sums are not compared\n", s.applied+s.duplicates+s.inQuarantine)
	}
	if len(s.faults) > 0 {
		return errReported
	}
	return nil
}
