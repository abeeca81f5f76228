package checker

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/prototext"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// Decode tells what a record is: an event in words, or the reason why it is none.
func Decode(r Record, ahead time.Time) (event, reason string) {
	e, reason := decode(&r, ahead)
	if reason != "" {
		return "", reason
	}
	text, err := prototext.MarshalOptions{Multiline: false}.Marshal(e.message)
	if err != nil {
		return "", err.Error()
	}
	return fmt.Sprintf("%s %s of %s by %s at %s, number %d of %q, suspect %t: %s %x", e.name, e.id, e.subject, e.source, e.when, e.sequence, e.runID, e.suspect, strings.Join(strings.Fields(string(text)), " "), e.key), ""
}

// Places are the decisions for events that are accepted in this order: the run,
// with "?" where it was guessed and "!" where the run before is superseded.
func Places(records []Record, ahead time.Time) []string {
	runs, places := map[int64]runSoFar{}, make([]string, 0, len(records))
	for i := range records {
		e, reason := decode(&records[i], ahead)
		if reason != "" {
			return append(places, reason)
		}
		d := decide(runs, e)
		place := fmt.Sprint(d.run)
		if d.guessed {
			place += "?"
		}
		if r := runs[d.supersedes]; d.supersedes != 0 {
			place += "!"
			runs[d.supersedes] = r.withOwn(&own{event: &event{when: e.when, message: &contract.ExecutionInterrupted{RealEvents: r.events, SupersededBy: int32(d.run)}}})
		}
		r := runs[d.run]
		if d.opens {
			r.runID = e.runID
		}
		runs[d.run] = r.with(e)
		places = append(places, place)
	}
	return places
}
