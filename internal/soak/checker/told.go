package checker

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// telling is a number that a caller was told; it is the highest that anybody was
// told until then.
type telling struct {
	at     time.Time
	number int64
	to     string // the id of the request
}

// tellings are those about one thing, in the order of the answers.
type tellings []telling

// before is the highest number that was told before something was sent.
func (t tellings) before(sent time.Time) telling {
	n, _ := slices.BinarySearchFunc(t, sent, func(x telling, sent time.Time) int { return x.at.Compare(sent) })
	if n == 0 {
		return telling{}
	}
	return t[n-1]
}

func (t tellings) and(x telling) tellings {
	if last := len(t) - 1; last >= 0 && t[last].number > x.number {
		x.number, x.to = t[last].number, t[last].to
	}
	return append(t, x)
}

// noteTold notes which runs and versions callers were told of. What was told is
// committed, and no failover takes it back: whoever asks afterwards must not be
// taken back before it.
func (c *check) noteTold() {
	var answered []*Call
	for i := range c.Calls {
		if c.Calls[i].Answer != nil {
			answered = append(answered, &c.Calls[i])
		}
	}
	slices.SortFunc(answered, func(a, b *Call) int { return a.Answered.Compare(b.Answered) })
	for _, call := range answered {
		subject, x := subjectOfCall(call), telling{at: call.Answered, to: call.ID}
		switch m := call.Answer.(type) {
		case *contract.PublishScenarioResponse:
			x.number = int64(m.GetVersion().GetNumber())
			c.numbers[subject] = c.numbers[subject].and(x)
			continue
		case *contract.AnnotateExecutionResponse:
			x.number = int64(m.GetAnnotation().GetRun())
		case interface{ GetExecution() *contract.Execution }:
			x.number = int64(m.GetExecution().GetRun())
		}
		c.runsTold[subject] = c.runsTold[subject].and(x)
	}
}

// compareRunTold holds the run that a request was carried out on to those that
// callers had been told of: the latest run is none before them, and a new one comes
// after them.
func (c *check) compareRunTold(call *Call, s *stated) {
	known := c.runsTold[subjectOfCall(call)].before(call.Sent)
	least := known.number
	switch m := call.Message.(type) {
	case *contract.RequestExecutionRequest:
		least++
	case interface{ GetRun() int32 }:
		if m.GetRun() != 0 {
			return
		}
	default:
		return
	}
	if s.run < least {
		c.report.add(Finding{Wrong, s.where, "the run of event " + s.id, show(s.run), fmt.Sprintf("%d or later: request %s had been told of run %d", least, known.to, known.number)})
	}
}

// publication is one of a content of a scenario.
type publication struct {
	written time.Time // by the service's clock
	call    *Call     // nil: it came from Kafka
}

// notePublication notes that a content was published, if it was.
func (c *check) notePublication(e *event, written time.Time, call *Call) {
	if m, ok := e.message.(*contract.ScenarioPublished); ok {
		name := versionOf(m)
		c.published[name] = append(c.published[name], publication{written, call})
	}
}

// versionOf names a content of a scenario, as c.versions does.
func versionOf(m *contract.ScenarioPublished) string {
	return m.GetScenarioId() + " " + hex.EncodeToString(contentHash(m.GetDefinition()))
}

// compareVersions holds the answers to publications to the versions that are
// stored, and to each other.
func (c *check) compareVersions() {
	news := map[string]string{} // who was told that the version is new
	for i := range c.Calls {
		call := &c.Calls[i]
		answer, ok := call.Answer.(*contract.PublishScenarioResponse)
		if !ok {
			continue
		}
		m := call.Message.(*contract.PublishScenarioRequest).GetScenario()
		version, number := versionOf(m), int64(answer.GetVersion().GetNumber())
		wrong := func(class Class, got, want string) {
			c.report.add(Finding{class, "request " + call.ID, "the answer", got, want})
		}
		if told := m.GetScenarioId() + " " + answer.GetVersion().GetHash(); told != version || number != c.versions[version] {
			wrong(Wrong, fmt.Sprintf("version %d of %s", number, told), fmt.Sprintf("version %d of %s", c.versions[version], version))
		}
		if !answer.GetNewVersion() {
			if !slices.ContainsFunc(c.published[version], func(p publication) bool { return p.mayPrecede(call) }) {
				wrong(Wrong, "no new version", "a new one: nobody had published this content before")
			}
			continue
		}
		if before := news[version]; before != "" {
			wrong(Doubled, "a new version", "one that was new to request "+before)
		}
		news[version] = cmp.Or(news[version], call.ID)
		if known := c.numbers[m.GetScenarioId()].before(call.Sent); known.number >= number {
			wrong(Wrong, fmt.Sprintf("a new version, %d", number), fmt.Sprintf("none before %d, which request %s had been told of", known.number, known.to))
		}
	}
}

// mayPrecede tells whether a publication may have made the version that a request
// was told is not new.
func (p publication) mayPrecede(call *Call) bool {
	switch {
	case p.call == nil:
		return !p.written.After(call.Answered.Add(clocks))
	case p.call == call || p.call.Sent.After(call.Answered):
		return false
	}
	answer, ok := p.call.Answer.(*contract.PublishScenarioResponse)
	return !ok || answer.GetNewVersion()
}
