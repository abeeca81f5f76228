package pgstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// ReportDigest identifies a report by its content.
type ReportDigest [32]byte

// String is the digest in lower-case hex, as reports write it.
func (d ReportDigest) String() string { return hex.EncodeToString(d[:]) }

// ParseReportDigest reads 64 hex digits.
func ParseReportDigest(s string) (d ReportDigest, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(d) {
		return d, fmt.Errorf("digest of a report: want %d hex digits", 2*len(d))
	}
	copy(d[:], b)
	return d, nil
}

// FrozenReport is what is known of a frozen report beside its content.
type FrozenReport struct {
	RunKey
	Bucket           time.Time
	Revision         int32 // from 1
	SHA256           ReportDigest
	Builder          string // version of the rules
	Size             int    // bytes of the content
	RunVersion       int64  // of the run that it was built from
	Chain            [32]byte
	DefinitionSHA256 string   // in hex; empty: not known
	TemplateSHA256   string   // likewise, of its template; not in lists
	Compared         []string // digests of reports in hex; not in lists
	Status           execution.Status
	ReportedOutcome  execution.Status
	Headline         string
	ScenarioID       string
	Environment      string
	GroupID          string
	Attempt          int32 // from 1
	StartedAt        time.Time
	EndedAt          time.Time
	Validations      report.Tally
	Resilience       *float64 // 0..100
	CreatedAt        time.Time
}

// ListedReport is a report in a list.
type ListedReport struct {
	FrozenReport
	Newest      bool  // no other revision replaces it
	LastAttempt bool  // of its group at its scenario; true without a group
	Attempts    int64 // runs of the group, at the scenario, that have a report
}

// LockReports serialises those who freeze reports of a run until the transaction
// ends, and keeps the run from being removed as long. It tells the bucket of the
// run, or ErrNotFound.
func (tx *Tx) LockReports(ctx context.Context, k RunKey) (bucket time.Time, err error) {
	tx.pipe.doing("lock reports")
	if err := tx.queued.LockReports(ctx, string(k.ID), int32(k.Number)); err != nil {
		return time.Time{}, interpret("lock reports", err)
	}
	bucket, err = tx.q.KeepRun(ctx, string(k.ID), int32(k.Number))
	return bucket, interpret("keep run", err)
}

// NewestReport is the newest revision of the report of a run, or ErrNotFound. Under
// LockReports it stays the newest.
func (tx *Tx) NewestReport(ctx context.Context, k RunKey) (FrozenReport, error) {
	return reportOf(ctx, tx.q, k, 0)
}

// RevisionGone is the highest revision of the report of a run that retention has
// removed, or may remove yet, and 0 for none: its number does not come again. Asked
// under LockReports.
func (tx *Tx) RevisionGone(ctx context.Context, k RunKey) (int32, error) {
	return revisionGone(ctx, tx.q, k)
}

// RevisionGone is Tx.RevisionGone for readers.
func (s *Store) RevisionGone(ctx context.Context, k RunKey) (int32, error) {
	return revisionGone(ctx, s.q, k)
}

func revisionGone(ctx context.Context, q *dbsqlc.Queries, k RunKey) (int32, error) {
	revision, err := q.RevisionGone(ctx, string(k.ID), int32(k.Number))
	if err = interpret("look for removed revisions", err); errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return revision, err
}

// InsertReport freezes a report under LockReports, as the given revision of its
// run in its bucket.
func (tx *Tx) InsertReport(ctx context.Context, r *report.Report, body []byte, f FrozenReport) error {
	p := dbsqlc.InsertReportParams{
		Bucket: f.Bucket, ExecutionID: string(f.ID), Run: int32(f.Number), Revision: f.Revision, SHA256: f.SHA256[:], Builder: f.Builder,
		Body: body, SizeBytes: int32(len(body)), RunVersion: f.RunVersion, Chain: f.Chain[:], Compared: [][]byte{}, //nolint:gosec // a value of PostgreSQL has at most 1 GiB
		Status: string(f.Status), ReportedOutcome: string(f.ReportedOutcome), Headline: f.Headline, ScenarioID: f.ScenarioID, Environment: f.Environment,
		GroupID: f.GroupID, Attempt: f.Attempt, StartedAt: nullTime(f.StartedAt), EndedAt: nullTime(f.EndedAt),
		ValidationsPassed: int32(f.Validations.Passed), ValidationsFailed: int32(f.Validations.Failed), //nolint:gosec // of one run
		ValidationsSkipped: int32(f.Validations.Skipped), ValidationsError: int32(f.Validations.Error), //nolint:gosec // of one run
		ResilienceScore: f.Resilience, CreatedAt: tx.now,
	}
	for _, d := range []struct {
		column *[]byte
		text   string
	}{{&p.DefinitionSHA256, f.DefinitionSHA256}, {&p.TemplateSHA256, f.TemplateSHA256}} {
		if d.text == "" {
			continue
		}
		digest, err := ParseReportDigest(d.text)
		if err != nil {
			return fmt.Errorf("what was run: %w", err)
		}
		*d.column = digest[:]
	}
	for _, text := range r.Inputs.Compared {
		digest, err := ParseReportDigest(text)
		if err != nil {
			return err
		}
		p.Compared = append(p.Compared, digest[:])
	}
	tx.pipe.doing("insert report")
	if err := tx.queued.InsertReport(ctx, p); err != nil {
		return interpret("insert report", err)
	}
	tx.pipe.doing("note revision")
	return tx.queued.NoteRevision(ctx, f.Revision, string(f.ID), int32(f.Number))
}

// NewFrozenReport is what is kept of a report beside its content. The revision and
// the bucket are the caller's to say.
func NewFrozenReport(r *report.Report, size int, runVersion int64) (FrozenReport, error) {
	digest, err := ParseReportDigest(r.SHA256)
	if err != nil {
		return FrozenReport{}, err
	}
	chain, err := ParseReportDigest(r.Inputs.Chain)
	if err != nil {
		return FrozenReport{}, fmt.Errorf("chain of events: %w", err)
	}
	return FrozenReport{
		RunKey: RunKey{r.Run.ExecutionID, r.Run.Number}, SHA256: digest, Builder: r.Builder, Size: size, RunVersion: runVersion, Chain: chain,
		DefinitionSHA256: r.Inputs.DefinitionSHA256, TemplateSHA256: r.Inputs.TemplateSHA256, Status: r.Verdict.Status, ReportedOutcome: r.Verdict.Reported, Headline: r.Verdict.Headline,
		ScenarioID: r.Run.ScenarioID, Environment: r.Run.Environment, GroupID: r.Run.GroupID, Attempt: max(r.Run.Attempt, 1),
		StartedAt: valueOf(r.Run.StartedAt), EndedAt: valueOf(r.Run.EndedAt), Validations: r.Metrics.Validations, Resilience: r.Metrics.Resilience,
		Compared: r.Inputs.Compared,
	}, nil
}

// Report is a revision of the report of a run, 0 the newest; or ErrNotFound.
func (s *Store) Report(ctx context.Context, k RunKey, revision int32) (FrozenReport, error) {
	return reportOf(ctx, s.q, k, revision)
}

func reportOf(ctx context.Context, q *dbsqlc.Queries, k RunKey, revision int32) (FrozenReport, error) {
	row, err := q.ReportOf(ctx, string(k.ID), int32(k.Number), revision)
	if err != nil {
		return FrozenReport{}, interpret("read report", err)
	}
	return reportFromRow(&row), nil
}

// ReportBody are the bytes of a frozen report.
func (s *Store) ReportBody(ctx context.Context, f *FrozenReport) ([]byte, error) {
	body, err := s.q.ReportBody(ctx, dbsqlc.ReportBodyParams{ExecutionID: string(f.ID), Run: int32(f.Number), Revision: f.Revision, Bucket: f.Bucket})
	return body, interpret("read content of report", err)
}

// ReportBodyBySHA256 are the bytes of the frozen report of a digest, or
// ErrNotFound.
func (s *Store) ReportBodyBySHA256(ctx context.Context, digest ReportDigest) ([]byte, error) {
	body, err := s.q.ReportBodyBySHA256(ctx, digest[:])
	return body, interpret("read content of report", err)
}

func reportFromRow(r *dbsqlc.ReportOfRow) FrozenReport {
	return FrozenReport{
		RunKey: RunKey{execution.ID(r.ExecutionID), execution.RunNumber(r.Run)}, Bucket: r.Bucket, Revision: r.Revision,
		SHA256: array32[ReportDigest](r.SHA256), Builder: r.Builder, Size: int(r.SizeBytes), RunVersion: r.RunVersion, Chain: array32[[32]byte](r.Chain),
		DefinitionSHA256: hex.EncodeToString(r.DefinitionSHA256), TemplateSHA256: hex.EncodeToString(r.TemplateSHA256), Status: execution.Status(r.Status), ReportedOutcome: execution.Status(r.ReportedOutcome),
		Headline: r.Headline, ScenarioID: r.ScenarioID, Environment: r.Environment, GroupID: r.GroupID, Attempt: r.Attempt,
		StartedAt: timeOf(r.StartedAt), EndedAt: timeOf(r.EndedAt),
		Validations: report.Tally{Passed: int(r.ValidationsPassed), Failed: int(r.ValidationsFailed), Skipped: int(r.ValidationsSkipped), Error: int(r.ValidationsError)},
		Resilience:  r.ResilienceScore, CreatedAt: r.CreatedAt.UTC(), Compared: hexOf(r.Compared),
	}
}

func hexOf(all [][]byte) []string {
	texts := make([]string, len(all))
	for i, b := range all {
		texts[i] = hex.EncodeToString(b)
	}
	return texts
}

func listedFromRow(r *dbsqlc.ReportsByCreationRow) ListedReport {
	return ListedReport{
		FrozenReport: reportFromRow(&dbsqlc.ReportOfRow{
			Bucket: r.Bucket, ExecutionID: r.ExecutionID, Run: r.Run, Revision: r.Revision, SHA256: r.SHA256, Builder: r.Builder, SizeBytes: r.SizeBytes,
			RunVersion: r.RunVersion, Chain: r.Chain, DefinitionSHA256: r.DefinitionSHA256, Status: r.Status, ReportedOutcome: r.ReportedOutcome,
			Headline: r.Headline, ScenarioID: r.ScenarioID, Environment: r.Environment, GroupID: r.GroupID, Attempt: r.Attempt, StartedAt: r.StartedAt,
			EndedAt: r.EndedAt, ValidationsPassed: r.ValidationsPassed, ValidationsFailed: r.ValidationsFailed, ValidationsSkipped: r.ValidationsSkipped,
			ValidationsError: r.ValidationsError, ResilienceScore: r.ResilienceScore, CreatedAt: r.CreatedAt,
		}),
		Newest: r.Newest, LastAttempt: true, Attempts: 1,
	}
}

// ReportFilter says which reports a list is of. What is not set does not count. A
// list goes along one index, as those of runs do: that of the first of ID, Group,
// Scenario and Status that is set, or else that of all reports.
type ReportFilter struct {
	ID           execution.ID
	Group        string
	Scenario     string
	Status       execution.Status
	Environment  string
	From, Until  time.Time // frozen at From or later, and before Until
	OnePerGroup  bool      // of a group at a scenario only the last attempt
	AllRevisions bool
}

// ReportPlace is a place in the lists of reports; the zero place is before the
// first.
type ReportPlace struct {
	CreatedAt time.Time
	RunKey
	Revision int32
}

// PlaceOfReport is where a report stands.
func PlaceOfReport(r *ListedReport) ReportPlace {
	return ReportPlace{r.CreatedAt, r.RunKey, r.Revision}
}

// Matches tells whether a report is one that the filter means.
func (f *ReportFilter) Matches(r *ListedReport) bool {
	return (f.ID == "" || r.ID == f.ID) && (f.Group == "" || r.GroupID == f.Group) && (f.Scenario == "" || r.ScenarioID == f.Scenario) &&
		(f.Status == "" || r.Status == f.Status) && (f.Environment == "" || r.Environment == f.Environment) &&
		(f.From.IsZero() || !r.CreatedAt.Before(f.From)) && (f.Until.IsZero() || r.CreatedAt.Before(f.Until)) &&
		(!f.OnePerGroup || r.LastAttempt) && (f.AllRevisions || r.Newest)
}

// ReportsOnTheWay are the reports behind a place, so many, on the way that a filter
// goes. Not all of them match.
func (s *Store) ReportsOnTheWay(ctx context.Context, f *ReportFilter, at ReportPlace, page int) ([]ListedReport, error) {
	all, err := s.reportsOnTheWay(ctx, f, at, page)
	if err != nil {
		return nil, err
	}
	return all, s.attempts(ctx, all)
}

// attempts says of reports of groups which is that of the last attempt.
func (s *Store) attempts(ctx context.Context, all []ListedReport) error {
	type group struct{ id, scenario string }
	of := map[group][]*ListedReport{}
	var groups, scenarios []string
	for i := range all {
		r := &all[i]
		g := group{r.GroupID, r.ScenarioID}
		if g.id == "" {
			continue
		}
		if of[g] == nil {
			groups, scenarios = append(groups, g.id), append(scenarios, g.scenario)
		}
		of[g] = append(of[g], r)
	}
	if len(groups) == 0 {
		return nil
	}
	rows, err := s.q.LastAttempts(ctx, groups, scenarios)
	if err != nil {
		return interpret("find last attempts", err)
	}
	for _, row := range rows {
		last := RunKey{execution.ID(row.ExecutionID), execution.RunNumber(row.Run)}
		for _, r := range of[group{row.GroupID, row.ScenarioID}] {
			r.LastAttempt, r.Attempts = r.RunKey == last, row.Attempts
		}
	}
	return nil
}

func (s *Store) reportsOnTheWay(ctx context.Context, f *ReportFilter, at ReportPlace, page int) ([]ListedReport, error) {
	if f.ID != "" {
		before, revision := int32(at.Number), at.Revision
		if before == 0 {
			before = math.MaxInt32
		}
		rows, err := s.q.ReportsOfID(ctx, dbsqlc.ReportsOfIDParams{ExecutionID: string(f.ID), BeforeRun: before, BeforeRevision: revision, Page: int32(page)})
		return listedFromRows(rows, err, func(r *dbsqlc.ReportsOfIDRow) *dbsqlc.ReportsByCreationRow { return (*dbsqlc.ReportsByCreationRow)(r) })
	}
	p := dbsqlc.ReportsByCreationParams{Before: at.CreatedAt, BeforeID: string(at.ID), BeforeRun: int32(at.Number), BeforeRevision: at.Revision, Since: f.From, Page: int32(page)}
	if at == (ReportPlace{}) {
		if p.Before = f.Until; f.Until.IsZero() {
			p.Before = endOfTime
		}
	}
	switch {
	case f.Group != "":
		rows, err := s.q.ReportsOfGroup(ctx, dbsqlc.ReportsOfGroupParams{GroupID: f.Group, Before: p.Before, BeforeID: p.BeforeID, BeforeRun: p.BeforeRun, BeforeRevision: p.BeforeRevision, Since: p.Since, Page: p.Page})
		return listedFromRows(rows, err, func(r *dbsqlc.ReportsOfGroupRow) *dbsqlc.ReportsByCreationRow {
			return (*dbsqlc.ReportsByCreationRow)(r)
		})
	case f.Scenario != "":
		rows, err := s.q.ReportsOfScenario(ctx, dbsqlc.ReportsOfScenarioParams{ScenarioID: f.Scenario, Before: p.Before, BeforeID: p.BeforeID, BeforeRun: p.BeforeRun, BeforeRevision: p.BeforeRevision, Since: p.Since, Page: p.Page})
		return listedFromRows(rows, err, func(r *dbsqlc.ReportsOfScenarioRow) *dbsqlc.ReportsByCreationRow {
			return (*dbsqlc.ReportsByCreationRow)(r)
		})
	case f.Status != "":
		rows, err := s.q.ReportsOfStatus(ctx, dbsqlc.ReportsOfStatusParams{Status: string(f.Status), Before: p.Before, BeforeID: p.BeforeID, BeforeRun: p.BeforeRun, BeforeRevision: p.BeforeRevision, Since: p.Since, Page: p.Page})
		return listedFromRows(rows, err, func(r *dbsqlc.ReportsOfStatusRow) *dbsqlc.ReportsByCreationRow {
			return (*dbsqlc.ReportsByCreationRow)(r)
		})
	default:
		rows, err := s.q.ReportsByCreation(ctx, p)
		return listedFromRows(rows, err, func(r *dbsqlc.ReportsByCreationRow) *dbsqlc.ReportsByCreationRow { return r })
	}
}

func listedFromRows[R any](rows []R, err error, row func(*R) *dbsqlc.ReportsByCreationRow) ([]ListedReport, error) {
	if err != nil {
		return nil, interpret("list reports", err)
	}
	out := make([]ListedReport, len(rows))
	for i := range rows {
		out[i] = listedFromRow(row(&rows[i]))
	}
	return out, nil
}

// ReportName is a frozen report.
type ReportName struct {
	RunKey
	Revision int32
}

// ReportsAfter is a page of all frozen reports, by run and revision.
func (s *Store) ReportsAfter(ctx context.Context, after ReportName, page int) ([]ReportName, error) {
	rows, err := s.q.ReportKeys(ctx, dbsqlc.ReportKeysParams{AfterID: string(after.ID), AfterRun: int32(after.Number), AfterRevision: after.Revision, Page: int32(page)})
	if err != nil {
		return nil, interpret("list reports", err)
	}
	out := make([]ReportName, len(rows))
	for i, r := range rows {
		out[i] = ReportName{RunKey{execution.ID(r.ExecutionID), execution.RunNumber(r.Run)}, r.Revision}
	}
	return out, nil
}
