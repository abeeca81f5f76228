package pgmigrate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"ariga.io/atlas/sql/migrate"
)

// Report is what a database has of the migrations, and what it lacks.
type Report struct {
	Current string    `json:"current"` // latest applied version, empty before the first
	Latest  string    `json:"latest"`  // latest version of the directory
	Applied []Applied `json:"applied"`
	Pending []string  `json:"pending"` // versions that Up would apply

	// What keeps Up from running; see HistoryError.
	Unknown []string `json:"unknown,omitempty"` // applied, but not in the directory
	Edited  []string `json:"edited,omitempty"`  // applied with another content
	Late    []string `json:"late,omitempty"`    // not applied although a later one is
	Partial []string `json:"partial,omitempty"` // begun outside a transaction and not ended
}

// Applied is one recorded migration.
type Applied struct {
	Version     string        `json:"version"`
	Description string        `json:"description"`
	At          time.Time     `json:"at"`
	Took        time.Duration `json:"took_ns"`
	Operator    string        `json:"operator"`
	Kind        string        `json:"kind"` // "applied", "baseline", "manually set"
	Error       string        `json:"error,omitempty"`
}

// Status compares a database with the migrations. It writes nothing: a
// database without a revisions table has no migration applied.
func Status(ctx context.Context, databaseURL string, opts Options) (Report, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return Report{}, err
	}
	dir, err := loadDir(opts.Migrations)
	if err != nil {
		return Report{}, err
	}
	db, err := open(databaseURL)
	if err != nil {
		return Report{}, err
	}
	defer db.Close() //nolint:errcheck // nothing is buffered in it

	table := newRevisions(db, opts.RevisionsSchema)
	installed, err := table.exists(ctx)
	if err != nil {
		return Report{}, err
	}
	var applied []*migrate.Revision
	if installed {
		if applied, err = table.ReadRevisions(ctx); err != nil {
			return Report{}, err
		}
	}
	past, err := readHistory(dir, applied)
	if err != nil {
		return Report{}, err
	}
	return past.report(), nil
}

// Pending tells whether the database has exactly the schema that this program
// was built with: nil, or a *VersionError that says which of the two is older,
// or a *HistoryError. The service asks at its start.
func Pending(ctx context.Context, databaseURL string, opts Options) error {
	report, err := Status(ctx, databaseURL, opts)
	if err != nil {
		return err
	}
	return report.Err()
}

// Err is nil if the database has all migrations and no other.
func (r Report) Err() error {
	switch {
	case len(r.Edited) > 0 || len(r.Partial) > 0 || len(r.Late) > 0 && len(r.Unknown) == 0:
		return &HistoryError{Edited: r.Edited, Late: r.Late, Partial: r.Partial}
	case len(r.Unknown) > 0 || len(r.Pending) > 0:
		return &VersionError{Database: r.Current, Program: r.Latest, Pending: r.Pending, Unknown: r.Unknown}
	default:
		return nil
	}
}

// IsMismatch tells whether err says that the schema is another program's, a
// *VersionError or a *HistoryError: trying again does not mend it.
func IsMismatch(err error) bool {
	var version *VersionError
	var history *HistoryError
	return errors.As(err, &version) || errors.As(err, &history)
}

// VersionError says that database and program are of different versions.
type VersionError struct {
	Database string   // latest version applied, empty if none
	Program  string   // latest version that the program knows
	Pending  []string // known, not applied: the database is older
	Unknown  []string // applied, not known: the database is newer
}

// Error implements error.
func (e *VersionError) Error() string {
	switch {
	case e.Database == "":
		return "the database has no schema yet: run tcda migrate up"
	case len(e.Unknown) == 0:
		return fmt.Sprintf("the database is at migration %s, this program needs %s: run tcda migrate up", e.Database, e.Program)
	case len(e.Pending) == 0:
		return fmt.Sprintf("the database is at migration %s, newer than this program, which knows up to %s: upgrade the program",
			e.Database, e.Program)
	default:
		return fmt.Sprintf("the database has migrations that this program does not know (%s) and lacks others (%s): they come from different branches",
			strings.Join(e.Unknown, ", "), strings.Join(e.Pending, ", "))
	}
}

// HistoryError says that what was applied to a database is not what the
// migration directory holds, so that nothing may be applied on top.
type HistoryError struct {
	Unknown []string
	Edited  []string
	Late    []string
	Partial []string
}

// Error implements error.
func (e *HistoryError) Error() string {
	var problems []string
	if len(e.Unknown) > 0 {
		problems = append(problems, fmt.Sprintf("%s was applied but is not among the migrations: the database is newer than this program",
			strings.Join(e.Unknown, ", ")))
	}
	if len(e.Edited) > 0 {
		problems = append(problems, fmt.Sprintf("%s was edited after it had been applied: restore the file and write a new migration",
			strings.Join(e.Edited, ", ")))
	}
	if len(e.Late) > 0 {
		problems = append(problems, fmt.Sprintf("%s comes before a migration that is applied already: give the file a later version",
			strings.Join(e.Late, ", ")))
	}
	if len(e.Partial) > 0 {
		problems = append(problems, fmt.Sprintf("%s was applied in part: run tcda migrate up", strings.Join(e.Partial, ", ")))
	}
	return strings.Join(problems, "; ")
}

// conflict is what keeps Up from running. A file that was applied in part is
// none: the executor goes on after its last statement.
func (h history) conflict() error {
	found := &HistoryError{Unknown: h.unknown(), Edited: h.edited(), Late: h.late()}
	if len(found.Unknown) == 0 && len(found.Edited) == 0 && len(found.Late) == 0 {
		return nil
	}
	return found
}

func (h history) report() Report {
	report := Report{
		Applied: []Applied{}, Pending: []string{},
		Unknown: h.unknown(), Edited: h.edited(), Late: h.late(), Partial: h.partial(),
	}
	for _, rev := range h.applied {
		report.Current = rev.Version
		report.Applied = append(report.Applied, Applied{
			Version: rev.Version, Description: rev.Description, At: rev.ExecutedAt, Took: rev.ExecutionTime,
			Operator: rev.OperatorVersion, Kind: rev.Type.String(), Error: rev.Error,
		})
	}
	for _, file := range h.pending() {
		report.Pending = append(report.Pending, file.Version())
	}
	if n := len(h.files); n > 0 {
		report.Latest = h.files[n-1].Version()
	}
	return report
}

// checksumError says which file differs from atlas.sum, which Atlas's message leaves out.
func checksumError(err error) error {
	var sum *migrate.ChecksumError
	switch {
	case errors.As(err, &sum):
		return fmt.Errorf("migration %s was %s without renewing %s: %w", sum.File, sum.Reason, migrate.HashFileName, err)
	case errors.Is(err, migrate.ErrChecksumNotFound):
		return fmt.Errorf("the migrations have no %s: %w", migrate.HashFileName, err)
	default:
		return fmt.Errorf("check %s: %w", migrate.HashFileName, err)
	}
}
