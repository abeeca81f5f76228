package reporting_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/api/apitest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/reporting"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// world is a database with what coordinators have said, accepted as from Kafka.
type world struct {
	*apitest.World
	reports *reporting.Reports
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{World: apitest.Serve(t)}
	w.reports = &reporting.Reports{Store: w.Store, Source: "/tcda/test"}
	return w
}

// begun is when the first run begins.
var begun = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// said is an event as a coordinator says it.
type said struct {
	message proto.Message
	at      time.Duration // since the start of the run
}

// play is a run with something of everything.
type play struct {
	id      string
	start   time.Time
	group   string
	attempt int32
	outcome string
}

func (p play) events() []said {
	evidence, err := structpb.NewValue(map[string]any{"seen": []any{1.5, "two"}})
	if err != nil {
		panic(err)
	}
	metrics := func(latency float64) map[string]float64 { return map[string]float64{"latency_ms": latency} }
	state, err := structpb.NewValue(map[string]any{"orders": map[string]any{"open": 4}})
	if err != nil {
		panic(err)
	}
	requested := &contract.ExecutionRequested{ExecutionId: p.id, ScenarioId: "depeg", Environment: "staging", GroupId: p.group, Trigger: &contract.Trigger{Type: "manual", Actor: "ada"}}
	if p.attempt > 0 {
		requested.Attempt = proto.Int32(p.attempt)
	}
	outcome := p.outcome
	if outcome == "" {
		outcome = "passed"
	}
	return []said{
		{requested, 0},
		{&contract.ExecutionStarted{ExecutionId: p.id, ScenarioId: "depeg", CoordinatorId: "a"}, time.Second},
		{&contract.ExecutionPhaseStarted{ExecutionId: p.id, Phase: "injection", Ordinal: proto.Int32(1)}, 2 * time.Second},
		{&contract.ExecutionSnapshotCaptured{ExecutionId: p.id, SnapshotId: "before", Kind: "baseline", Service: "exchange", State: state, Metrics: metrics(10), Health: "healthy"}, 3 * time.Second},
		{&contract.ExecutionFaultInjected{ExecutionId: p.id, FaultId: "f-1", FaultType: "network_latency", TargetService: "exchange"}, 4 * time.Second},
		{&contract.ExecutionLogAppended{ExecutionId: p.id, Lines: []*contract.LogLine{
			{Message: "circuit breaker opened", Level: "error", Service: "exchange"},
			{Message: "all is well", Level: "info"},
			{Message: "earlier", Level: "warn", Time: timestamppb.New(p.start.Add(time.Second))},
		}}, 5 * time.Second},
		{&contract.ExecutionValidationRecorded{ExecutionId: p.id, ValidationId: "v-1", AssertionType: "alert_generated", Status: "passed", FaultId: "f-1", Evidence: evidence, SteadyState: "during"}, 6 * time.Second},
		{&contract.ExecutionHeartbeat{ExecutionId: p.id, Progress: proto.Float64(0.5), Message: "half way"}, 7 * time.Second},
		{&contract.ExecutionFaultCleared{ExecutionId: p.id, FaultId: "f-1"}, 8 * time.Second},
		{&contract.ExecutionFaultRecovered{ExecutionId: p.id, FaultId: "f-1", RecoveryTime: durationpb.New(1500 * time.Millisecond)}, 9 * time.Second},
		{&contract.ExecutionSnapshotCaptured{ExecutionId: p.id, SnapshotId: "after", Kind: "recovery", Service: "exchange", State: state, Metrics: metrics(30), Health: "degraded"}, 10 * time.Second},
		{&contract.ExecutionPhaseFinished{ExecutionId: p.id, Phase: "injection", Status: "passed"}, 11 * time.Second},
		{&contract.ExecutionFinished{ExecutionId: p.id, Outcome: outcome}, 12 * time.Second},
	}
}

// perform says events in an order; their ids and times are those of their places in
// the run.
func (w *world) perform(p play, order ...int) {
	w.Helper()
	if p.start.IsZero() {
		p.start = begun
	}
	events := p.events()
	if order == nil {
		for i := range events {
			order = append(order, i)
		}
	}
	for _, i := range order {
		w.say(p, fmt.Sprintf("%s-%d", p.id, i), events[i].at, events[i].message)
	}
}

// say says something of a run.
func (w *world) say(p play, id string, at time.Duration, m proto.Message) {
	w.Helper()
	if p.start.IsZero() {
		p.start = begun
	}
	w.Say(m, func(o *event.Outgoing) { o.ID, o.Time, o.RunID = id, p.start.Add(at), "run-of-"+p.id })
}

func runOf(id string) pgstore.RunKey { return pgstore.RunKey{ID: execution.ID(id), Number: 1} }

// settle notes runs as the publisher does when they have settled.
func (w *world) settle(ids ...string) {
	w.Helper()
	var runs []pgstore.SettledRun
	for _, id := range ids {
		r, err := w.Store.Run(w.Context(), runOf(id))
		if err != nil {
			w.Fatal(err)
		}
		runs = append(runs, pgstore.SettledRun{Run: r, ChangedAt: time.Now().Add(-time.Minute)})
	}
	if err := w.Store.Batch(w.Context(), time.Now(), func(tx *pgstore.Tx) error { return tx.EnqueueReports(w.Context(), runs) }); err != nil {
		w.Fatal(err)
	}
}

// start runs a loop until it is stopped, or the test ends.
func (w *world) start(change ...func(*reporting.Config)) (stop func()) {
	w.Helper()
	metrics, err := telemetry.NewMetrics(prometheus.NewRegistry(), telemetry.Build{})
	if err != nil {
		w.Fatal(err)
	}
	cfg := reporting.Config{Workers: 2, Poll: 10 * time.Millisecond, RetryMin: 10 * time.Millisecond, RetryMax: 50 * time.Millisecond}
	for _, c := range change {
		c(&cfg)
	}
	loop := reporting.New(cfg, reporting.Parts{Reports: w.reports, Metrics: metrics, Log: zerolog.New(zerolog.NewTestWriter(w))})
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.Context()))
	ended := make(chan struct{})
	go func() { loop.Run(ctx); close(ended) }()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	w.Cleanup(stop)
	return stop
}

// done waits until nothing waits for its report.
func (w *world) done() {
	w.Helper()
	testenv.Eventually(w, "no run waits for its report", func() bool {
		queue, err := w.Store.ReportQueue(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		return queue.Waiting == 0
	})
}

// revisions are the bytes of the revisions of the report of a run, which must be as
// they say.
func (w *world) revisions(id string) []string {
	w.Helper()
	listed, err := w.Store.ReportsOnTheWay(w.Context(), &pgstore.ReportFilter{ID: execution.ID(id), AllRevisions: true}, pgstore.ReportPlace{}, 100)
	if err != nil {
		w.Fatal(err)
	}
	slices.Reverse(listed)
	var all []string
	for i := range listed {
		f := &listed[i].FrozenReport
		body, err := w.Store.ReportBody(w.Context(), f)
		if err != nil {
			w.Fatal(err)
		}
		r, err := report.Decode(body)
		if err != nil {
			w.Fatal(err)
		}
		if r.SHA256 != f.SHA256.String() || int(f.Revision) != i+1 || f.Size != len(body) || listed[i].Newest != (i == len(listed)-1) || r.Verdict.Status != f.Status {
			w.Errorf("revision %d of %s: %+v, which is a report of %s and %d bytes", i+1, id, listed[i], r.SHA256, len(body))
		}
		all = append(all, string(body))
	}
	return all
}

func (w *world) newest(id string) *report.Report {
	w.Helper()
	all := w.revisions(id)
	if len(all) == 0 {
		w.Fatalf("%s has no report", id)
	}
	r, err := report.Decode([]byte(all[len(all)-1]))
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// published are the events that tell of reports of a run, as "revision sha256".
func (w *world) published(id string) []string {
	w.Helper()
	rows, err := w.DB.Pool(w).Query(w.Context(), "SELECT event_id, record_value FROM test_coordination.outbox WHERE topic_role = 'reports' AND type = 'test-coordination.report.published.v1' AND subject = $1 ORDER BY id", id)
	if err != nil {
		w.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var eventID string
		var value []byte
		if err := rows.Scan(&eventID, &value); err != nil {
			w.Fatal(err)
		}
		var m struct {
			Revision int    `json:"revision"`
			SHA256   string `json:"sha256"`
			Path     string `json:"path"`
		}
		if err := json.Unmarshal(value, &m); err != nil {
			w.Fatal(err)
		}
		if want := event.OutboundID("report", id, "1", fmt.Sprint(m.Revision), m.SHA256); eventID != want || m.Path != fmt.Sprintf("/reports/%s/1?revision=%d", id, m.Revision) {
			w.Errorf("event %s says %s", eventID, value)
		}
		all = append(all, fmt.Sprint(m.Revision, " ", m.SHA256))
	}
	if err := rows.Err(); err != nil {
		w.Fatal(err)
	}
	return all
}

// told holds the events of a run to its revisions.
func (w *world) told(id string) {
	w.Helper()
	var want []string
	for i, body := range w.revisions(id) {
		r, err := report.Decode([]byte(body))
		if err != nil {
			w.Fatal(err)
		}
		want = append(want, fmt.Sprint(i+1, " ", r.SHA256))
	}
	if got := w.published(id); !slices.Equal(got, want) {
		w.Errorf("events of %s tell of %q, want %q", id, got, want)
	}
}
