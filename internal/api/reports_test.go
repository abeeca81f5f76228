package api_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/access"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/api"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/render"
)

// run says that a run began and, unless the outcome is empty, ended.
func (w *world) run(id string, minute int, outcome string, change ...func(*contract.ExecutionRequested)) {
	w.Helper()
	asked := &contract.ExecutionRequested{ExecutionId: id, ScenarioId: "depeg", Environment: "staging"}
	for _, c := range change {
		c(asked)
	}
	at := time.Date(2026, 6, 1, 12, minute, 0, 0, time.UTC)
	timed := func(after time.Duration) func(*event.Outgoing) {
		return func(o *event.Outgoing) { o.Time = at.Add(after) }
	}
	w.say(asked, timed(0))
	w.say(&contract.ExecutionStarted{ExecutionId: id, ScenarioId: asked.GetScenarioId()}, timed(time.Second))
	w.say(&contract.ExecutionValidationRecorded{ExecutionId: id, ValidationId: "v-1", AssertionType: "<script>alert(1)</script>", Status: "passed", Message: "=1+1"}, timed(2*time.Second))
	if outcome != "" {
		w.say(&contract.ExecutionFinished{ExecutionId: id, Outcome: outcome}, timed(10*time.Second))
	}
}

func (w *world) generate(id string) *contract.GenerateReportResponse {
	w.Helper()
	return call(w, w.reports.GenerateReport, &contract.GenerateReportRequest{RequestId: w.request(), ExecutionId: id})
}

// The report of a run that goes on is provisional and not kept; that of one that has
// ended is frozen when somebody asks for it, once for what it says.
func TestReportsAreBuiltAndFrozenOnDemand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run("exec-1", 0, "")
	if g := w.generate("exec-1"); g.GetFrozen() || !g.GetReport().GetProvisional() || g.GetReport().GetRevision() != 0 || g.GetReport().GetStatus() != "running" {
		t.Errorf("of a run that goes on: %v", g)
	}
	got := call(w, w.reports.GetReport, &contract.GetReportRequest{ExecutionId: "exec-1"})
	if i := got.GetReport(); !i.GetProvisional() || i.GetRevision() != 0 || i.GetCreatedAt() != nil || got.GetFile().GetFileName() != "report-exec-1-1.json" {
		t.Errorf("of a run that goes on: %v", i)
	}
	refused(w, w.reports.GetReport, &contract.GetReportRequest{ExecutionId: "exec-1", Revision: 1}, connect.CodeNotFound, "report_not_found", "revision")
	if l := call(w, w.reports.ListReports, &contract.ListReportsRequest{}).GetReports(); len(l) != 0 {
		t.Errorf("listed: %v", l)
	}

	w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"}, func(o *event.Outgoing) { o.Time = time.Date(2026, 6, 1, 12, 1, 0, 0, time.UTC) })
	if i := call(w, w.reports.GetReport, &contract.GetReportRequest{ExecutionId: "exec-1"}).GetReport(); i.GetProvisional() || i.GetRevision() != 0 || i.GetStatus() != "passed" {
		t.Errorf("of a run that has ended, and not settled: %v", i)
	}
	first := w.generate("exec-1")
	if i := first.GetReport(); !first.GetFrozen() || i.GetRevision() != 1 || i.GetCreatedAt() == nil || i.GetPath() != "/reports/exec-1/1.html?revision=1" || i.GetValidationsPassed() != 1 {
		t.Errorf("generated: %v", first)
	}
	if again := w.generate("exec-1"); again.GetFrozen() || again.GetReport().GetSha256() != first.GetReport().GetSha256() || again.GetReport().GetRevision() != 1 {
		t.Errorf("generated again: %v", again)
	}
	got = call(w, w.reports.GetReport, &contract.GetReportRequest{ExecutionId: "exec-1", Run: 1, Format: "json"})
	decoded, err := report.Decode(got.GetFile().GetContent())
	if err != nil || decoded.SHA256 != first.GetReport().GetSha256() || int64(len(got.GetFile().GetContent())) != got.GetReport().GetSizeBytes() || got.GetReport().GetOutdated() {
		t.Errorf("report: %v, %v", got.GetReport(), err)
	}

	w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1", Message: "late"})
	late := call(w, w.reports.GetReport, &contract.GetReportRequest{ExecutionId: "exec-1"})
	if !late.GetReport().GetOutdated() || !bytes.Equal(late.GetFile().GetContent(), got.GetFile().GetContent()) {
		t.Errorf("a late event changes a frozen report: %v", late.GetReport())
	}
	if now := call(w, w.reports.GetReport, &contract.GetReportRequest{ExecutionId: "exec-1", Provisional: true}); now.GetReport().GetRevision() != 0 || bytes.Equal(now.GetFile().GetContent(), got.GetFile().GetContent()) {
		t.Errorf("built now: %v", now.GetReport())
	}
	if second := w.generate("exec-1"); !second.GetFrozen() || second.GetReport().GetRevision() != 2 {
		t.Errorf("generated after a late event: %v", second)
	}
	if former := call(w, w.reports.GetReport, &contract.GetReportRequest{ExecutionId: "exec-1", Revision: 1}); !bytes.Equal(former.GetFile().GetContent(), got.GetFile().GetContent()) {
		t.Error("revision 1 is not what it was")
	}
	refused(w, w.reports.GetReport, &contract.GetReportRequest{ExecutionId: "exec-1", Revision: 1, Provisional: true}, connect.CodeInvalidArgument, "invalid_argument", "provisional")
	refused(w, w.reports.GetReport, &contract.GetReportRequest{ExecutionId: "nobody"}, connect.CodeNotFound, "execution_not_found")
	refused(w, w.reports.GetReport, &contract.GetReportRequest{ExecutionId: "exec-1", Run: 9}, connect.CodeNotFound, "execution_not_found", "run")
	refused(w, w.reports.GetReport, &contract.GetReportRequest{ExecutionId: "exec-1", Format: "docx"}, connect.CodeInvalidArgument, "invalid_argument", "format")
	refused(w, w.reports.GenerateReport, &contract.GenerateReportRequest{RequestId: w.request(), ExecutionId: "nobody"}, connect.CodeNotFound, "execution_not_found")
}

// Each format is given, with a name and a type of its own.
func TestReportsComeInEveryFormat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run("exec:1.a", 0, "passed")
	w.generate("exec:1.a")
	names := map[string]bool{}
	for _, f := range render.Formats() {
		got := call(w, w.reports.GetReport, &contract.GetReportRequest{ExecutionId: "exec:1.a", Format: f.Name}).GetFile()
		if len(got.GetContent()) == 0 || got.GetMediaType() != f.MediaType || got.GetFileName() != "report-exec_1.a-1-r1"+f.Extension || names[got.GetFileName()] {
			t.Errorf("%s: %d bytes of %s in %s", f.Name, len(got.GetContent()), got.GetMediaType(), got.GetFileName())
		}
		names[got.GetFileName()] = true
		response := w.get("/reports/exec:1.a/1" + f.Extension)
		body := response.body
		if !bytes.Equal(body, got.GetContent()) || response.Header.Get("Content-Type") != f.MediaType {
			t.Errorf("GET %s: %d bytes of %s", f.Extension, len(body), response.Header.Get("Content-Type"))
		}
		if f.Name == "junit" {
			if err := xml.Unmarshal(body, &struct{}{}); err != nil {
				t.Errorf("junit: %v", err)
			}
		}
		if f.Name == "html" && bytes.Contains(body, []byte("<script>alert")) {
			t.Error("a page runs what a producer says")
		}
	}
	if len(names) < 7 {
		t.Errorf("only %d formats", len(names))
	}
}

// got is what a browser got.
type got struct {
	StatusCode int
	Header     http.Header
	body       []byte
}

// get asks as a browser does.
func (w *world) get(path string, change ...func(*http.Request)) got {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodGet, w.url+path, http.NoBody)
	if err != nil {
		w.Fatal(err)
	}
	for _, c := range change {
		c(r)
	}
	response, err := w.Client.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.Fatal(err)
	}
	return got{response.StatusCode, response.Header, body}
}

// A page says what it is, and lets a browser load and run nothing.
func TestPagesOfReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run("exec-1", 0, "failed")
	w.generate("exec-1")
	page := w.get("/reports/exec-1/0.html")
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "private, no-cache",
		"Content-Disposition": `inline; filename=report-exec-1-1-r1.html`, "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := page.Header.Get(name); page.StatusCode != http.StatusOK || got != want {
			t.Errorf("%d, %s: %q, want %q", page.StatusCode, name, got, want)
		}
	}
	policy := page.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "script-src") {
		t.Errorf("policy: %s", policy)
	}
	if again := w.get("/reports/exec-1/1.html", func(r *http.Request) { r.Header.Set("If-None-Match", page.Header.Get("ETag")) }); again.StatusCode != http.StatusNotModified {
		t.Errorf("what was fetched before is sent again: %d", again.StatusCode)
	}
	head := w.get("/reports/exec-1/0.html", func(r *http.Request) { r.Method = http.MethodHead })
	if head.StatusCode != http.StatusOK || len(head.body) != 0 || head.Header.Get("ETag") != page.Header.Get("ETag") || head.Header.Get("Content-Length") != strconv.Itoa(len(page.body)) {
		t.Errorf("HEAD: %d, %d bytes, %v", head.StatusCode, len(head.body), head.Header)
	}
	if written := w.get("/reports/exec-1/0.html", func(r *http.Request) { r.Method = http.MethodPost }); written.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", written.StatusCode)
	}
	if csv := w.get("/reports/exec-1/1.csv?revision=1"); csv.StatusCode != http.StatusOK || !strings.HasPrefix(csv.Header.Get("Content-Disposition"), "attachment; ") {
		t.Errorf("csv: %d %v", csv.StatusCode, csv.Header)
	}
	for path, want := range map[string]int{
		"/reports/exec-1/1?revision=7":                                       http.StatusNotFound,
		"/reports/exec-1/1?revision=x":                                       http.StatusBadRequest,
		"/reports/exec-1/9":                                                  http.StatusNotFound,
		"/reports/nobody/0.html":                                             http.StatusNotFound,
		"/reports/exec-1/1.exe":                                              http.StatusNotFound,
		"/reports/exec-1/1.":                                                 http.StatusNotFound,
		"/reports/exec-1/01":                                                 http.StatusNotFound,
		"/reports/exec-1/-1":                                                 http.StatusNotFound,
		"/reports/exec-1/99999999999":                                        http.StatusNotFound,
		"/reports/exec-1/":                                                   http.StatusNotFound,
		"/reports/" + url.PathEscape("../exec-1") + "/1":                     http.StatusNotFound,
		"/reports/" + url.PathEscape("a/b") + "/1":                           http.StatusNotFound,
		"/reports/" + url.PathEscape("<script>alert(1)</script>") + "/1":     http.StatusNotFound,
		"/reports/" + url.PathEscape("a\x00b") + "/1":                        http.StatusNotFound,
		"/reports/" + url.PathEscape("a\r\nSet-Cookie: x=1") + "/1.html":     http.StatusNotFound,
		"/reports/" + strings.Repeat("a", 201) + "/1":                        http.StatusNotFound,
		"/reports/exec-1/" + url.PathEscape("1.html\"; filename=\"evil.exe"): http.StatusNotFound,
	} {
		answer := w.get(path)
		body := answer.body
		if answer.StatusCode != want || bytes.Contains(body, []byte("<script>")) || answer.Header.Get("Set-Cookie") != "" || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("GET %q: %d, want %d: %s %v", path, answer.StatusCode, want, body, answer.Header)
		}
	}
}

// Pages are no way around the guard, and wait until the service is at work.
func TestPagesOfReportsAreGuarded(t *testing.T) {
	t.Parallel()
	guard, err := access.Open(access.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.run("exec-1", 0, "passed")
	for _, c := range []struct {
		at   net.Addr
		want int
	}{
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 8080}, http.StatusForbidden},
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, http.StatusOK},
	} {
		guarded := httptest.NewServer(guard.API(c.at, w.Handler, api.Pages()...))
		t.Cleanup(guarded.Close)
		w.url = guarded.URL
		for _, path := range []string{"/reports/exec-1/1.html", "/reports/exec-1/1", "/schema/report/v1.schema.json"} {
			if answer := w.get(path); answer.StatusCode != c.want {
				t.Errorf("on %s, without an access file, %s: %d, want %d", c.at, path, answer.StatusCode, c.want)
			}
		}
	}
	waiting := newWorld(t, func(p *api.Parts) { p.AtWork = func() error { return errors.New("waiting for Kafka") } })
	if answer := waiting.get("/reports/exec-1/1"); answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("before the service is at work: %d", answer.StatusCode)
	}
}

// Lists hold the newest revision of each run; of attempts of a group the last, if
// that is wanted, and go by pages.
func TestListReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	of := func(scenario, group string, attempt int32) func(*contract.ExecutionRequested) {
		return func(r *contract.ExecutionRequested) {
			r.ScenarioId, r.GroupId, r.Attempt = scenario, group, proto.Int32(attempt)
		}
	}
	w.run("a", 0, "passed")
	w.run("try-1", 1, "failed", of("depeg", "nightly", 1))
	w.run("try-2", 2, "error", of("depeg", "nightly", 2))
	w.run("try-3", 3, "passed", of("depeg", "nightly", 3))
	w.run("other", 4, "failed", of("outage", "nightly", 1), func(r *contract.ExecutionRequested) { r.Environment = "production" })
	for _, id := range []string{"a", "try-1", "try-2", "try-3", "other"} {
		w.generate(id)
	}
	w.say(&contract.ExecutionHeartbeat{ExecutionId: "a", Message: "late"})
	w.generate("a")
	for what, c := range map[string]struct {
		ask  *contract.ListReportsRequest
		want string
	}{
		"all":           {&contract.ListReportsRequest{}, "a/2 other/1 try-3/1 try-2/1 try-1/1"},
		"all revisions": {&contract.ListReportsRequest{AllRevisions: true}, "a/2 other/1 try-3/1 try-2/1 try-1/1 a/1"},
		"one per group": {&contract.ListReportsRequest{OnePerGroup: true}, "a/2 other/1 try-3/1x3"},
		"of a scenario": {&contract.ListReportsRequest{ScenarioId: "depeg"}, "a/2 try-3/1 try-2/1 try-1/1"},
		"of a status":   {&contract.ListReportsRequest{Status: "failed"}, "other/1 try-1/1"},
		"of a group":    {&contract.ListReportsRequest{GroupId: "nightly", OnePerGroup: true}, "other/1 try-3/1x3"},
		"of two":        {&contract.ListReportsRequest{ScenarioId: "depeg", Status: "passed"}, "a/2 try-3/1"},
		"of an id":      {&contract.ListReportsRequest{ExecutionId: "a", AllRevisions: true}, "a/2 a/1"},
		"elsewhere":     {&contract.ListReportsRequest{Environment: "production"}, "other/1"},
	} {
		for _, size := range []int32{0, 1, 2} {
			c.ask.PageSize, c.ask.PageToken = size, ""
			var got []string
			for {
				page := call(w, w.reports.ListReports, c.ask)
				for _, i := range page.GetReports() {
					text := fmt.Sprintf("%s/%d", i.GetExecutionId(), i.GetRevision())
					if c.ask.GetOnePerGroup() && i.GetAttempts() > 1 {
						text += fmt.Sprintf("x%d", i.GetAttempts())
					}
					got = append(got, text)
				}
				if c.ask.PageToken = page.GetNextPageToken(); c.ask.GetPageToken() == "" {
					break
				}
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("%s, %d a page: %s, want %s", what, size, text, c.want)
			}
		}
	}
	if got := call(w, w.reports.GetReport, &contract.GetReportRequest{ExecutionId: "try-3"}); true {
		r, err := report.Decode(got.GetFile().GetContent())
		if err != nil || len(r.Attempts) != 2 || r.Attempts[0].ExecutionID != "try-1" || r.Attempts[1].ExecutionID != "try-2" {
			t.Errorf("attempts: %+v, %v", r, err)
		}
	}
}

// Two runs are put side by side, frozen or not.
func TestCompareReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run("a", 0, "passed")
	w.run("b", 1, "failed")
	w.generate("a")
	ask := &contract.CompareReportsRequest{A: &contract.ReportName{ExecutionId: "a"}, B: &contract.ReportName{ExecutionId: "b"}}
	got := call(w, w.reports.CompareReports, ask)
	if got.GetA().GetRevision() != 1 || got.GetB().GetRevision() != 0 || got.GetHeadline() == "" || !bytes.Contains(got.GetFile().GetContent(), []byte("test-coordination.comparison/v1")) || got.GetFile().GetFileName() != "report-a-1-r1-with-report-b-1.json" {
		t.Errorf("comparison: %v", got)
	}
	ask.Format = "html"
	if got := call(w, w.reports.CompareReports, ask).GetFile(); !bytes.Contains(got.GetContent(), []byte("<html")) {
		t.Errorf("html: %.100s", got.GetContent())
	}
	ask.Format = "junit"
	refused(w, w.reports.CompareReports, ask, connect.CodeInvalidArgument, "invalid_argument", "format")
	refused(w, w.reports.CompareReports, &contract.CompareReportsRequest{A: ask.GetA(), B: &contract.ReportName{ExecutionId: "b", Run: 7}}, connect.CodeNotFound, "execution_not_found", "b.run")
}
