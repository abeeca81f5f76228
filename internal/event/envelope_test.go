package event_test

import (
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event/eventtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

func TestRejectsAttributes(t *testing.T) {
	t.Parallel()
	runRejects(t, eventtest.AttributeRejects())
}

func TestRejectsContentTypesAndModes(t *testing.T) {
	t.Parallel()
	runRejects(t, eventtest.ContentTypeAndModeRejects(t))
}

func TestAllowedSources(t *testing.T) {
	t.Parallel()
	limits := event.DefaultLimits()
	limits.AllowedSources = []string{"/coordinator/a", "urn:lab:*"}
	d, err := event.NewDecoder(limits)
	if err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]fact.Reason{
		"/coordinator/a":  "",
		"/coordinator/ab": fact.ReasonSourceNotAllowed,
		"urn:lab:7":       "",
		"urn:prod:7":      fact.ReasonSourceNotAllowed,
	} {
		var got fact.Reason
		if _, rejection := d.Decode(binary(heartbeatWith(""), "ce_source="+source), sampleNow); rejection != nil {
			got = rejection.Reason
		}
		if got != want {
			t.Errorf("source %s: reason %q, want %q", source, got, want)
		}
	}
}
