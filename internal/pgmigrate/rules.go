package pgmigrate

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/schemadiff"
)

// Our own rules, beside Atlas's.
const (
	// CodeConcurrently: CONCURRENTLY cannot run in a transaction, and a file
	// runs in one unless it begins with "-- atlas:txmode none".
	CodeConcurrently = "TC101"
	// CodeNotAlone: outside a transaction a file that fails half-way stays
	// half-way, so it holds one statement.
	CodeNotAlone = "TC102"
	// CodePrivilege: the role of a shared installation may not create schemas,
	// roles, databases or extensions.
	CodePrivilege = "TC103"
	// CodeAnalytics: analysts rely on the columns of analytics_ views.
	CodeAnalytics = "TC104"
	// CodePartition: Atlas does not see a partition go, with its rows.
	CodePartition = "TC105"
)

var (
	concurrently = regexp.MustCompile(`(?i)\bCONCURRENTLY\b`)
	privileged   = regexp.MustCompile(`(?i)^(?:CREATE|ALTER|DROP)\s+(?:SCHEMA|ROLE|USER|GROUP|DATABASE|EXTENSION|TABLESPACE)\b`)
)

func ownRules(r *report, differences []schemadiff.Difference) {
	transactional, err := inTransaction(r.file)
	if err != nil {
		r.add(0, CodeNotAlone, err.Error())
	}
	if !transactional && len(r.stmts) > 1 {
		r.add(r.stmts[1].Pos, CodeNotAlone, fmt.Sprintf("A file outside a transaction holds one statement, this one %d", len(r.stmts)))
	}
	for _, stmt := range r.stmts {
		if transactional && concurrently.MatchString(stmt.Text) {
			r.add(stmt.Pos, CodeConcurrently, "CONCURRENTLY needs a file of its own that begins with -- atlas:txmode none")
		}
		if privileged.MatchString(stmt.Text) {
			r.add(stmt.Pos, CodePrivilege, "The role of a shared installation may not run this statement")
		}
	}
	for _, difference := range differences {
		switch {
		case difference.Kind == "view" && strings.Contains(difference.Name, ".analytics_"):
			for _, column := range lostColumns(difference) {
				r.add(r.place(difference.Name), CodeAnalytics, fmt.Sprintf("%s no longer has the %s, on which analysts rely", difference.Name, column))
			}
		case difference.Removed && isPartition(difference):
			r.add(r.place(difference.Name), CodePartition, fmt.Sprintf("Dropping partition %s drops its rows", difference.Name))
		}
	}
}

// lostColumns lists the columns, name and type, that only the former view has.
func lostColumns(difference schemadiff.Difference) []string {
	var lost []string
	for _, line := range difference.Lines {
		if line.Sign == '-' && strings.HasPrefix(line.Text, "column ") {
			lost = append(lost, line.Text)
		}
	}
	return lost
}

func isPartition(difference schemadiff.Difference) bool {
	for _, line := range difference.Lines {
		if strings.HasPrefix(line.Text, "partition of ") {
			return true
		}
	}
	return false
}

// place is where the file first names an object, or its begin.
func (r *report) place(name string) int {
	for _, stmt := range r.stmts {
		if strings.Contains(plain(stmt.Text), name) {
			return stmt.Pos
		}
	}
	return 0
}
