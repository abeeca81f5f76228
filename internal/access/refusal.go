package access

import (
	"fmt"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// Reasons of refusals, as in the ErrorInfo of an answer.
const (
	ReasonMissing       = "credentials_missing"
	ReasonMalformed     = "credentials_malformed"
	ReasonUnknown       = "credentials_unknown"
	ReasonExpired       = "credentials_expired"
	ReasonNotListed     = "certificate_not_listed"
	ReasonAmbiguous     = "certificate_ambiguous"
	ReasonRole          = "role_not_allowed"
	ReasonNoRule        = "procedure_without_rule"
	ReasonNoProcedure   = "procedure_unknown"
	ReasonNotConfigured = "access_not_configured"
	ReasonNotLocal      = "not_from_this_machine"
	ReasonCrossOrigin   = "cross_origin"
	ReasonNotGuarded    = "not_guarded"
)

// refusal is why a call goes no further. Its text says what to do next.
type refusal struct {
	code     connect.Code
	reason   string
	text     string
	metadata map[string]string
}

func (f *refusal) Error() string { return f.text }

// wire is the refusal as the API answers it.
func (f *refusal) wire() *connect.Error {
	err := connect.NewError(f.code, f)
	if detail, failed := connect.NewErrorDetail(&errdetails.ErrorInfo{
		Reason: f.reason, Domain: "tcda", Metadata: f.metadata,
	}); failed == nil { // it does not: the message is ours
		err.AddDetail(detail)
	}
	return err
}

// challenge says in the headers of an answer what is missing. It is no part of
// the error itself, whose metadata gRPC sends as trailers: this is none.
func (f *refusal) challenge(w http.ResponseWriter) {
	if f.code == connect.CodeUnauthenticated {
		w.Header().Set("WWW-Authenticate", `Bearer realm="tcda"`)
	}
}

// page is the refusal as a page answers it.
func (f *refusal) page(w http.ResponseWriter) {
	status := http.StatusForbidden
	if f.code == connect.CodeUnauthenticated {
		status = http.StatusUnauthorized
	}
	http.Error(w, f.text, status)
}

func unauthenticated(reason, text string) *refusal {
	return &refusal{code: connect.CodeUnauthenticated, reason: reason, text: text}
}

func denied(reason, text string, metadata map[string]string) *refusal {
	return &refusal{code: connect.CodePermissionDenied, reason: reason, text: text, metadata: metadata}
}

func missing() *refusal {
	return unauthenticated(ReasonMissing,
		"who calls? Send the header Authorization: Bearer TOKEN, with a token that tcda access token made, or show a client certificate that the access file lists")
}

// roleNotAllowed tells which roles would be.
func roleNotAllowed(caller Caller, p Procedure) *refusal {
	var may []string
	for _, role := range Roles() {
		if role.May(p.Access) {
			may = append(may, string(role))
		}
	}
	metadata := map[string]string{"procedure": p.Name, "caller": caller.Name, "role": string(caller.Role)}
	if len(may) == 0 {
		return denied(ReasonNoRule, fmt.Sprintf("nobody may call %s: no rule stands beside it in its proto file", p.Name), metadata)
	}
	metadata["allowed_roles"] = strings.Join(may, ",")
	return denied(ReasonRole, fmt.Sprintf("%s is a %s and may not call %s, which takes the role %s: call as somebody who has it, or have the access file changed",
		caller.Name, caller.Role, p.Name, strings.Join(may, " or ")), metadata)
}

// admit is nil if the caller may call the procedure.
func (p Procedure) admit(caller Caller) *refusal {
	if caller.Role.May(p.Access) {
		return nil
	}
	return roleNotAllowed(caller, p)
}

// anyRole is the rule of pages.
var anyRole = Procedure{Name: "this page", Access: contract.Access_ACCESS_READ}
