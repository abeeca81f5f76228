package event_test

import (
	"slices"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event/eventtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

func TestFieldNames(t *testing.T) {
	t.Parallel()
	for _, typ := range fact.Types() {
		names := event.FieldNames(typ)
		if !slices.IsSorted(names) || len(names) < 1 {
			t.Errorf("%s: %q", typ, names)
		}
	}
	for typ, name := range map[fact.Type]string{
		fact.TypeLogAppended:          "lines[].message",
		fact.TypeRequested:            "trigger.type",
		fact.TypeDependenciesDeclared: "dependencies[].depends_on",
		fact.TypeHeartbeat:            "system_state",
	} {
		if names := event.FieldNames(typ); !slices.Contains(names, name) {
			t.Errorf("%s lacks %s: %q", typ, name, names)
		}
	}
	if names := event.FieldNames("nobody's"); names != nil {
		t.Errorf("fields of no type: %q", names)
	}
}

// None of the known attributes is taken for an extension.
func TestAttributes(t *testing.T) {
	t.Parallel()
	changes := []string{
		"ce_sequence=1", "ce_runid=a", "ce_correlationid=a", "ce_datacontenttype=application/json",
		"ce_traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
	record := eventtest.Binary(eventtest.HeartbeatWith(""), changes...)
	decoded := mustDecode(t, newDecoder(t), record)
	if extensions := decoded.Header().Extensions; extensions != nil {
		t.Errorf("extensions %s", extensions)
	}
	for _, name := range event.Attributes() {
		if !slices.ContainsFunc(record.Headers, func(h kafkarecord.Header) bool { return h.Key == "ce_"+name }) {
			t.Errorf("%s is not among the attributes of the test", name)
		}
	}
	if len(record.Headers) != len(event.Attributes()) {
		t.Errorf("%d attributes, %d in the test", len(event.Attributes()), len(record.Headers))
	}
}
