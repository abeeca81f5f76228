package event_test

import (
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// The digest of what is stored is that of what was accepted, but for types
// whose data is not stored as a whole.
func TestStoredDataRestoresTheDigest(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	apart := map[fact.Type]bool{
		fact.TypeTemplatePublished: true, fact.TypeScenarioPublished: true, fact.TypeLogAppended: true, fact.TypeSnapshotCaptured: true,
	}
	for _, typ := range fact.Types() {
		for _, form := range forms {
			h := mustDecode(t, d, encode(t, outgoing(t, typ), form.mode, form.encoding)).Header()
			sum, whole, err := event.RestoreDigest(h)
			if err != nil || whole == apart[typ] {
				t.Errorf("%s, %s: whole %t, error %v", typ, form, whole, err)
			} else if whole && sum != h.Digest {
				t.Errorf("%s, %s: digest %s, accepted with %s", typ, form, sum, h.Digest)
			}
		}
	}
}

// What can be written in more than one way is stored in one, which gives the
// digest that any of them was accepted with.
func TestOddDataRestoresTheDigest(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	for _, data := range []string{
		`"outcome":"success","summary":null`,
		`"outcome":"passed","summary":{"a":-0.0,"b":1e20,"c":1.50,"d":[],"e":{},"f":"","g":5e-324}`,
		`"outcome":"passed","exit_code":null,"error_message":""`,
		`"outcome":"passed","exit_code":0,"unknown":{"kept":true}`,
	} {
		h := mustDecode(t, d, dataOf(fact.TypeFinished, executionID, heartbeatWith(data))).Header()
		if sum, whole, err := event.RestoreDigest(h); err != nil || !whole || sum != h.Digest {
			t.Errorf("%s: digest %s, whole %t, error %v; accepted with %s and stored as %s", data, sum, whole, err, h.Digest, h.Data)
		}
	}
}

func TestDigestOfAnAlteredEventDiffers(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	h := mustDecode(t, d, encode(t, outgoing(t, fact.TypePaused), event.Binary, event.JSON)).Header()
	for name, alter := range map[string]func(*fact.Header){
		"data":     func(h *fact.Header) { h.Data = []byte(`{"execution_id":"exec-market-crash-001","reason":"other"}`) },
		"subject":  func(h *fact.Header) { h.Subject += "x" },
		"time":     func(h *fact.Header) { h.Time = h.Time.Add(1) },
		"sequence": func(h *fact.Header) { h.Sequence++ },
		"type":     func(h *fact.Header) { h.Type = fact.TypeResumed },
	} {
		altered := *h
		alter(&altered)
		if sum, whole, err := event.RestoreDigest(&altered); err != nil || !whole || sum == h.Digest {
			t.Errorf("another %s: the same digest, or whole %t, error %v", name, whole, err)
		}
	}
	unknown := *h
	unknown.Type = "test-coordination.execution.exploded.v1"
	if _, _, err := event.RestoreDigest(&unknown); err == nil {
		t.Error("an unknown type has a digest")
	}
}
