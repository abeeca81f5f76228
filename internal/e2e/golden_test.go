package e2e_test

import (
	"iter"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event/eventtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// goldenRecords are the golden events of the contract, each in its four forms:
// one to be applied and three duplicates of it.
func goldenRecords(t testing.TB) []coordsim.Record {
	t.Helper()
	decoder, err := event.NewDecoder(event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	var all []coordsim.Record
	for _, typ := range fact.Types() {
		for _, record := range eventtest.Golden(t, typ) {
			all = append(all, judged(t, decoder, record))
		}
	}
	return all
}

// judged is a record of an event, with who says what in it.
func judged(t testing.TB, decoder *event.Decoder, record kafkarecord.Record) coordsim.Record {
	t.Helper()
	decoded, rejection := decoder.Decode(record, now())
	if rejection != nil {
		t.Fatalf("record with key %s: %v", record.Key, rejection)
	}
	h := decoded.Header()
	topic := coordsim.Executions
	if !h.Type.OfExecution() {
		topic = coordsim.Scenarios
	}
	return coordsim.Record{
		Record: record, Topic: topic, Kind: coordsim.Event,
		Identity: coordsim.Identity{Source: h.Source, ID: h.ID, Subject: h.Subject, Type: h.Type},
	}
}

// amid spreads some records evenly among all the others.
func amid(some []coordsim.Record, others []coordsim.Record) iter.Seq2[coordsim.Record, error] {
	every := len(others)/(len(some)+1) + 1
	return func(yield func(coordsim.Record, error) bool) {
		for i := range others {
			if i%every == every-1 && len(some) > 0 {
				if !yield(some[0], nil) {
					return
				}
				some = some[1:]
			}
			if !yield(others[i], nil) {
				return
			}
		}
		for i := range some {
			if !yield(some[i], nil) {
				return
			}
		}
	}
}
