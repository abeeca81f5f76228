package coordsim

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// Load determines generated load: many runs at the same time, each of which
// starts, emits events of a mix, and finishes.
type Load struct {
	Seed     uint64
	Instance string    // as in Options
	Start    time.Time // of the first event; each is a millisecond after the one before
	Records  int       // in all
	Parallel int       // runs at the same time: 50
	Length   int       // events of a run, with its start and end: 100
	// Mix has weights: names of MixNames, and "duplicate" and "malformed" for
	// records that are not events of their own. Nil is DefaultMix.
	Mix   map[string]int
	Forms []Form // nil is all four
}

// What a mix may name beside event types.
const (
	mixDuplicate = "duplicate"
	mixMalformed = "malformed"
)

// DefaultMix is mostly heartbeats.
func DefaultMix() map[string]int {
	return map[string]int{"heartbeat": 70, "step_finished": 8, "log_appended": 8, "validation_recorded": 5, "fault_injected": 2, "snapshot_captured": 2, mixDuplicate: 4, mixMalformed: 1}
}

// MixNames are the names that a mix may have.
func MixNames() []string {
	return append(slices.Sorted(maps.Keys(loadEvents)), mixDuplicate, mixMalformed)
}

// loadEvents are the events of load, by short name; n is the event's number.
var loadEvents = map[string]func(id string, n int, random *rand.Rand) proto.Message{
	"heartbeat": func(id string, n int, random *rand.Rand) proto.Message {
		return &contract.ExecutionHeartbeat{ExecutionId: id, Progress: new(random.Float64()), Message: fmt.Sprint("step ", n), CurrentPhase: "load"}
	},
	"step_finished": func(id string, n int, _ *rand.Rand) proto.Message {
		return &contract.ExecutionStepFinished{ExecutionId: id, StepId: fmt.Sprint("step-", n), Kind: "action", Phase: "load", Service: "exchange-simulator", Action: "ping", Status: "passed", Attempt: 1}
	},
	"log_appended": func(id string, n int, random *rand.Rand) proto.Message {
		lines := make([]*contract.LogLine, 1+random.IntN(10))
		for i := range lines {
			lines[i] = &contract.LogLine{Message: fmt.Sprintf("line %d of event %d", i, n), Level: "info", Service: "trading-engine"}
		}
		return &contract.ExecutionLogAppended{ExecutionId: id, Lines: lines}
	},
	"validation_recorded": func(id string, n int, _ *rand.Rand) proto.Message {
		return &contract.ExecutionValidationRecorded{ExecutionId: id, ValidationId: fmt.Sprint("validation-", n), AssertionType: "metric_below", Status: "passed", Service: "risk-monitor", Expected: "50", Actual: "31"}
	},
	"fault_injected": func(id string, n int, _ *rand.Rand) proto.Message {
		return &contract.ExecutionFaultInjected{ExecutionId: id, FaultId: fmt.Sprint("fault-", n), FaultType: "latency", TargetService: "exchange-simulator", Status: "injected"}
	},
	"snapshot_captured": func(id string, n int, random *rand.Rand) proto.Message {
		return &contract.ExecutionSnapshotCaptured{ExecutionId: id, SnapshotId: fmt.Sprint("snapshot-", n), Kind: "periodic", Metrics: map[string]float64{"latency_ms": 50 * random.Float64()}}
	},
}

// Validate tells what is wrong with the options.
func (l Load) Validate() error {
	var errs []error
	if !instanceForm.MatchString(l.Instance) {
		errs = append(errs, fmt.Errorf("instance %q: want 1 to 32 lower-case letters, digits and dashes", l.Instance))
	}
	if l.Records < 1 {
		errs = append(errs, errors.New("no records asked for"))
	}
	events := 0
	for _, name := range slices.Sorted(maps.Keys(l.Mix)) {
		_, known := loadEvents[name]
		switch weight := l.Mix[name]; {
		case !known && name != mixDuplicate && name != mixMalformed:
			errs = append(errs, fmt.Errorf("mix names %q: want %s", name, strings.Join(MixNames(), ", ")))
		case weight < 0:
			errs = append(errs, fmt.Errorf("mix gives %s the weight %d", name, weight))
		case known:
			events += weight
		}
	}
	if l.Mix != nil && events == 0 {
		errs = append(errs, errors.New("mix has no events"))
	}
	return errors.Join(errs...)
}

// Generate makes load; the options must be valid.
func (l Load) Generate() iter.Seq2[Record, error] {
	l.Parallel, l.Length = cmp.Or(l.Parallel, 50), max(2, cmp.Or(l.Length, 100))
	if l.Mix == nil {
		l.Mix = DefaultMix()
	}
	if len(l.Forms) == 0 {
		l.Forms = Forms()
	}
	return func(yield func(Record, error) bool) {
		g := &loadGenerator{Load: l, random: rand.New(rand.NewPCG(l.Seed, 1)), runs: make([]loadRun, l.Parallel)} //nolint:gosec // chance that can be repeated is the point
		for _, name := range slices.Sorted(maps.Keys(l.Mix)) {
			for range l.Mix[name] {
				g.draw = append(g.draw, name)
			}
		}
		for range l.Records {
			if r, err := g.next(); !yield(r, err) || err != nil {
				return
			}
		}
	}
}

type loadRun struct {
	id   string // empty: none yet
	said int
}

type loadGenerator struct {
	Load
	random *rand.Rand
	draw   []string // each name as often as it weighs
	runs   []loadRun
	begun  int // runs
	events int
	last   event.Outgoing // the latest event, to be sent again
}

func (g *loadGenerator) next() (Record, error) {
	name := g.draw[g.random.IntN(len(g.draw))]
	form := g.Forms[g.random.IntN(len(g.Forms))]
	switch {
	case name == mixMalformed:
		value := fmt.Sprintf(`{"execution_id": "load-%s", "cut": `, g.Instance)
		return Record{
			Record: kafkarecord.Record{Key: fmt.Append(nil, "malformed-", g.random.IntN(1000)), Value: []byte(value)},
			Kind:   Malformed, Reason: fact.ReasonJSON,
		}, nil
	case name == mixDuplicate && g.events > 0:
		r, err := encode(g.last, form)
		r.Kind = Duplicate
		return r, err
	case name == mixDuplicate:
		name = "heartbeat"
	}
	run := &g.runs[g.random.IntN(len(g.runs))]
	if run.id == "" {
		g.begun++
		run.id = fmt.Sprintf("load-%s-%06d", g.Instance, g.begun)
	}
	var message proto.Message
	switch run.said {
	case 0:
		message = &contract.ExecutionStarted{ExecutionId: run.id, Environment: "load", CoordinatorId: "coordinator-load"}
	case g.Length - 1:
		message = &contract.ExecutionFinished{ExecutionId: run.id, Outcome: "passed"}
	default:
		message = loadEvents[name](run.id, g.events, g.random)
	}
	run.said++
	g.events++
	g.last = event.Outgoing{
		Source: "/coordinator/load", ID: fmt.Sprintf("%s-%09d", g.Instance, g.events), Time: g.Start.Add(time.Duration(g.events) * time.Millisecond),
		Sequence: fact.Sequence(run.said), RunID: "run-" + run.id, Message: message,
	}
	if run.said == g.Length {
		*run = loadRun{}
	}
	return encode(g.last, form)
}
