package verify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/verify"
)

// A report that somebody has forged, with a digest and a row that fit it, is found
// out: other bytes follow from the stored events.
func TestAForgedReportIsFoundOut(t *testing.T) {
	t.Parallel()
	f := fill(t)
	sql := f.db.Pool(t)
	freeTables(t, sql)
	var id string
	var body []byte
	if err := sql.QueryRow(t.Context(), "SELECT execution_id, body FROM test_coordination.reports WHERE status <> 'interrupted'").Scan(&id, &body); err != nil {
		t.Fatal(err)
	}
	forge := func(b []byte, sha string) []verify.Difference {
		t.Helper()
		headline := "headline"
		if r, err := report.Decode(b); err == nil {
			headline = "'" + strings.ReplaceAll(r.Verdict.Headline, "'", "''") + "'"
		}
		_, err := sql.Exec(t.Context(), "UPDATE test_coordination.reports SET body = $1::bytea, size_bytes = octet_length($1::bytea), sha256 = decode($2::text, 'hex'), headline = "+headline+" WHERE execution_id = $3", b, sha, id)
		if err != nil {
			t.Fatal(err)
		}
		found, err := verify.Run(t.Context(), f.store, nil, verify.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return found.Differences
	}
	r, err := report.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	whole := r.SHA256
	if d := forge([]byte(strings.Replace(string(body), `"headline": "`, `"headline": "Not so. `, 1)), whole); len(d) != 1 || d[0].Field != "body" {
		t.Errorf("a word is changed: %v", d)
	}
	r.Verdict.Headline = "All was well."
	forged, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if d := forge(forged, r.SHA256); len(d) == 0 || d[len(d)-1].Field != "SHA256" && d[0].Field != "Verdict.Headline" {
		t.Errorf("the digest is changed with it: %v", d)
	}
	if r, err = report.Decode(body); err != nil {
		t.Fatal(err)
	}
	r.Definition.Parameters = append(r.Definition.Parameters, report.Parameter{Name: "zzz", Value: "1", From: "default"})
	if forged, err = r.Encode(); err != nil {
		t.Fatal(err)
	}
	if d := forge(forged, r.SHA256); len(d) == 0 {
		t.Error("a parameter is added, and nothing found")
	}
	if r, err = report.Decode(body); err != nil {
		t.Fatal(err)
	}
	r.Inputs.Gone = &report.Gone{Kinds: []string{report.GoneLogs}, Policy: "old", At: time.Now()}
	if forged, err = r.Encode(); err != nil {
		t.Fatal(err)
	}
	if d := forge(forged, r.SHA256); len(d) == 0 {
		t.Error("it says that lines are gone, and nothing is found")
	}
	if d := forge(body, whole); len(d) != 0 {
		t.Errorf("as it was: %v", d)
	}
}
