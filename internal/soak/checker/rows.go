package checker

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// unjudged are columns that no event decides: when and in how many steps the
// service wrote, and what it keeps for the next fold.
var unjudged = map[string]string{
	"executions":            "execution_id run bucket version marks created_at updated_at settled_change_at",
	"execution_details":     "execution_id run",
	"execution_events":      "bucket execution_id run arrival digest digest_version run_guessed time_suspect topic partition kafka_offset recorded_at",
	"execution_phases":      "bucket execution_id run marks",
	"execution_steps":       "bucket execution_id run marks",
	"fault_injections":      "bucket execution_id run marks",
	"validation_results":    "bucket execution_id run",
	"system_snapshots":      "bucket execution_id run",
	"execution_logs":        "bucket execution_id run",
	"execution_annotations": "bucket execution_id run",
	"definition_events":     "digest digest_version time_suspect topic partition kafka_offset recorded_at",
	"templates":             "version marks changed_at",
	"template_versions":     "marks",
	"scenarios":             "version marks changed_at",
	"scenario_versions":     "marks",
	"schedules":             "version marks changed_at",
}

// compare holds a row to what it must say. A column that nobody judges is a
// finding, too: it is new, and the checker does not know it.
func (r *Report) compare(where, table string, got, want Row) {
	for column, value := range want {
		held, ok := got[column]
		if !ok {
			r.add(Finding{Wrong, where, table + "." + column, "no column", show(value)})
		} else if !equal(held, value) {
			r.add(Finding{Wrong, where, table + "." + column, show(held), show(value)})
		}
	}
	for column := range got {
		if _, judged := want[column]; !judged && !hasWord(unjudged[table], column) {
			r.add(Finding{Wrong, where, table + "." + column, "a column that the checker does not know", "one that it judges"})
		}
	}
}

func hasWord(words, word string) bool {
	for w := range strings.FieldsSeq(words) {
		if w == word {
			return true
		}
	}
	return false
}

func equal(got, want any) bool {
	switch want := want.(type) {
	case time.Time:
		held, ok := got.(time.Time)
		return ok && held.Equal(want.Truncate(time.Microsecond))
	case []byte:
		held, ok := got.([]byte)
		return ok && bytes.Equal(held, want)
	case anyJSON:
		raw, ok := got.(json.RawMessage)
		var held any
		return ok && json.Unmarshal(raw, &held) == nil && reflect.DeepEqual(held, want.value)
	}
	return reflect.DeepEqual(got, want)
}

func show(v any) string {
	const enough = 200
	var text string
	switch v := v.(type) {
	case nil:
		return "NULL"
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case []byte:
		return hex.EncodeToString(v[:min(len(v), enough/2)])
	case anyJSON:
		b, _ := json.Marshal(v.value) // what came from JSON has such a form
		text = string(b)
	case json.RawMessage:
		text = string(v)
	default:
		text = fmt.Sprintf("%q", fmt.Sprint(v))
	}
	return text[:min(len(text), enough)]
}

// The values of columns that must be there; a row that lacks one is caught by
// compare.

func (r Row) text(column string) string {
	s, _ := r[column].(string)
	return s
}

func (r Row) number(column string) int64 {
	n, _ := r[column].(int64)
	return n
}

func (r Row) flag(column string) bool {
	b, _ := r[column].(bool)
	return b
}

func (r Row) bytes(column string) []byte {
	b, _ := r[column].([]byte)
	return b
}

// written is when the service wrote the row of an event, by its clock.
func (r Row) written() time.Time {
	t, _ := r["recorded_at"].(time.Time)
	return t
}

// address is where the record of a row lies; ok is false for an event of the
// service's own.
func (r Row) address() (at Address, ok bool) {
	topic, ok := r["topic"].(string)
	return Address{topic, int32(r.number("partition")), r.number("kafka_offset")}, ok //nolint:gosec // a partition's number
}
