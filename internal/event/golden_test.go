package event_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

var update = flag.Bool("update", false, "write the golden events anew")

const goldenDir = "../../schema/golden"

// golden is one file: an event in all four forms, and what every reader of
// them must find. Bytes are base64, so that any language can use the file.
type golden struct {
	Type    fact.Type       `json:"type"`
	Key     string          `json:"event_key"`
	Digest  string          `json:"digest"`
	Data    json.RawMessage `json:"stored_data"`
	Records []goldenRecord  `json:"records"`
}

type goldenRecord struct {
	Form    string            `json:"form"`
	Key     string            `json:"key"`
	Headers map[string]string `json:"headers"`
	Text    string            `json:"value,omitempty"`
	Bytes   []byte            `json:"value_base64,omitempty"`
}

func (r goldenRecord) record() kafkarecord.Record {
	record := kafkarecord.Record{Key: []byte(r.Key), Value: r.Bytes}
	if r.Text != "" {
		record.Value = []byte(r.Text)
	}
	for name, value := range r.Headers {
		record.Headers = append(record.Headers, kafkarecord.Header{Key: name, Value: []byte(value)})
	}
	return record
}

func TestGoldenEvents(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	for _, typ := range fact.Types() {
		t.Run(string(typ), func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(goldenDir, string(typ)+".json")
			if *update {
				writeGolden(t, d, typ, file)
			}
			var want golden
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			if len(want.Records) != len(forms) {
				t.Fatalf("%d forms, want %d", len(want.Records), len(forms))
			}
			first := mustDecode(t, d, want.Records[0].record())
			for i, r := range want.Records {
				if r.Form != forms[i].String() {
					t.Errorf("form %d is %q, want %q", i, r.Form, forms[i])
				}
				got := mustDecode(t, d, r.record())
				header := got.Header()
				if header.Key.String() != want.Key || header.Digest.String() != want.Digest || header.Type != want.Type {
					t.Errorf("%s: type %s key %s digest %s, want %s %s %s", r.Form, header.Type, header.Key, header.Digest, want.Type, want.Key, want.Digest)
				}
				if got.KeyMismatch {
					t.Errorf("%s: key %q does not match subject %q", r.Form, r.Key, header.Subject)
				}
				if diff := cmp.Diff(first, got); diff != "" {
					t.Errorf("%s differs from %s:\n%s", r.Form, want.Records[0].Form, diff)
				}
				var compact bytes.Buffer
				if err := json.Compact(&compact, want.Data); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(compact.String(), string(header.Data)); diff != "" {
					t.Errorf("%s: stored data:\n%s", r.Form, diff)
				}
			}
		})
	}
}

func writeGolden(t *testing.T, d *event.Decoder, typ fact.Type, file string) {
	t.Helper()
	g := golden{Type: typ}
	for _, form := range forms {
		record := encode(t, outgoing(t, typ), form.mode, form.encoding)
		r := goldenRecord{Form: form.String(), Key: string(record.Key), Headers: map[string]string{}}
		for _, h := range record.Headers {
			r.Headers[h.Key] = string(h.Value)
		}
		if form.mode == event.Binary && form.encoding == event.Protobuf {
			r.Bytes = record.Value
		} else {
			r.Text = string(record.Value)
		}
		g.Records = append(g.Records, r)
		decoded := mustDecode(t, d, record)
		g.Key, g.Digest = decoded.Header().Key.String(), decoded.Header().Digest.String()
		g.Data = decoded.Header().Data
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(g); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(goldenDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What is stored must give back what was folded, or verification could never
// recompute a run.
func TestStoredDataRestoresThePayload(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	for _, typ := range fact.Types() {
		t.Run(string(typ), func(t *testing.T) {
			t.Parallel()
			decoded := mustDecode(t, d, encode(t, outgoing(t, typ), event.Binary, event.JSON))
			want := payload(decoded)
			leaveOut(want)
			got, err := restore(typ, decoded.Header().Data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("restored payload (-want +got):\n%s", diff)
			}
		})
	}
}

// leaveOut takes from a payload what is not stored with the event, because it
// has rows of its own.
func leaveOut(p any) {
	switch p := p.(type) {
	case *execution.LogAppended:
		p.Lines = nil
	case *execution.SnapshotCaptured:
		p.State, p.Metrics = nil, nil
	case *scenario.Published:
		p.ContentHash, p.Definition = scenario.HashContent(p.Definition), ""
	case *scenario.TemplatePublished:
		p.ContentHash, p.Definition = scenario.HashContent(p.Definition), ""
	}
}
