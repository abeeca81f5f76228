package pgstore_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

func TestTheAuditLogIsReadFromItsEnd(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	full := pgstore.AuditEntry{At: now, Actor: "ann", Action: "lock.break", Subject: "exec-1", Reason: "stuck", Details: json.RawMessage(`{"a": 1}`), RequestID: "req-1"}
	must(t, s.Batch(t.Context(), now, func(tx *pgstore.Tx) error {
		for _, e := range []pgstore.AuditEntry{full, {Actor: "ann", Action: "x.y", Subject: "exec-2"}, {Actor: "ben", Action: "x.y", Subject: "exec-1"}, {Actor: "ben\x00", Action: "x.y", Subject: "\xff", Reason: "\x00"}} {
			must(t, tx.Audit(t.Context(), e))
		}
		return nil
	}))
	all, err := s.AuditLog(t.Context(), pgstore.AuditFilter{Page: 10})
	must(t, err)
	if len(all) != 4 {
		t.Fatalf("%d entries, want 4", len(all))
	}
	full.ID = all[3].ID
	if diff := cmp.Diff(full, all[3]); diff != "" {
		t.Errorf("the first entry (-written +read):\n%s", diff)
	}
	for name, c := range map[string]struct {
		filter pgstore.AuditFilter
		want   []string
	}{
		"all":        {pgstore.AuditFilter{Page: 10}, []string{"ben\u2400 \uFFFD \u2400", "ben exec-1 ", "ann exec-2 ", "ann exec-1 stuck"}},
		"a page":     {pgstore.AuditFilter{Page: 2}, []string{"ben\u2400 \uFFFD \u2400", "ben exec-1 "}},
		"the next":   {pgstore.AuditFilter{Page: 2, Before: all[1].ID}, []string{"ann exec-2 ", "ann exec-1 stuck"}},
		"an actor":   {pgstore.AuditFilter{Page: 10, Actor: "ann"}, []string{"ann exec-2 ", "ann exec-1 stuck"}},
		"his older":  {pgstore.AuditFilter{Page: 10, Actor: "ann", Before: all[2].ID}, []string{"ann exec-1 stuck"}},
		"a subject":  {pgstore.AuditFilter{Page: 10, Subject: "exec-1"}, []string{"ben exec-1 ", "ann exec-1 stuck"}},
		"its oldest": {pgstore.AuditFilter{Page: 10, Subject: "exec-1", Before: all[1].ID}, []string{"ann exec-1 stuck"}},
		"nobody":     {pgstore.AuditFilter{Page: 10, Actor: "zoe"}, nil},
	} {
		page, err := s.AuditLog(t.Context(), c.filter)
		must(t, err)
		var got []string
		for _, e := range page {
			got = append(got, e.Actor+" "+e.Subject+" "+e.Reason)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What was not done is not noted.
func TestAnEntryIsOfItsTransaction(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	must(t, s.Trial(t.Context(), now, func(tx *pgstore.Tx) error {
		return tx.Audit(t.Context(), pgstore.AuditEntry{Actor: "ann", Action: "x.y", Subject: "exec-1"})
	}))
	if page, err := s.AuditLog(t.Context(), pgstore.AuditFilter{Page: 10}); err != nil || len(page) != 0 {
		t.Errorf("%+v, %v; want none", page, err)
	}
}
