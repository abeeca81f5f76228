package coordsim_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// record writes a simulation's structured records as a recording.
func record(t testing.TB) (lines []string, originals []coordsim.Record) {
	t.Helper()
	forms := []coordsim.Form{{Mode: event.Structured, Encoding: event.JSON}, {Mode: event.Structured, Encoding: event.Protobuf}}
	for _, r := range collect(t, simulate(t, coordsim.Options{Forms: forms, LongUpdates: 50})) {
		if r.Kind == coordsim.Event {
			lines = append(lines, string(r.Value))
			originals = append(originals, r)
		}
	}
	return lines, originals
}

func TestRecordingIsSentAsItIs(t *testing.T) {
	t.Parallel()
	lines, originals := record(t)
	got := drain(t, coordsim.Recording(strings.NewReader(strings.Join(lines, "\n\n"))))
	if len(got) != len(originals) {
		t.Fatalf("%d records, want %d", len(got), len(originals))
	}
	for i, r := range got {
		if want := originals[i]; !bytes.Equal(r.Value, want.Value) || !bytes.Equal(r.Key, want.Key) || r.Identity != want.Identity || r.Topic != want.Topic {
			t.Fatalf("line %d: %+v, want %+v", i+1, r, want)
		}
	}
}

func TestRecordingMayHoldWhatIsNoEvent(t *testing.T) {
	t.Parallel()
	got := drain(t, coordsim.Recording(strings.NewReader("{\"cut\": \n[]\n")))
	if len(got) != 2 || got[0].Key != nil || string(got[1].Value) != "[]" || got[1].Kind != coordsim.Unjudged {
		t.Errorf("got %+v", got)
	}
}

// In whatever form it is sent, an event keeps its digest.
func TestRecordingInOtherForms(t *testing.T) {
	t.Parallel()
	decoder, err := event.NewDecoder(event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	digest := func(r coordsim.Record) fact.Digest {
		decoded, rejection := decoder.Decode(r.Record, start)
		if rejection != nil {
			t.Fatalf("%s in %s: %v", r.Type, r.Form, rejection)
		}
		return decoded.Header().Digest
	}
	lines, originals := record(t)
	forms := map[string]int{}
	for i, r := range drain(t, coordsim.RecordingAs(strings.NewReader(strings.Join(lines, "\n")), coordsim.Forms())) {
		forms[r.Form]++
		if digest(r) != digest(originals[i]) {
			t.Fatalf("line %d has another digest in %s", i+1, r.Form)
		}
	}
	if len(forms) != 4 {
		t.Errorf("forms %v, want all four", forms)
	}
}

func TestRecordingInOtherFormsMustHoldEvents(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"cut off":         `{"type": `,
		"unknown type":    `{"type": "gossip", "data": {}}`,
		"no data":         `{"type": "` + string(fact.TypeHeartbeat) + `"}`,
		"no base64":       `{"type": "` + string(fact.TypeHeartbeat) + `", "data_base64": "?"}`,
		"no protobuf":     `{"type": "` + string(fact.TypeHeartbeat) + `", "data_base64": "AAAA"}`,
		"no sequence":     `{"type": "` + string(fact.TypeHeartbeat) + `", "sequence": "x", "data": {}}`,
		"time of no form": `{"type": "` + string(fact.TypeHeartbeat) + `", "time": "noon", "data": {}}`,
	} {
		var failed error
		for _, err := range coordsim.RecordingAs(strings.NewReader(line), coordsim.Forms()) {
			failed = err
		}
		if failed == nil || !strings.HasPrefix(failed.Error(), "line 1: ") {
			t.Errorf("%s: error %v", name, failed)
		}
	}
}
