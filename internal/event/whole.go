package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// Rows is what of an event's data has rows of its own, as it is stored there:
// times to the microsecond, and that of the event for a line that has none.
type Rows struct {
	Lines   []execution.LogLine // of a LogAppended
	State   json.RawMessage     // of a SnapshotCaptured; nil when none
	Metrics json.RawMessage
}

// ErrIncomplete says that rows are missing, or are too many.
var ErrIncomplete = errors.New("these are not the rows of the event")

// RestoreWhole gives the whole data of an event of a run, in canonical JSON: what
// is stored with it together with what has rows of its own. exact is false for log
// lines of which it was not kept how their times were written (lineTimesName):
// the digest of such an event cannot be computed again.
func RestoreWhole(h *fact.Header, rows Rows) (data json.RawMessage, exact bool, err error) {
	k, ok := kinds[h.Type]
	if !ok || k.execution == nil {
		return nil, false, fmt.Errorf("%q is not a type of executions", h.Type)
	}
	m, left, err := restoreMessage(k, h.Data)
	if err != nil {
		return nil, false, err
	}
	exact = true
	switch m := m.(type) {
	case *contract.ExecutionLogAppended:
		if count := string(memberNamed(left, lineCountName)); count != strconv.Itoa(len(rows.Lines)) {
			return nil, false, fmt.Errorf("%d log lines of %.20q are stored: %w", len(rows.Lines), count, ErrIncomplete)
		}
		written := memberNamed(left, lineTimesName)
		exact = written != nil
		if m.Lines, err = restoreLines(k, rows.Lines, written); err != nil {
			return nil, false, err
		}
	case *contract.ExecutionSnapshotCaptured:
		content, _, err := restoreMessage(k, snapshotContent(rows))
		if err != nil {
			return nil, false, err
		}
		of := content.(*contract.ExecutionSnapshotCaptured) // as m is
		m.State, m.Metrics = of.GetState(), of.GetMetrics()
	}
	return written(func(b []byte) []byte { return appendMessage(b, k.plan, structOf(m), nil, "") }), exact, nil
}

func snapshotContent(rows Rows) []byte {
	b := []byte{'{'}
	if rows.State != nil {
		b = append(append(b, `"state":`...), rows.State...)
	}
	if rows.Metrics != nil {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(b, `"metrics":`...), rows.Metrics...)
	}
	return append(b, '}')
}

// restoreLines makes the lines of a message of their rows. Attributes are read in
// one go with the lines that they belong to.
func restoreLines(k *kind, rows []execution.LogLine, times []byte) ([]*contract.LogLine, error) {
	b := []byte(`{"lines":[`)
	for i := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		if rows[i].Attributes != nil {
			b = append(append(b, `"attributes":`...), rows[i].Attributes...)
		}
		b = append(b, '}')
	}
	m, _, err := restoreMessage(k, append(b, `]}`...))
	if err != nil {
		return nil, err
	}
	lines := m.(*contract.ExecutionLogAppended).GetLines() // of the type that k reads
	how, err := parseLineTimes(times, len(rows))
	if err != nil {
		return nil, err
	}
	for i, row := range rows {
		l := lines[i]
		l.Message, l.Level, l.Service, l.Phase, l.StepId = row.Message, row.Level, row.Service, row.Phase, row.StepID
		if nanos := how(i); nanos != noLineTime {
			l.Time = timestamppb.New(row.Time.Truncate(time.Microsecond).Add(time.Duration(nanos)))
		}
	}
	return lines, nil
}

// noLineTime stands for a line without a time of its own.
const noLineTime = -1

// lineTimes says how the times of lines were written, which their rows do not
// tell: of each line the nanoseconds below its microsecond, or noLineTime. One
// number stands for all lines where it is the same.
func lineTimes(lines []*contract.LogLine) string {
	of := func(l *contract.LogLine) int64 {
		if l.GetTime() == nil {
			return noLineTime
		}
		return int64(l.GetTime().GetNanos() % 1000)
	}
	b, same := []byte{'['}, true
	for i, l := range lines {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, of(l), 10)
		same = same && of(l) == of(lines[0])
	}
	switch {
	case len(lines) == 0:
		return "0"
	case same:
		return strconv.FormatInt(of(lines[0]), 10)
	}
	return string(append(b, ']'))
}

// parseLineTimes reads what lineTimes wrote of n lines; nothing means that all of
// them had a time to the microsecond.
func parseLineTimes(text []byte, n int) (func(i int) int64, error) {
	if len(text) == 0 {
		return func(int) int64 { return 0 }, nil
	}
	var list []int64
	if text[0] != '[' {
		list = make([]int64, 1)
		if err := json.Unmarshal(text, &list[0]); err != nil {
			return nil, fmt.Errorf("read how times of log lines were written: %w", err)
		}
	} else if err := json.Unmarshal(text, &list); err != nil || len(list) != n {
		return nil, fmt.Errorf("read how times of %d log lines were written: %.80q", n, text)
	}
	for _, nanos := range list {
		if nanos < noLineTime || nanos > 999 {
			return nil, fmt.Errorf("a log line has %d nanoseconds below its microsecond", nanos)
		}
	}
	if text[0] != '[' {
		return func(int) int64 { return list[0] }, nil
	}
	return func(i int) int64 { return list[i] }, nil
}

// AppendArchived appends an event of a run as a CloudEvent in structured mode, with
// whole data that RestoreWhole gave. Attributes come in a fixed order.
func AppendArchived(b []byte, h *fact.Header, data json.RawMessage) ([]byte, error) {
	o := Outgoing{
		Source: h.Source, ID: h.ID, Subject: h.Subject, Time: h.Time, Sequence: h.Sequence,
		RunID: h.RunID, TraceParent: h.TraceParent, CorrelationID: h.CorrelationID,
	}
	b = append(b, '{')
	for _, a := range append(o.attributes(h.Type), attribute{"datacontenttype", "application/json"}) {
		b = append(appendString(b, a.name), ':')
		b = append(appendString(b, a.value), ',')
	}
	if h.Extensions != nil {
		extensions := jsontext.Value(bytes.Clone(h.Extensions))
		if err := extensions.Canonicalize(); err != nil {
			return nil, fmt.Errorf("read extension attributes: %w", err)
		}
		if len(extensions) > len("{}") && extensions[0] == '{' {
			b = append(b, extensions[1:len(extensions)-1]...)
			b = append(b, ',')
		}
	}
	b = append(b, `"data":`...)
	b = append(b, data...)
	return append(b, '}'), nil
}

// NewArchiveDecoder is a decoder for what AppendArchived wrote: of any source and
// type, and whatever the limits were when it was accepted. It is bounded all the
// same, by tokens and depth, because a file may hold anything.
func NewArchiveDecoder() (*Decoder, error) {
	limits := DefaultLimits()
	const enough = math.MaxInt32
	limits.Record, limits.String, limits.Definition, limits.Source, limits.Correlation, limits.Number = enough, enough, enough, enough, enough, enough
	limits.Depth, limits.Tokens, limits.BulkTokens = 1000, 1_000_000, 1_000_000
	limits.Earliest, limits.AcceptedFuture = time.Unix(0, 0).UTC(), math.MaxInt64
	limits.ReservedSources, limits.AllowedSources = "", nil
	d, err := NewDecoder(limits)
	if err != nil {
		return nil, err
	}
	return d.Own(), nil
}

// DecodeArchived reads a CloudEvent of a run that AppendArchived wrote. Whether its
// time was suspect when it was accepted is not in it.
func (d *Decoder) DecodeArchived(value []byte) (*execution.Event, *fact.Rejection) {
	decoded, rejection := d.Decode(kafkarecord.Record{
		Value: value, Headers: []kafkarecord.Header{{Key: contentTypeHeader, Value: []byte("application/cloudevents+json")}},
	}, time.Unix(0, 0).UTC())
	if rejection != nil {
		return nil, rejection
	}
	if decoded.Execution == nil {
		return nil, fact.Reject(fact.ReasonUnsupportedType, "type", string(decoded.Header().Type), "a type of executions")
	}
	return decoded.Execution, nil
}
