package access

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// apiPackage is the proto package of our services.
const apiPackage = "testcoordination.v1"

// Procedure is one that can be called, and what it does.
type Procedure struct {
	Name    string          // as in the URL: /testcoordination.v1.ScenarioService/GetScenario
	Access  contract.Access // unspecified: nobody may call it
	Streams bool            // either side may send more than one message
}

// Procedures lists those of our services in files, with the rule that stands
// beside each in its proto file.
func Procedures(files *protoregistry.Files) []Procedure {
	var all []Procedure
	files.RangeFilesByPackage(apiPackage, func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				method := service.Methods().Get(j)
				rule, _ := proto.GetExtension(method.Options(), contract.E_Access).(contract.Access)
				all = append(all, Procedure{
					Name:    fmt.Sprintf("/%s/%s", service.FullName(), method.Name()),
					Access:  rule,
					Streams: method.IsStreamingClient() || method.IsStreamingServer(),
				})
			}
		}
		return true
	})
	return all
}

// openProcedures may be called by everybody, as /livez may: load balancers have
// no token.
var openProcedures = map[string]bool{
	"/grpc.health.v1.Health/Check": true,
	"/grpc.health.v1.Health/Watch": true,
}

// foreignProcedures are not ours, so that their rules stand here. Reflection
// tells what there is to call, which takes any role.
var foreignProcedures = []Procedure{
	{Name: "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Access: contract.Access_ACCESS_READ, Streams: true},
	{Name: "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Access: contract.Access_ACCESS_READ, Streams: true},
}

// rules are the procedures that take a role, by name.
func rules(files *protoregistry.Files) map[string]Procedure {
	byName := make(map[string]Procedure)
	for _, p := range append(Procedures(files), foreignProcedures...) {
		byName[p.Name] = p
	}
	return byName
}
