package access_test

import (
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/access"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// unruledIn are the procedures that nobody may call.
func unruledIn(files *protoregistry.Files) []string {
	var names []string
	for _, p := range access.Procedures(files) {
		if p.Access == contract.Access_ACCESS_UNSPECIFIED {
			names = append(names, p.Name)
		}
	}
	return names
}

// Every procedure of the API says in its proto file who may call it.
func TestEveryProcedureHasARule(t *testing.T) {
	t.Parallel()
	if all := access.Procedures(protoregistry.GlobalFiles); len(all) < 20 {
		t.Errorf("only %d procedures are looked at", len(all))
	}
	for _, name := range unruledIn(protoregistry.GlobalFiles) {
		t.Errorf("%s has no rule: write option (access) = ACCESS_.. beside it in its proto file", name)
	}
	// And one that does not would be found.
	if found := unruledIn(things(t)); len(found) != 1 || found[0] != unruled {
		t.Errorf("procedures without a rule are %q, want %q", found, unruled)
	}
}

func TestWhatRolesMay(t *testing.T) {
	t.Parallel()
	for role, may := range map[access.Role][5]bool{ // unspecified, read, write, operate, not known yet
		access.Reader:      {false, true, false, false, false},
		access.Coordinator: {false, true, true, false, false},
		access.Operator:    {false, true, true, true, false},
		"":                 {false, false, false, false, false},
		"admin":            {false, false, false, false, false},
	} {
		for do, want := range may {
			if got := role.May(contract.Access(do)); got != want {
				t.Errorf("role %q may do %v: %t, want %t", role, contract.Access(do), got, want)
			}
		}
	}
}

// The matrix over the wire, in each protocol.
func TestWhoMayCallWhat(t *testing.T) {
	t.Parallel()
	reader, line1 := tokenEntry("ci", access.Reader)
	coordinator, line2 := tokenEntry("coordinator-1", access.Coordinator)
	operator, line3 := tokenEntry("ann", access.Operator)
	unknown, _ := access.NewToken()
	s := serve(t, access.Config{File: file(t, "access.yaml", line1+line2+line3)})
	for protocol, options := range map[string][]connect.ClientOption{
		"Connect": nil, "Connect with JSON": {connect.WithProtoJSON()}, "gRPC": {connect.WithGRPC()}, "gRPC-Web": {connect.WithGRPCWeb()},
	} {
		for _, who := range []struct {
			token, is string
			may       []string
		}{
			{reader, "ci is reader", []string{read}},
			{coordinator, "coordinator-1 is coordinator", []string{read, write}},
			{operator, "ann is operator", []string{read, write, operate}},
		} {
			client := s.by(t, who.token, options...)
			may := make(map[string]bool)
			for _, procedure := range who.may {
				may[procedure] = true
			}
			for _, procedure := range []string{read, write, operate, unruled} {
				got, err := client.call(t, procedure)
				switch {
				case may[procedure]:
					if err != nil || got != who.is {
						t.Errorf("%s: %s: got %q, %v; want %q", protocol, procedure, got, err, who.is)
					}
				case procedure == unruled:
					refused(t, err, connect.CodePermissionDenied, access.ReasonNoRule)
				default:
					refused(t, err, connect.CodePermissionDenied, access.ReasonRole)
					if info := errorInfo(err); info.GetMetadata()["procedure"] != procedure || info.GetMetadata()["allowed_roles"] == "" {
						t.Errorf("%s: metadata are %v", protocol, info.GetMetadata())
					}
				}
			}
			if stream, first := client.watch(t, watch); first != who.is || stream.Close() != nil {
				t.Errorf("%s: the stream says %q, want %q", protocol, first, who.is)
			}
		}
		nobody, stranger := s.by(t, "", options...), s.by(t, unknown, options...)
		for _, procedure := range []string{read, write, operate, unruled, "/testcoordination.v1.ThingService/NoThing", "/"} {
			_, err := nobody.call(t, procedure)
			refused(t, err, connect.CodeUnauthenticated, access.ReasonMissing)
			_, err = stranger.call(t, procedure)
			refused(t, err, connect.CodeUnauthenticated, access.ReasonUnknown)
		}
		_, err := s.by(t, operator, options...).call(t, "/testcoordination.v1.ThingService/NoThing")
		refused(t, err, connect.CodeUnimplemented, access.ReasonNoProcedure)
	}
}
