package pgstore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Class says what a database error calls for.
type Class int

// The classes.
const (
	// Infrastructure: retry for ever with backoff. Everything not known to be
	// something else is of this class.
	Infrastructure Class = iota
	// Data: the database refuses the values of a record. Never retried; the
	// record is found by bisection and quarantined.
	Data
	// Bug: the statement and the schema do not fit each other. Stop; quarantine
	// nothing.
	Bug
)

// String is the class as logs name it.
func (c Class) String() string {
	switch c {
	case Data:
		return "data"
	case Bug:
		return "bug"
	case Infrastructure:
	}
	return "infrastructure"
}

var (
	// ErrFenced says that another worker owns the partition, or that a worker or
	// an operator has moved its position.
	ErrFenced = errors.New("fenced: another worker owns the partition, or a worker or an operator has moved it")
	// ErrInDoubt says that the connection was lost after COMMIT was sent, or while
	// it was being sent.
	ErrInDoubt = errors.New("outcome of commit unknown")
	// ErrRowsDropped says that the database has written fewer rows than it was
	// given, without an error, and they are committed: a trigger drops them.
	ErrRowsDropped = errors.New("the database drops rows")
	// ErrNotFound says that there is no such row.
	ErrNotFound = errors.New("not found")
)

// Error is a database error that has been read: what was being done, and what
// the error calls for.
type Error struct {
	Op         string // what was being done, as a verb phrase
	Class      Class
	SQLState   string // empty when the server did not speak
	Constraint string // of a violated constraint
	Unlisted   bool   // not a class of error that was expected: worth an alarm
	Err        error
}

// Error is one line.
func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap gives the driver's error.
func (e *Error) Unwrap() error { return e.Err }

// ClassOf is the class of an error of this package; Infrastructure for any
// other, because retrying is the answer that loses nothing.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return Infrastructure
}

// UnlistedState is the SQLSTATE of an error that nobody expected. It is retried
// like one of the infrastructure, but somebody should look at it.
func UnlistedState(err error) (state string, unlisted bool) {
	var e *Error
	if errors.As(err, &e) && e.Unlisted {
		return e.SQLState, true
	}
	return "", false
}

// TookTooLong tells whether the server ended a transaction for its length: a
// statement or the transaction ran, or the session sat idle, beyond its timeout.
func TookTooLong(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.SQLState == "57014" || e.SQLState == "25P03" || e.SQLState == "25P04")
}

// WaitedForLock tells whether a lock was not had in time.
func WaitedForLock(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.SQLState == "55P03"
}

// WasStoredAlready tells whether events could not be inserted because one of
// them is stored.
func WasStoredAlready(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Op == opInsertEvents && e.SQLState == "23505"
}

// ConstraintOf is the constraint that a record violates; empty when the
// database refuses it for another reason.
func ConstraintOf(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Constraint
}

// dataConstraints are violated by values of a record alone. Constraints that
// repeat rules which the decoder enforces first are here too: their violation
// is a record that slipped through, not a broken schema.
var dataConstraints = map[string]bool{
	"executions_status_check":               true,
	"executions_reported_outcome_check":     true,
	"executions_progress_check":             true,
	"execution_phases_status_check":         true,
	"execution_steps_kind_check":            true,
	"execution_steps_status_check":          true,
	"fault_injections_status_check":         true,
	"fault_injections_injection_check":      true,
	"validation_results_status_check":       true,
	"validation_results_steady_state_check": true,
	"system_snapshots_kind_check":           true,
	"scenarios_status_check":                true,
	"scenario_dependencies_kind_check":      true,
	"scenario_dependencies_self_check":      true,
	"scenario_dependencies_max_age_check":   true,
	"schedules_kind_check":                  true,
	"schedules_concurrency_policy_check":    true,
	"schedules_starting_deadline_check":     true,
}

// interpret is the one reader of database errors.
func interpret(op string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%s: %w", op, ErrNotFound)
	}
	if e := (*Error)(nil); errors.As(err, &e) || errors.Is(err, ErrFenced) {
		return err // of a statement before the one that was waited for
	}
	e := &Error{Op: op, Err: err}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		if isEncodeError(err) {
			e.Class = Data
		}
		return e
	}
	e.SQLState, e.Constraint = pg.Code, pg.ConstraintName
	e.Class, e.Unlisted = classify(pg)
	return e
}

// classify reads an SQLSTATE. Source: PostgreSQL documentation, appendix A.
func classify(pg *pgconn.PgError) (class Class, unlisted bool) {
	switch code := pg.Code; {
	case strings.HasPrefix(code, "22"), strings.HasPrefix(code, "54"):
		return Data, false
	case strings.HasPrefix(code, "23"):
		if dataConstraints[pg.ConstraintName] {
			return Data, false
		}
		return Bug, false // the caller tries three times first: racing writers see 23505, a missing partition 23514
	case strings.HasPrefix(code, "42"):
		return Bug, false
	}
	switch pg.Code {
	case "25P03", "25P04", "25006", "26000", "40001", "40P01":
		return Infrastructure, false
	}
	switch pg.Code[:min(2, len(pg.Code))] {
	case "08", "28", "53", "55", "57", "58", "XX":
		return Infrastructure, false
	}
	return Infrastructure, true
}

// isEncodeError tells whether pgx refused a value before it was sent. It has
// no type for that; the texts are those of pgx v5 (extended_query_builder.go,
// pgtype) and a test holds them.
func isEncodeError(err error) bool {
	s := err.Error()
	return strings.Contains(s, "failed to encode args[") || strings.Contains(s, "unable to encode")
}

// interpretCommit reads the outcome of COMMIT: an answer of the server is an
// answer; its silence, or the end of the session, is doubt.
func interpretCommit(err error) error {
	if err == nil {
		return nil
	}
	if refused(err) || errors.Is(err, pgx.ErrTxCommitRollback) || errors.Is(err, pgx.ErrTxClosed) {
		return interpret("commit", err)
	}
	return fmt.Errorf("%w: %w", ErrInDoubt, interpret("commit", err))
}

// refused tells whether an error is the server's answer to a statement. FATAL is
// none: it ends the session, before COMMIT or after it.
func refused(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.SeverityUnlocalized == "ERROR"
}

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }
