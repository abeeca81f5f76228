package event

import (
	"errors"
	"fmt"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// idPattern is how the .proto files write the rule of ids; isID is the same.
const idPattern = "^[A-Za-z0-9][A-Za-z0-9._:-]{0,199}$"

// isID tells whether text is an identifier that the service accepts.
func isID(text string) bool {
	if text == "" || len(text) > 200 {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '.' || c == '_' || c == ':' || c == '-'):
		default:
			return false
		}
	}
	return true
}

// checkRules holds a message to the rules of the .proto files.
func checkRules(validator protovalidate.Validator, m proto.Message) *fact.Rejection {
	err := validator.Validate(m)
	if err == nil {
		return nil
	}
	var invalid *protovalidate.ValidationError
	if !errors.As(err, &invalid) || len(invalid.Violations) == 0 {
		// The rules themselves do not compile or run; every golden event would show it.
		return fact.Reject(fact.ReasonSchema, "data", "", "the rules of "+string(m.ProtoReflect().Descriptor().FullName())+": "+err.Error())
	}
	violation := invalid.Violations[0]
	field := within("data", protovalidate.FieldPathString(violation.Proto.GetField()))
	id := violation.Proto.GetRuleId()
	if id == "required" {
		return fact.Reject(fact.ReasonSchema, field, "", "required")
	}
	if id == "string.pattern" && violation.RuleValue.String() == idPattern {
		return fact.Reject(fact.ReasonID, field, violation.FieldValue.String(), "an id matches "+idPattern)
	}
	return fact.Reject(reasonOf(id), field, valueText(violation), violation.Proto.GetMessage())
}

// reasonOf maps the name of a standard rule to a reason of the closed list.
func reasonOf(rule string) fact.Reason {
	kind, _, _ := strings.Cut(rule, ".")
	switch {
	case rule == "double.finite":
		return fact.ReasonNumber
	case rule == "repeated.max_items":
		return fact.ReasonLimit
	case kind == "int32", kind == "int64", kind == "double", kind == "duration":
		return fact.ReasonRange
	default:
		return fact.ReasonSchema
	}
}

func valueText(violation *protovalidate.Violation) string {
	if !violation.FieldValue.IsValid() {
		return ""
	}
	switch value := violation.FieldValue.Interface().(type) {
	case string:
		return value
	case interface{ Interface() proto.Message }:
		if d, ok := value.Interface().(*durationpb.Duration); ok {
			return strings.Trim(string(appendDuration(nil, d)), `"`)
		}
		return ""
	case int32, int64, float64, bool:
		return fmt.Sprint(value)
	default:
		return ""
	}
}
