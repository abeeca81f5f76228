package coordsim

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Afterwards is what is still said of runs that a Workload told long ago: logs
// that were collected late, and validations of what they left. Every record is
// an event that must be applied.
type Afterwards struct {
	Seed       uint64
	Instance   string // another one for each time that runs are spoken of again
	Start      time.Time
	Events     int
	Executions []string // their ids; not empty
}

// Generate makes the records, of runs in no order.
func (a Afterwards) Generate() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		random := rand.New(rand.NewPCG(a.Seed, 3)) //nolint:gosec // chance that can be repeated is the point
		for n := range a.Events {
			d := &diary{id: a.Executions[random.IntN(len(a.Executions))], clock: a.Start.Add(time.Duration(n) * time.Millisecond), random: random}
			var message proto.Message = d.logs(1+random.IntN(5), "", "")
			if n%2 == 0 {
				message = d.validation(fmt.Sprintf("afterwards-%s-%d", a.Instance, n), "", "", "")
			}
			out := event.Outgoing{
				Source: "/coordinator/afterwards", ID: fmt.Sprintf("%s-%09d", a.Instance, n), Time: d.clock,
				Sequence: fact.Sequence(1_000_000 + n), RunID: "run-" + d.id, Message: message,
			}
			if r, err := encode(out, Forms()[n%len(Forms())]); !yield(r, err) || err != nil {
				return
			}
		}
	}
}
