package checker

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"mime"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// typePrefix begins the types of the contract, which end in typeSuffix.
const (
	typePrefix = "test-coordination."
	typeSuffix = ".v1"
)

// messages are the data of each type.
var messages = map[string]func() proto.Message{
	"template.published":             func() proto.Message { return &contract.TemplatePublished{} },
	"scenario.published":             func() proto.Message { return &contract.ScenarioPublished{} },
	"scenario.status_changed":        func() proto.Message { return &contract.ScenarioStatusChanged{} },
	"scenario.dependencies_declared": func() proto.Message { return &contract.ScenarioDependenciesDeclared{} },
	"schedule.set":                   func() proto.Message { return &contract.ScheduleSet{} },
	"schedule.removed":               func() proto.Message { return &contract.ScheduleRemoved{} },
	"execution.requested":            func() proto.Message { return &contract.ExecutionRequested{} },
	"execution.started":              func() proto.Message { return &contract.ExecutionStarted{} },
	"execution.heartbeat":            func() proto.Message { return &contract.ExecutionHeartbeat{} },
	"execution.paused":               func() proto.Message { return &contract.ExecutionPaused{} },
	"execution.resumed":              func() proto.Message { return &contract.ExecutionResumed{} },
	"execution.phase_started":        func() proto.Message { return &contract.ExecutionPhaseStarted{} },
	"execution.phase_finished":       func() proto.Message { return &contract.ExecutionPhaseFinished{} },
	"execution.step_started":         func() proto.Message { return &contract.ExecutionStepStarted{} },
	"execution.step_finished":        func() proto.Message { return &contract.ExecutionStepFinished{} },
	"execution.fault_injected":       func() proto.Message { return &contract.ExecutionFaultInjected{} },
	"execution.fault_cleared":        func() proto.Message { return &contract.ExecutionFaultCleared{} },
	"execution.fault_recovered":      func() proto.Message { return &contract.ExecutionFaultRecovered{} },
	"execution.validation_recorded":  func() proto.Message { return &contract.ExecutionValidationRecorded{} },
	"execution.snapshot_captured":    func() proto.Message { return &contract.ExecutionSnapshotCaptured{} },
	"execution.log_appended":         func() proto.Message { return &contract.ExecutionLogAppended{} },
	"execution.finished":             func() proto.Message { return &contract.ExecutionFinished{} },
	"execution.interrupted":          func() proto.Message { return &contract.ExecutionInterrupted{} },
}

// order is the place of an event among those of its aggregate, in the bytes of
// the stored order key: big-endian sequence (2^53 for none), seconds,
// nanoseconds, event key. It compares as text does.
type order string

// event is a record that the contract accepts.
type event struct {
	at       Address
	name     string // the type without prefix and version
	source   string
	id       string
	subject  string
	when     time.Time
	sequence int64 // 0: none
	runID    string
	trace    string
	relates  string // correlationid
	others   map[string]any
	suspect  bool // dated in the far future
	message  proto.Message
	key      [sha256.Size]byte
	order    order
}

// Sum is by what a ledger knows a record.
func Sum(key, value []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(key) // never fails
	_, _ = h.Write([]byte{0xff})
	_, _ = h.Write(value)
	return h.Sum64()
}

func keyOf(source, id, subject string) [sha256.Size]byte {
	var b []byte
	for _, s := range []string{source, id, subject} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	return sha256.Sum256(b)
}

func orderOf(sequence int64, when time.Time, key [sha256.Size]byte) order {
	if sequence == 0 {
		sequence = 1 << 53
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(sequence)) //nolint:gosec // a sequence is positive
	b = binary.BigEndian.AppendUint64(b, uint64(when.Unix())) //nolint:gosec // so is a time after 2000
	b = binary.BigEndian.AppendUint32(b, uint32(when.Nanosecond()))
	return order(append(b, key[:]...))
}

// attributes are those of a CloudEvent, as texts.
type attributes map[string]string

// decode reads a record: an event, or the reason for which there is none.
// Times later than ahead are suspect.
func decode(r *Record, ahead time.Time) (*event, string) {
	switch {
	case r.Value == nil:
		return nil, "tombstone"
	case len(r.Value) == 0:
		return nil, "empty"
	case len(r.Key)+len(r.Value) > 1<<20:
		return nil, "too_large"
	}
	a, contentType, reason := headers(r)
	if reason != "" {
		return nil, reason
	}
	media, _, err := mime.ParseMediaType(contentType)
	if contentType != "" && err != nil {
		return nil, "unsupported"
	}
	if media == "application/cloudevents+json" || len(a) == 0 {
		return structured(r, ahead)
	}
	return judge(r.Address, a, nil, r.Value, media, false, ahead)
}

func headers(r *Record) (a attributes, contentType, reason string) {
	a = attributes{}
	for _, h := range r.Headers {
		name, attribute := strings.CutPrefix(h.Name, "ce_")
		if !attribute && h.Name != "content-type" {
			continue
		}
		switch {
		case !utf8.Valid(h.Value):
			return nil, "", "utf8"
		case bytes.IndexByte(h.Value, 0) >= 0:
			return nil, "", "nul"
		case attribute:
			a[name] = string(h.Value)
		default:
			contentType = string(h.Value)
		}
	}
	return a, contentType, ""
}

// structured reads a CloudEvent that is one JSON object.
func structured(r *Record, ahead time.Time) (*event, string) {
	a := attributes{}
	var others map[string]any
	var data []byte
	media, scanned := "application/json", false
	reason := scanMembers(r.Value, maxDepth+1, func(name string, value json.Token, raw []byte) string {
		switch text, isText := value.(string); {
		case name == "data":
			data, scanned = raw, true
		case name == "data_base64" && isText:
			decoded, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return "encoding"
			}
			data = decoded
		case isText:
			a[name] = text
		case name == "sequence": // CloudEvents has integers, too
			a[name] = string(raw)
		case value == nil: // not set
		default:
			if others == nil {
				others = map[string]any{}
			}
			var other any
			if json.Unmarshal(raw, &other) != nil {
				return "json"
			}
			others[name] = other
		}
		return ""
	})
	if reason != "" {
		return nil, reason
	}
	if given := a["datacontenttype"]; given != "" {
		media = given
	}
	return judge(r.Address, a, others, data, media, scanned, ahead)
}

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,199}$`)

// named are the attributes that the contract knows.
var named = map[string]bool{
	"specversion": true, "type": true, "source": true, "id": true, "subject": true, "time": true, "datacontenttype": true,
	"sequence": true, "runid": true, "traceparent": true, "correlationid": true,
}

// judge holds the attributes and the data to the contract; scanned data is known
// to be strict JSON.
func judge(at Address, a attributes, others map[string]any, data []byte, media string, scanned bool, ahead time.Time) (*event, string) {
	for _, required := range []string{"specversion", "type", "source", "id", "subject", "time"} {
		if a[required] == "" {
			return nil, "schema"
		}
	}
	e := &event{
		at: at, source: a["source"], id: a["id"], subject: a["subject"], runID: a["runid"], trace: a["traceparent"], relates: a["correlationid"],
		others: others,
	}
	for name, value := range a {
		if !named[name] {
			if e.others == nil {
				e.others = map[string]any{}
			}
			e.others[name] = value
		}
	}
	name, prefixed := strings.CutPrefix(a["type"], typePrefix)
	name, versioned := strings.CutSuffix(name, typeSuffix)
	message := messages[name]
	switch {
	case a["specversion"] != "1.0":
		return nil, "unsupported"
	case !prefixed || !versioned || message == nil || name == "execution.interrupted": // which only the service says
		return nil, "unsupported_type"
	case !idForm.MatchString(e.id) || !idForm.MatchString(e.subject):
		return nil, "id"
	}
	e.name = name
	var reason string
	if e.when, reason = moment(a["time"]); reason != "" {
		return nil, reason
	}
	e.suspect = e.when.After(ahead)
	if text := a["sequence"]; text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 || n > 1<<53-1 {
			return nil, "range"
		}
		e.sequence = n
	}
	e.message = message()
	if reason := read(e.message, data, media, scanned); reason != "" {
		return nil, reason
	}
	normalise(e.message)
	if reason := hold(e); reason != "" {
		return nil, reason
	}
	e.key = keyOf(e.source, e.id, e.subject)
	e.order = orderOf(e.sequence, e.when, e.key)
	return e, ""
}

var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$`)

func moment(text string) (time.Time, string) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !timeForm.MatchString(text) {
		return t, "time"
	}
	t = t.UTC()
	if t.Year() < 2000 || t.Year() > 9999 {
		return t, "time_range"
	}
	return t, ""
}

// read reads the data of an event.
func read(m proto.Message, data []byte, media string, scanned bool) string {
	looksLikeJSON := bytes.HasPrefix(bytes.TrimSpace(data), []byte("{"))
	switch media {
	case "application/protobuf":
		if looksLikeJSON {
			return "encoding"
		}
		if proto.Unmarshal(data, m) != nil {
			return "encoding"
		}
		m.ProtoReflect().SetUnknown(nil)
		return ""
	case "", "application/json":
		if !scanned {
			if reason := scan(data, maxDepth); reason != "" {
				return reason
			}
		}
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, m); err != nil {
			return "schema"
		}
		return ""
	}
	return "unsupported"
}

// normalise turns other words for the same into one.
func normalise(m proto.Message) {
	switch m := m.(type) {
	case *contract.ExecutionFinished:
		switch m.GetOutcome() {
		case "completed", "success":
			m.Outcome = "passed"
		case "stopped":
			m.Outcome = "cancelled"
		case "failure":
			m.Outcome = "failed"
		}
	case *contract.ExecutionLogAppended:
		for _, l := range m.GetLines() {
			l.Level = strings.ToLower(l.GetLevel())
		}
	}
}

// same tells whether two events of one identity say the same.
func same(a, b *event) bool {
	return a.name == b.name && a.when.Equal(b.when) && a.sequence == b.sequence && proto.Equal(a.message, b.message)
}
