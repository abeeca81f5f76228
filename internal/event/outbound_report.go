package event

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// Publication is how a report was frozen.
type Publication struct {
	Revision int32
	Size     int       // bytes of the whole
	At       time.Time // when it was frozen
	Path     string    // where the whole is, below the address of the API
}

const (
	summaryText            = 4 << 10 // bytes of a text: eight of them take 192 KiB at the worst
	summaryRecommendations = 5
)

// NewReportPublished says that the report of a run was frozen. With all its texts
// cut as they are, it takes less than 256 KiB, whatever they hold: escaped in JSON
// a byte takes six at most.
func NewReportPublished(source string, r *report.Report, p Publication) (Outbound, error) {
	m := &contract.ReportPublished{
		ExecutionId: string(r.Run.ExecutionID), Run: int32(r.Run.Number), Revision: p.Revision, Sha256: r.SHA256, SizeBytes: int64(p.Size),
		Builder: r.Builder, Path: p.Path, RunId: r.Run.RunID, Status: string(r.Verdict.Status), ReportedOutcome: string(r.Verdict.Reported),
		Headline: cutText(r.Verdict.Headline), ScenarioId: r.Run.ScenarioID, ScenarioVersion: r.Definition.Version,
		DefinitionSha256: r.Definition.SHA256, Environment: cutText(r.Run.Environment), GroupId: cutText(r.Run.GroupID),
		Attempt: r.Run.Attempt, StartedAt: timestampOf(r.Run.StartedAt), EndedAt: timestampOf(r.Run.EndedAt),
		Validations: &contract.ReportedValidations{
			Passed: count32(r.Metrics.Validations.Passed), Failed: count32(r.Metrics.Validations.Failed),
			Skipped: count32(r.Metrics.Validations.Skipped), Error: count32(r.Metrics.Validations.Error),
		},
		ResilienceScore: r.Metrics.Resilience, MeanRecoverySeconds: r.Metrics.MeanRecovery, MeanDetectionSeconds: r.Metrics.MeanDetection,
		Findings: count32(len(r.Unexpected)), Recommendations: count32(len(r.Recommendations)),
	}
	for _, recommended := range r.Recommendations[:min(len(r.Recommendations), summaryRecommendations)] {
		m.TopRecommendations = append(m.TopRecommendations, &contract.ReportedRecommendation{
			Priority: recommended.Priority, Rule: recommended.Rule, Text: cutText(recommended.Text),
		})
	}
	return NewOutbound(Outgoing{
		Source: source, Time: p.At, RunID: r.Run.RunID, Message: m,
		ID: OutboundID("report", string(r.Run.ExecutionID), strconv.Itoa(int(r.Run.Number)), strconv.Itoa(int(p.Revision)), r.SHA256),
	})
}

// cutText cuts a text after summaryText bytes, between two characters, and says so.
func cutText(s string) string {
	if len(s) <= summaryText {
		return s
	}
	return strings.ToValidUTF8(s[:summaryText-len("…")], "") + "…"
}

func timestampOf(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return protoTime(*t)
}

func count32(n int) int32 { return int32(min(n, 1<<31-1)) } //nolint:gosec // bounded
