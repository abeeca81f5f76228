package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/render"
)

// reportsPath is what lies above the reports that browsers get by GET.
const reportsPath = "/reports/"

// reportPolicy lets the page of a report load nothing and run nothing: it has its
// styles and pictures in itself, and texts of others.
const reportPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,199}$`)

// mountReports serves the reports of runs: as JSON, or by the ending in another
// format. Who may have them is decided before, as for the procedures.
func mountReports(mux *http.ServeMux, s *reports) {
	mux.HandleFunc("GET "+reportsPath+"{execution_id}/{run}", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), orDefault(s.Deadline, 30*time.Second))
		defer cancel()
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Security-Policy", reportPolicy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		w.Header().Set("Cache-Control", "private, no-cache")
		if err := s.page(ctx, w, r); err != nil {
			s.refusePage(w, err)
		}
	})
}

// page writes a report.
func (s *reports) page(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	if s.AtWork != nil {
		if err := (&opening{s.AtWork}).check(); err != nil {
			return err
		}
	}
	name, format, err := reportAsked(r)
	if err != nil {
		return err
	}
	f, err := s.find(ctx, name, name.GetRevision(), false)
	if err != nil {
		return err
	}
	file, err := f.file(format)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(file.GetContent())
	shown := "attachment"
	if format.Name == "html" || format.Name == "json" || format.Name == "markdown" {
		shown = "inline"
	}
	header := w.Header()
	header.Set("Content-Type", file.GetMediaType())
	header.Set("Content-Disposition", mime.FormatMediaType(shown, map[string]string{"filename": file.GetFileName()}))
	header.Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.GetContent()))
	return nil
}

// reportAsked reads the path and the revision.
func reportAsked(r *http.Request) (*contract.ReportName, render.Format, error) {
	noPage := &failure{code: connect.CodeNotFound, reason: "no_such_page", message: "a report is at " + reportsPath + "{execution_id}/{run}, with an ending such as .html"}
	id := r.PathValue("execution_id")
	digits, ending, dotted := strings.Cut(r.PathValue("run"), ".")
	number, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || number < 0 || digits != strconv.FormatInt(number, 10) || !idPattern.MatchString(id) {
		return nil, render.Format{}, noPage
	}
	name := &contract.ReportName{ExecutionId: id, Run: int32(number)}
	if asked := r.URL.Query().Get("revision"); asked != "" {
		revision, err := strconv.ParseInt(asked, 10, 32)
		if err != nil || revision < 0 {
			return nil, render.Format{}, invalid("revision", "a number from 0")
		}
		name.Revision = int32(revision)
	}
	if !dotted {
		format, err := formatNamed("", false)
		return name, format, err
	}
	var known []string
	for _, f := range render.Formats() {
		if f.Extension == "."+ending {
			return name, f, nil
		}
		known = append(known, f.Extension)
	}
	noPage.message = "no report ends so: choose one of " + strings.Join(known, ", ")
	return nil, render.Format{}, noPage
}

// statuses are those of HTTP for what may be wrong with a page.
var statuses = map[connect.Code]int{
	connect.CodeNotFound:           http.StatusNotFound,
	connect.CodeInvalidArgument:    http.StatusBadRequest,
	connect.CodeFailedPrecondition: http.StatusConflict,
	connect.CodeUnavailable:        http.StatusServiceUnavailable,
	connect.CodeDeadlineExceeded:   http.StatusGatewayTimeout,
	connect.CodeCanceled:           http.StatusGatewayTimeout,
}

// refusePage says in plain text why there is no report.
func (s *reports) refusePage(w http.ResponseWriter, err error) {
	f, expected := failureOf(err)
	if !expected {
		s.Log.Error().Err(err).Str("page", reportsPath).Msg("report not served")
	}
	status, known := statuses[f.code]
	if !known {
		status = http.StatusInternalServerError
	}
	http.Error(w, f.message, status)
}
