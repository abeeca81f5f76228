package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/outbox"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// appending stands before the real appender.
type appending struct {
	outbox.Appender
	before func()
	after  func([]kafkalog.Appended)
}

func (a appending) Append(ctx context.Context, topic string, records []kafkarecord.Record) []kafkalog.Appended {
	if a.before != nil {
		a.before()
	}
	out := a.Appender.Append(ctx, topic, records)
	if a.after != nil {
		a.after(out)
	}
	return out
}

// A publisher that dies after it has produced, and before it has marked, leaves its
// rows to the next one: they come twice, with the same ids, and none is lost.
func TestDeathBetweenProducingAndMarking(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 3 {
		w.enqueue(w.command("exec-1", n), w.command("exec-2", n), w.command("exec-3", n))
	}
	died := make(chan struct{})
	dying := w.publisher("a", func(s *settings) {
		s.parts.Kafka = w.client()
		s.parts.Appender = appending{Appender: kafkalog.NewAppender(s.parts.Kafka), after: func([]kafkalog.Appended) {
			close(died)
			runtime.Goexit() // the transaction ends as it does when a process dies
		}}
	})
	stop := w.start(dying)
	<-died
	stop()
	if diff := cmp.Diff(map[string]int{"pending": 9}, w.statuses()); diff != "" {
		t.Fatalf("rows (-want +got):\n%s", diff)
	}
	w.start(w.publisher("b"))
	records := w.reader(pgstore.OutboxCommands).await("all events, three of them twice", atLeast(12))
	for id, got := range ids(records) {
		if diff := cmp.Diff([]string{id + "-0", id + "-1", id + "-2"}, got); diff != "" {
			t.Errorf("order of %s (-want +got):\n%s", id, diff)
		}
	}
	w.eventually("all are marked", func() bool { return w.statuses()["published"] == 9 })
}

// However many publish, and whatever fails in between, each key keeps its order and
// nothing is lost.
func TestOrderOfEachKeyWithTwoPublishers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const keys, each = 12, 25
	failed := errors.New("as if the answer were lost")
	var lost, cut atomic.Int64
	const publishers = "publishers"
	store := w.openStore(func(c *pgstore.Config) { c.ApplicationName = publishers })
	for _, instance := range []string{"a", "b"} {
		w.start(w.publisher(instance, func(s *settings) {
			s.config.ClaimRows = 5 // so that both find something
			s.parts.Store, s.parts.Kafka = store, w.client()
			s.parts.Appender = appending{Appender: kafkalog.NewAppender(s.parts.Kafka), after: func(out []kafkalog.Appended) {
				switch rand.IntN(4) {
				case 0: // written, and not known
					out[rand.IntN(len(out))].Err = failed
					lost.Add(1)
				case 1: // somebody ends sessions that wait in a transaction: this one, or the other's, but none that enqueues
					const question = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
						WHERE datname = current_database() AND application_name = $1 AND state = 'idle in transaction' AND (random() < 0.5 OR $2)`
					ctx := context.WithoutCancel(w.Context()) // one may still be at it when the test has seen all it wants
					tag, err := w.sql.Exec(ctx, question, publishers, cut.Load() == 0)
					if err != nil {
						w.Errorf("sessions could not be ended: %v", err)
					}
					cut.Add(tag.RowsAffected())
				}
			}}
		}))
	}
	for n := range each {
		var rows []pgstore.OutboxRow
		for k := range keys {
			rows = append(rows, w.command(fmt.Sprintf("exec-%d", k), n))
		}
		w.enqueue(rows...)
	}
	records := w.reader(pgstore.OutboxCommands).await("all events", func(r []*kgo.Record) bool { return distinct(r) >= keys*each })
	for key, got := range ids(records) {
		var want []string
		for n := range each {
			want = append(want, fmt.Sprintf("%s-%d", key, n))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("order of %s (-want +got):\n%s", key, diff)
		}
	}
	w.eventually("all are marked", func() bool { return w.statuses()["published"] == keys*each })
	if lost.Load() == 0 || cut.Load() == 0 {
		t.Errorf("%d answers were lost and sessions cut %d times: the test has tested nothing", lost.Load(), cut.Load())
	}
}

// What the broker refuses is parked with the reason, and holds up its key alone:
// until it is released, or discarded.
func TestAParkedRowBlocksOnlyItsKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	spec := w.topics[pgstore.OutboxCommands]
	spec.Settings = map[string]string{"max.message.bytes": "4096"}
	w.topics[pgstore.OutboxCommands] = spec
	w.makeTopics()
	large := w.command("exec-1", 1)
	large.Record.Value = []byte(strings.Repeat("x", 10_000))
	hopeless := w.command("exec-2", 1)
	hopeless.Record.Value = []byte(strings.Repeat("x", 100_000))
	w.enqueue(w.command("exec-1", 0), large, w.command("exec-1", 2), w.command("exec-2", 0), hopeless, w.command("exec-2", 2), w.command("exec-3", 0), w.command("exec-3", 1))
	p := w.publisher("a")
	w.start(p)
	r := w.reader(pgstore.OutboxCommands)
	w.eventually("two are parked and four published", func() bool { s := w.statuses(); return s["parked"] == 2 && s["published"] == 4 })
	want := map[string][]string{"exec-1": {"exec-1-0"}, "exec-2": {"exec-2-0"}, "exec-3": {"exec-3-0", "exec-3-1"}}
	if diff := cmp.Diff(want, ids(r.await("what is not held up", atLeast(4)))); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	if err := p.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "2 events for topic "+spec.Name+" are parked") {
		t.Errorf("readiness says %v", err)
	}

	parked, err := w.store.ParkedRows(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(parked) != 2 || parked[0].EventID != "exec-1-1" || parked[0].Subject != "exec-1" || parked[0].Attempts != 1 || !strings.Contains(parked[0].Reason, "Message Size Too Large") {
		t.Fatalf("parked rows: %+v", parked)
	}
	w.setTopic(spec.Name, "max.message.bytes", "20000")
	if err := w.store.ReleaseParked(t.Context(), parked[0].ID, "operator", "the topic takes more now", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := w.store.DiscardParked(t.Context(), parked[1].ID, "operator", "nobody needs it", time.Now()); err != nil {
		t.Fatal(err)
	}
	want["exec-1"] = append(want["exec-1"], "exec-1-1", "exec-1-2")
	want["exec-2"] = append(want["exec-2"], "exec-2-2")
	if diff := cmp.Diff(want, ids(r.await("what was held up", atLeast(7)))); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	if err := p.Check(t.Context()); err != nil {
		t.Errorf("readiness says %v", err)
	}
	var audit string
	err = w.sql.QueryRow(t.Context(), "SELECT string_agg(status || ' by ' || resolved_by || ': ' || resolution, ', ' ORDER BY id) FROM test_coordination.outbox WHERE resolved_at IS NOT NULL").Scan(&audit)
	if want := "published by operator: the topic takes more now, discarded by operator: nobody needs it"; err != nil || audit != want {
		t.Errorf("audit %q, %v; want %q", audit, err, want)
	}
	for _, again := range []error{
		w.store.ReleaseParked(t.Context(), parked[0].ID, "operator", "again", time.Now()),
		w.store.DiscardParked(t.Context(), parked[1].ID, "operator", "again", time.Now()),
	} {
		if !errors.Is(again, pgstore.ErrNotFound) {
			t.Errorf("what is not parked any more gives %v", again)
		}
	}
}

// While the broker is away nothing is parked, lost or given up, and it is said; when
// it is back all is published.
func TestTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	kafka, proxy := testenv.ProxiedBroker(t)
	w := newWorldOn(t, kafka)
	w.makeTopics()
	p := w.publisher("a", func(s *settings) {
		s.parts.Kafka = w.client(proxy.Addr())
		s.config.ProduceTimeout = time.Second
	})
	w.start(p)
	r := w.reader(pgstore.OutboxCommands)
	w.enqueue(w.command("exec-1", 0))
	r.await("the first event", atLeast(1))
	w.eventually("the first is noted as published", func() bool { return w.statuses()["pending"] == 0 }) // its answer shall not be cut
	for n, fault := range []func(){func() { proxy.Refuse() }, func() { proxy.Swallow() }} {
		fault()
		w.enqueue(w.command("exec-1", 2*n+1), w.command("exec-1", 2*n+2))
		w.eventually("readiness says so", func() bool {
			err := p.Check(t.Context())
			return err != nil && strings.Contains(err.Error(), "events for topic "+w.topics[pgstore.OutboxCommands].Name+" cannot be published")
		})
		if s := w.statuses(); s["parked"] != 0 || s["pending"] != 2 {
			t.Errorf("rows: %v", s)
		}
		proxy.Heal()
		w.eventually("all is published", func() bool { return w.statuses()["published"] == 2*n+3 })
		w.eventually("readiness is well", func() bool { return p.Check(t.Context()) == nil })
	}
	got := ids(r.await("all events", func(r []*kgo.Record) bool { return distinct(r) >= 5 }))["exec-1"]
	if want := []string{"exec-1-0", "exec-1-1", "exec-1-2", "exec-1-3", "exec-1-4"}; !slices.Equal(got, want) {
		t.Errorf("published %v, want %v", got, want)
	}
}

// A topic that is missing is waited for, and holds up no other.
func TestATopicIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	commands, reports := w.topics[pgstore.OutboxCommands], w.topics[pgstore.OutboxReports]
	w.kafka.CreateTopic(t, reports.Name, 1, nil)
	p := w.publisher("a", func(s *settings) { s.config.CreateTopics = false })
	w.start(p)
	report := w.command("exec-1", 1)
	report.Topic = pgstore.OutboxReports
	w.enqueue(w.command("exec-1", 0), report)
	w.reader(pgstore.OutboxReports).await("the report", atLeast(1))
	w.eventually("readiness says what to do", func() bool {
		err := p.Check(t.Context())
		return err != nil && strings.Contains(err.Error(), commands.Name+" cannot be published") && strings.Contains(err.Error(), "let tcda do so with kafka-create-topics") &&
			!strings.Contains(err.Error(), reports.Name) && !strings.Contains(err.Error(), w.topics[pgstore.OutboxDeadLetters].Name)
	})
	w.kafka.CreateTopic(t, commands.Name, 1, nil)
	w.reader(pgstore.OutboxCommands).await("the command", atLeast(1))
	w.eventually("readiness is well", func() bool { return p.Check(t.Context()) == nil })
}

// A word to the publisher saves the wait for its next look.
func TestANudgeIsEnough(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publisher("a", func(s *settings) { s.config.Poll = time.Hour })
	w.start(p)
	r := w.reader(pgstore.OutboxCommands)
	for n := range 5 {
		w.enqueue(w.command("exec-1", n))
		p.Nudge()
		r.await("the event", atLeast(n+1))
	}
}

// What was published or discarded is removed after a while, other rows never are.
func TestPublishedRowsAreRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.sql.Exec(t.Context(), `INSERT INTO test_coordination.outbox (topic_role, event_id, event_time, key_hash, record_headers, status, enqueued_at, finished_at)
		SELECT 'reports', 'e' || n, now(), sha256('k' || n::text::bytea), '[]', s.status, now() - interval '30 days', CASE WHEN s.finished THEN now() - n % 2 * interval '8 days' END
		FROM generate_series(1, 5000) AS n CROSS JOIN LATERAL (SELECT (ARRAY['parked', 'published', 'discarded', 'published'])[n % 4 + 1] AS status, n % 4 > 0 AS finished) AS s`)
	if err != nil {
		t.Fatal(err)
	}
	w.start(w.publisher("a"))
	want := map[string]int{"parked": 1250, "discarded": 1250} // those of an even number are young
	w.eventually("the old ones are gone", func() bool { return cmp.Equal(want, w.statuses()) })
}

// setTopic changes a setting of a topic.
func (w *world) setTopic(topic, name, value string) {
	w.Helper()
	admin := kadm.NewClient(w.kafka.Client(w))
	answers, err := admin.AlterTopicConfigs(w.Context(), []kadm.AlterConfig{{Name: name, Value: &value}}, topic)
	if err == nil {
		err = answers[0].Err
	}
	if err != nil {
		w.Fatal(err)
	}
}
