package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/evidence"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1/testcoordinationv1connect"
)

// A bundle is exported, and verified where there is no service.
func TestEvidence(t *testing.T) {
	t.Parallel()
	c, w := calls(t)
	w.Say(&contract.ExecutionStarted{ExecutionId: "exec:1", ScenarioId: "crash"})
	file := filepath.Join(t.TempDir(), "run.zip")
	c.fails(1, []string{"run 1 of exec:1 is running"}, "evidence", "export", "exec:1", "-o", file)
	c.fails(4, []string{"exec-2 is not known"}, "evidence", "export", "exec-2", "-o", file)
	w.Say(&contract.ExecutionLogAppended{ExecutionId: "exec:1", Lines: []*contract.LogLine{{Message: "a line"}}})
	w.Say(&contract.ExecutionFinished{ExecutionId: "exec:1", Outcome: "passed"})
	c.fails(4, []string{"there is no report of run 1 of exec:1 yet"}, "evidence", "export", "exec:1", "-o", file)
	c.tcda(0, "reports", "generate", "exec:1")

	stdout, _ := c.tcda(0, "evidence", "export", "exec:1", "-o", file, "--json")
	var made exported
	if err := json.Unmarshal([]byte(stdout), &made); err != nil || made.File != file || len(made.Report) != 64 || len(made.Manifest) != 64 {
		t.Fatalf("exported %s, error %v", stdout, err)
	}
	c.fails(2, []string{"is there already", "--force"}, "evidence", "export", "exec:1", "-o", file)
	c.shows([]string{file, made.Report, made.Manifest}, "evidence", "export", "exec:1/1", "-o", file, "--force")
	c.fails(4, []string{"has no revision 9"}, "evidence", "export", "exec:1", "-o", file+".9", "--revision=9")
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); err != nil || len(left) != 1 {
		t.Errorf("files %v, error %v", left, err)
	}

	away := callerOf(t, "http://127.0.0.1:1")
	away.shows([]string{"exec:1/1", "passed", "rebuild     holds", "expected    not checked", "verified: everything that was checked holds\n"}, "evidence", "verify", file)
	away.shows([]string{"expected    holds"}, "evidence", "verify", file, "--expect-report", made.Report, "--expect-manifest", made.Manifest)
	stdout, _ = away.tcda(1, "evidence", "verify", file, "--expect-report", strings.Repeat("0", 64))
	if !strings.Contains(stdout, "difference: expected: report.json: sha256: expected 000") || !strings.HasSuffix(stdout, "not verified: 1 difference\n") {
		t.Errorf("printed\n%s", stdout)
	}
	stdout, _ = away.tcda(0, "evidence", "verify", file, "--json")
	var r evidence.Result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || !r.Verified || r.Events != 3 || r.Report != made.Report {
		t.Errorf("printed %s, error %v", stdout, err)
	}

	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	altered := bytes.Clone(whole)
	altered[len(altered)/2] ^= 1
	for name, content := range map[string][]byte{"cut": whole[:len(whole)/2], "empty": nil, "text": []byte("no ZIP\x1b[2J")} {
		other := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(other, content, 0o600); err != nil {
			t.Fatal(err)
		}
		away.fails(2, []string{"is no evidence bundle that can be read"}, "evidence", "verify", other)
	}
	other := filepath.Join(t.TempDir(), "altered")
	if err := os.WriteFile(other, altered, 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout, _ := away.tcda(1, "evidence", "verify", other); !strings.Contains(stdout, "not verified: ") {
		t.Errorf("printed\n%s", stdout)
	}
	away.tcda(2, "evidence", "verify", file+".gone")
	away.tcda(2, "evidence", "verify", file, "--expect-report=nonsense")
	away.tcda(2, "evidence", "verify", file, "--expect-manifest="+strings.Repeat("A", 64))
}

// In no directory of its own a bundle has the name that the service gives it, if that
// is one that a bundle may have.
func TestEvidenceIsNamedByTheService(t *testing.T) {
	c, w := calls(t)
	w.Say(&contract.ExecutionStarted{ExecutionId: "exec:1"})
	w.Say(&contract.ExecutionFinished{ExecutionId: "exec:1", Outcome: "passed"})
	c.tcda(0, "reports", "generate", "exec:1")
	t.Chdir(t.TempDir())
	c.shows([]string{"evidence-exec_1-1.zip: "}, "evidence", "export", "exec:1")
	if _, err := os.Stat("evidence-exec_1-1.zip"); err != nil {
		t.Error(err)
	}
	c.fails(2, []string{"evidence-exec_1-1.zip is there already"}, "evidence", "export", "exec:1")

	for _, name := range []string{"../x.zip", "/etc/passwd", "evidence-\x1b[2J.zip", "evidence-a/b.zip", ""} {
		path, handler := testcoordinationv1connect.NewEvidenceServiceHandler(&naming{name: name})
		hostile := callerOf(t, serve(t, path, handler))
		hostile.fails(1, []string{"the service calls the file"}, "evidence", "export", "exec-1")
	}
	path, handler := testcoordinationv1connect.NewEvidenceServiceHandler(&naming{name: "evidence-a-1.zip", broken: true})
	callerOf(t, serve(t, path, handler)).fails(1, []string{"before the file was whole"}, "evidence", "export", "exec-1")
	if left, err := filepath.Glob("*"); err != nil || len(left) != 1 {
		t.Errorf("files %v, error %v", left, err)
	}
}

// What comes while a bundle is fetched stays, unless it may be replaced.
func TestEvidenceReplacesNothingThatCameMeanwhile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "evidence.zip")
	path, handler := testcoordinationv1connect.NewEvidenceServiceHandler(&naming{name: "evidence-a-1.zip", meanwhile: func() error {
		return os.WriteFile(file, []byte("another's"), 0o600)
	}})
	c := callerOf(t, serve(t, path, handler))
	c.fails(2, []string{file + " is there already", "--force"}, "evidence", "export", "exec-1", "-o", file)
	holds(t, file, "another's", 0o600)
	c.tcda(0, "evidence", "export", "exec-1", "-o", file, "--force")
	holds(t, file, "PK", 0o600)
	alone(t, filepath.Dir(file), 1)
}

// naming is a service that calls its file something.
type naming struct {
	name      string
	broken    bool
	meanwhile func() error // done between two answers
}

func (n *naming) ExportEvidence(_ context.Context, _ *connect.Request[contract.ExportEvidenceRequest], to *connect.ServerStream[contract.ExportEvidenceResponse]) error {
	if err := to.Send(&contract.ExportEvidenceResponse{FileName: n.name, Chunk: []byte("PK")}); err != nil || n.broken {
		return err
	}
	if n.meanwhile != nil {
		if err := n.meanwhile(); err != nil {
			return err
		}
	}
	return to.Send(&contract.ExportEvidenceResponse{ManifestSha256: strings.Repeat("0", 64)})
}

// serve is the URL of a handler.
func serve(t testing.TB, path string, handler http.Handler) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(path, handler)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}
