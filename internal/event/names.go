package event

import (
	"slices"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Attributes are the names of the attributes that contract version 1 knows.
// The others of an event are in Header.Extensions.
func Attributes() []string {
	return []string{
		"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "sequence", "runid", "traceparent", "correlationid",
	}
}

// FieldNames are the proto names of all fields in the data of a type, sorted,
// as paths like those in Header.Unknown, but without the index of an element:
// "trigger.type", "lines[].message". None for a type that is not of the contract.
func FieldNames(typ fact.Type) []string {
	k, ok := kinds[typ]
	if !ok {
		return nil
	}
	names := k.plan.names("")
	slices.Sort(names)
	return names
}

func (plan *messagePlan) names(within string) []string {
	var names []string
	for _, field := range plan.fields {
		name := within + field.name
		names = append(names, name)
		switch {
		case field.nested == nil:
		case field.isList:
			names = append(names, field.nested.names(name+"[].")...)
		default:
			names = append(names, field.nested.names(name+".")...)
		}
	}
	return names
}
