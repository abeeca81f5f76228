package event_test

import (
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event/eventtest"
)

// Records by hand.
var (
	binary        = eventtest.Binary
	structured    = eventtest.Structured
	dataOf        = eventtest.DataOf
	heartbeatWith = eventtest.HeartbeatWith
	withHeaders   = eventtest.WithHeaders
	protobuf      = eventtest.Protobuf

	heartbeatHeaders = eventtest.HeartbeatHeaders
)

func runRejects(t *testing.T, cases []eventtest.Reject) {
	t.Helper()
	d := newDecoder(t)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			decoded, rejection := d.Decode(c.Record, sampleNow)
			if rejection == nil {
				t.Fatalf("accepted as %+v, want %s", decoded, c.Reason)
			}
			if rejection.Reason != c.Reason || rejection.Field != c.Field {
				t.Errorf("rejected as %q at %q, want %q at %q: %v", rejection.Reason, rejection.Field, c.Reason, c.Field, rejection)
			}
			if rejection.Rule == "" {
				t.Errorf("the rejection names no rule: %v", rejection)
			}
			if len([]rune(rejection.Value)) > 81 {
				t.Errorf("the value is not cut: %d characters", len([]rune(rejection.Value)))
			}
			if decoded != (event.Decoded{}) {
				t.Errorf("a rejected record gave an event too: %+v", decoded)
			}
		})
	}
}
