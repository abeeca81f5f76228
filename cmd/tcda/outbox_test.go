package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOutboxListReleaseAndDiscard(t *testing.T) {
	t.Parallel()
	i := install(t)
	_, err := i.db.Pool(t).Exec(t.Context(), `INSERT INTO test_coordination.outbox (topic_role, event_id, type, subject, event_time, key_hash, record_headers, status, attempts, enqueued_at, parked_at, parked_reason)
		SELECT 'commands', 'event-' || n, 'test-coordination.execution.cancel_requested.v1', 'exec-' || n, now(), sha256('k'), '[]', 'parked', 1, now(), now(), E'too large\x1b[2J'
		FROM generate_series(1, 3) AS n`)
	if err != nil {
		t.Fatal(err)
	}
	stdout, _ := i.tcda(0, "outbox", "list")
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "ID  TOPIC") || !strings.Contains(lines[1], "execution.cancel_requested exec-1") || strings.Contains(stdout, "\x1b") {
		t.Errorf("list:\n%s", stdout)
	}
	if _, stderr := i.tcda(0, "outbox", "list", "--limit=2"); stderr != "there may be more: add --after=2\n" {
		t.Errorf("list --limit=2 says %q", stderr)
	}
	if next := object[[]parkedLine](i, 0, "outbox", "list", "--after=2"); len(next) != 1 || next[0].EventID != "event-3" || next[0].Topic != "commands" || next[0].Attempts != 1 {
		t.Errorf("next page: %+v", next)
	}
	for _, wrong := range [][]string{{"list", "--limit=0"}, {"release", "1"}, {"discard", "1"}, {"release", "--why=x"}} {
		i.tcda(2, append([]string{"outbox"}, wrong...)...)
	}
	if stdout, _ := i.tcda(0, "outbox", "release", "1", "--why=the topic takes more now"); stdout != "record 1 released\n1 of 1 records released\n" {
		t.Errorf("release: %s", stdout)
	}
	got := object[[]settledLine](i, 1, "outbox", "discard", "1", "2", "--why=nobody needs it")
	if diff := cmp.Diff([]settledLine{{ID: 1, Error: "there is no parked event with this id"}, {ID: 2, Done: true}}, got); diff != "" {
		t.Errorf("discard (-want +got):\n%s", diff)
	}
	var audit string
	err = i.db.Pool(t).QueryRow(t.Context(), "SELECT string_agg(status || ' ' || resolution || ' ' || (resolved_by = $1), ', ' ORDER BY id) FROM test_coordination.outbox", operator()).Scan(&audit)
	if want := "pending the topic takes more now true, discarded nobody needs it true, parked  false"; err != nil || audit != want {
		t.Errorf("audit %q, %v; want %q", audit, err, want)
	}
}
