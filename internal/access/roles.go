package access

import (
	"context"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// Role is what a caller is to the service.
type Role string

// The roles.
const (
	Reader      Role = "reader"      // reads
	Coordinator Role = "coordinator" // reads, and writes as a coordinator does
	Operator    Role = "operator"    // may do everything
)

// Roles are all roles, from the one that may do least.
func Roles() []Role { return []Role{Reader, Coordinator, Operator} }

// May tells whether the role may call a procedure that does this.
func (r Role) May(do contract.Access) bool {
	switch do {
	case contract.Access_ACCESS_READ:
		return r == Reader || r == Coordinator || r == Operator
	case contract.Access_ACCESS_WRITE:
		return r == Coordinator || r == Operator
	case contract.Access_ACCESS_OPERATE:
		return r == Operator
	default: // not stated, or of a newer contract
		return false
	}
}

// Anonymous is the name of every caller where nobody is asked.
const Anonymous = "anonymous"

// Caller is who calls. The zero value may do nothing.
type Caller struct {
	Name string // as in the access file; for the audit log
	Role Role
}

type callerKey struct{}

// WithCaller is ctx with a caller in it.
func WithCaller(ctx context.Context, caller Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// CallerFrom is who makes the call that ctx belongs to. It is false where
// nobody was asked: outside a call, and in procedures that are open to all.
func CallerFrom(ctx context.Context) (Caller, bool) {
	caller, ok := ctx.Value(callerKey{}).(Caller)
	return caller, ok
}
