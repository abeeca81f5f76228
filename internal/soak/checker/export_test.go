package checker

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
)

// Decode tells what a record is: an event in words, or the reason why it is none.
func Decode(r Record, ahead time.Time) (event, reason string) {
	e, reason := decode(&r, ahead)
	if reason != "" {
		return "", reason
	}
	text, err := prototext.MarshalOptions{Multiline: false}.Marshal(e.message)
	if err != nil {
		return "", err.Error()
	}
	return fmt.Sprintf("%s %s of %s by %s at %s, number %d of %q, suspect %t: %s %x", e.name, e.id, e.subject, e.source, e.when, e.sequence, e.runID, e.suspect, strings.Join(strings.Fields(string(text)), " "), e.key), ""
}
