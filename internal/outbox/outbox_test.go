package outbox_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// What was enqueued is published as a CloudEvent that any reader understands, and
// its row says where it lies.
func TestAnEventIsPublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	row := w.command("exec-1", 1)
	w.enqueue(row, row) // a repeat is no second row
	w.enqueue(row)
	w.start(w.publisher("a"))
	r := w.reader(pgstore.OutboxCommands).await("the event", atLeast(1))[0]
	got := map[string]string{"key": string(r.Key), "value": string(r.Value)}
	for _, h := range r.Headers {
		got[h.Key] = string(h.Value)
	}
	want := map[string]string{
		"key": "exec-1", "value": `{"execution_id":"exec-1","run":1,"reason":"a test"}`,
		"ce_specversion": "1.0", "ce_type": "test-coordination.execution.cancel_requested.v1", "ce_source": "/tcda/test", "ce_id": "exec-1-1",
		"ce_subject": "exec-1", "ce_time": row.Time.Format(timeFormat), "content-type": "application/json",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	var topic, status string
	var partition int32
	var offset int64
	w.eventually("the row says where it lies", func() bool {
		return w.sql.QueryRow(t.Context(), "SELECT status, published_topic, published_partition, published_offset FROM test_coordination.outbox WHERE published_topic IS NOT NULL").
			Scan(&status, &topic, &partition, &offset) == nil
	})
	if status != "published" || topic != r.Topic || partition != r.Partition || offset != r.Offset {
		t.Errorf("the row is %s at %s/%d/%d, the record at %s/%d/%d", status, topic, partition, offset, r.Topic, r.Partition, r.Offset)
	}
	if diff := cmp.Diff(map[string]int{"published": 1}, w.statuses()); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

const timeFormat = "2006-01-02T15:04:05.999999999Z07:00"
