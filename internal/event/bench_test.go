package event_test

import (
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// BenchmarkDecode is the cost of one record; it bounds how many a partition
// can take in, before any of them is stored.
func BenchmarkDecode(b *testing.B) {
	d := newDecoder(b)
	for _, typ := range []fact.Type{fact.TypeHeartbeat, fact.TypeValidationRecorded, fact.TypeLogAppended, fact.TypeSnapshotCaptured} {
		for _, form := range forms {
			record := encode(b, outgoing(b, typ), form.mode, form.encoding)
			b.Run(typ.Short()+"/"+form.String(), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(record.Value)))
				for b.Loop() {
					if _, rejection := d.Decode(record, sampleNow); rejection != nil {
						b.Fatal(rejection)
					}
				}
			})
		}
	}
}
