package testenv_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// TestOwnBrokerKeepsWhatItHas runs on Apache Kafka under "make test-kafka", as
// all that test with testenv.Broker do.
func TestOwnBrokerKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	cluster := testenv.OwnBroker(t, 2)
	cluster.CreateTopic(t, "records", 1, nil)
	client := cluster.Client(t, kgo.DefaultProduceTopic("records"))
	before := cluster.Leader(t, "records", 0)
	cluster.MoveLeader(t, "records", 0)
	if after := cluster.Leader(t, "records", 0); after == before {
		t.Errorf("broker %d still leads", before)
	}
	want := 0
	for _, end := range []func(testing.TB, int32){cluster.Restart, cluster.Crash} {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Value: fmt.Append(nil, want)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		want++
		end(t, cluster.Leader(t, "records", 0))
	}
	consumer := cluster.Client(t, kgo.ConsumeTopics("records"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for got := 0; got < want; {
		consumer.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) {
			if string(r.Value) != fmt.Sprint(got) {
				t.Errorf("record %d is %q", got, r.Value)
			}
			got++
		})
		if t.Context().Err() != nil {
			t.Fatal("the records are not there")
		}
	}
}
