package coordsim

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// maxLine is the longest line of a recording: above the largest record.
const maxLine = 16 << 20

// Recording reads events as JSON lines of structured CloudEvents. Each line
// becomes the value of a structured record as it is, whether it is an event or
// not: a recording may hold what a service must refuse. Empty lines are left out.
func Recording(from io.Reader) iter.Seq2[Record, error] {
	return lines(from, func(line []byte) (Record, error) {
		var e envelope
		// What cannot be read has no subject, and is sent without a key.
		_ = json.Unmarshal(line, &e)
		r := Record{
			Record: kafkarecord.Record{
				Value:   bytes.Clone(line),
				Headers: []kafkarecord.Header{{Key: "content-type", Value: []byte("application/cloudevents+json")}},
			},
			Identity: e.Identity, Topic: topicOf(e.Type), Kind: Unjudged, Form: "recorded",
		}
		if e.Subject != "" {
			r.Key = []byte(e.Subject)
		}
		return r, nil
	})
}

// RecordingAs reads events as Recording does and writes them in other forms, by
// turns. Here every line must be an event of the contract.
func RecordingAs(from io.Reader, forms []Form) iter.Seq2[Record, error] {
	n := 0
	return lines(from, func(line []byte) (Record, error) {
		out, err := readEvent(line)
		if err != nil {
			return Record{}, err
		}
		r, err := encode(out, forms[n%len(forms)])
		n++
		r.Kind = Unjudged
		return r, err
	})
}

// lines calls convert for each line that is not empty.
func lines(from io.Reader, convert func([]byte) (Record, error)) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		scanner := bufio.NewScanner(from)
		scanner.Buffer(nil, maxLine)
		for n := 1; scanner.Scan(); n++ {
			line := bytes.TrimSpace(scanner.Bytes())
			if len(line) == 0 {
				continue
			}
			r, err := convert(line)
			if err != nil {
				err = fmt.Errorf("line %d: %w", n, err)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
		if err := scanner.Err(); err != nil {
			yield(Record{}, fmt.Errorf("read recording: %w", err))
		}
	}
}

// envelope is a structured CloudEvent as far as it is looked at here.
type envelope struct {
	Identity
	Time          time.Time       `json:"time"`
	Sequence      string          `json:"sequence"`
	RunID         string          `json:"runid"`
	TraceParent   string          `json:"traceparent"`
	CorrelationID string          `json:"correlationid"`
	Data          json.RawMessage `json:"data"`
	DataBase64    string          `json:"data_base64"`
}

// known are the members of an event that are not extensions.
var known = map[string]bool{
	"specversion": true, "type": true, "source": true, "id": true, "subject": true, "time": true, "datacontenttype": true,
	"sequence": true, "runid": true, "traceparent": true, "correlationid": true, "data": true, "data_base64": true,
}

func readEvent(line []byte) (event.Outgoing, error) {
	var e envelope
	if err := json.Unmarshal(line, &e); err != nil {
		return event.Outgoing{}, fmt.Errorf("read event: %w", err)
	}
	out := event.Outgoing{
		Source: e.Source, ID: e.ID, Subject: e.Subject, Time: e.Time, RunID: e.RunID, TraceParent: e.TraceParent, CorrelationID: e.CorrelationID,
	}
	if e.Sequence != "" {
		n, err := strconv.ParseInt(e.Sequence, 10, 64)
		if err != nil {
			return out, fmt.Errorf("read sequence: %w", err)
		}
		out.Sequence = fact.Sequence(n)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return out, fmt.Errorf("read event: %w", err)
	}
	for name, raw := range members {
		var text string
		if !known[name] && json.Unmarshal(raw, &text) == nil {
			if out.Extensions == nil {
				out.Extensions = map[string]string{}
			}
			out.Extensions[name] = text
		}
	}
	err := readData(&out, e)
	return out, err
}

func readData(out *event.Outgoing, e envelope) error {
	raw := e.Data
	if e.DataBase64 != "" {
		raw = []byte("{}")
	}
	message, err := event.NewMessage(e.Type, raw)
	if err != nil {
		return fmt.Errorf("read data: %w", err)
	}
	if e.DataBase64 != "" {
		bytes, err := base64.StdEncoding.DecodeString(e.DataBase64)
		if err != nil {
			return fmt.Errorf("read data_base64: %w", err)
		}
		if err := proto.Unmarshal(bytes, message); err != nil {
			return fmt.Errorf("read data_base64: %w", err)
		}
	}
	out.Message = message
	return nil
}
