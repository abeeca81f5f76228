package event

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// fieldsPerToken is how many protobuf fields one JSON token takes at most: an
// element of a free list is a value and its kind, a member of a free object is
// an entry, its name, a value and its kind, for two tokens.
const fieldsPerToken = 2

// fieldBytes is the least that a field takes: its number and a byte.
const fieldBytes = 2

// measure counts the fields before a message is made of them. An empty element
// takes two bytes in a record and a hundred in memory, so that the limits of a
// message that has been made would come too late.
func (r *wireReader) measure(data []byte, plan *messagePlan, desc protoreflect.MessageDescriptor) *fact.Rejection {
	most := len(data) / fieldBytes
	for _, field := range plan.fields {
		if field.maxItems == 0 || most <= field.maxItems {
			continue
		}
		if count := occurrences(data, field.number); count > field.maxItems {
			r.path.enter(field.name)
			return r.tooMany(field.maxItems)
		}
	}
	if most > fieldsPerToken*r.maxTokens && countFields(data, desc, fieldsPerToken*r.maxTokens, 0) < 0 {
		return r.tooManyTokens()
	}
	return nil
}

// occurrences counts a field in the outermost message. Bytes that are no
// protobuf end the count; the library tells what is wrong with them.
func occurrences(data []byte, number protowire.Number) int {
	count := 0
	for len(data) > 0 {
		n, _, size := protowire.ConsumeField(data)
		if size < 0 {
			return count
		}
		if n == number {
			count++
		}
		data = data[size:]
	}
	return count
}

// countFields takes the number of fields, at all depths, from left; below zero
// there are too many.
func countFields(data []byte, desc protoreflect.MessageDescriptor, left, depth int) int {
	for len(data) > 0 && left >= 0 {
		number, typ, size := protowire.ConsumeTag(data)
		if size < 0 {
			return left
		}
		left--
		data = data[size:]
		if size = protowire.ConsumeFieldValue(number, typ, data); size < 0 {
			return left
		}
		field := desc.Fields().ByNumber(number)
		// The library refuses what nests deeper than its 10,000 levels.
		if typ == protowire.BytesType && field != nil && field.Message() != nil && depth < protowire.DefaultRecursionLimit {
			nested, _ := protowire.ConsumeBytes(data)
			left = countFields(nested, field.Message(), left, depth+1)
		}
		data = data[size:]
	}
	return left
}
