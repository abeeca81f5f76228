package chaostoolkit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/chaostoolkit"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

func journalText(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "journals", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func convert(t testing.TB, text []byte, o chaostoolkit.Options) *chaostoolkit.Converted {
	t.Helper()
	j, err := chaostoolkit.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	c, err := chaostoolkit.Convert(j, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What the journals of real runs come to; testdata/experiments has what was run.
func TestOutcomesOfRealRuns(t *testing.T) {
	t.Parallel()
	// How often there is an event of a type, in its short name.
	type counts map[string]int
	for name, want := range map[string]struct {
		outcome, why, scenario string
		events                 counts
	}{
		"passing": {
			"passed", "", "settlement-survives-a-restart",
			counts{"phase": 4, "step": 9, "fault": 3, "cleared": 3, "validation": 4, "log": 3},
		},
		"deviated": {
			"failed", "the steady state has deviated", "settlement-survives-going-away",
			counts{"phase": 4, "step": 5, "fault": 1, "cleared": 1, "validation": 3, "log": 2},
		},
		"deviated-by-crash": {
			"failed", "the steady state has deviated", "wie-1-ausfall-z-rich-ecba7d35",
			counts{"phase": 3, "step": 5, "fault": 1, "cleared": 1, "validation": 4, "log": 1},
		},
		"failing-activity": {
			"passed", "", "an-action-that-crashes",
			counts{"phase": 4, "step": 8, "fault": 2, "cleared": 1, "validation": 4, "log": 2},
		},
		"unsteady": {
			"failed", "the steady state was not met before the method, which was not begun", "not-steady-before",
			counts{"phase": 1, "step": 1, "validation": 1},
		},
		"broken-probe": {
			"error", "a probe of the steady state failed", "a-probe-that-cannot-tell",
			counts{"phase": 1, "step": 1, "validation": 1, "log": 1},
		},
		"aborted": {
			"error", "the experiment was aborted by an unexpected error", "the-tool-itself-breaks",
			counts{"phase": 3, "step": 4, "fault": 1, "cleared": 1, "validation": 2},
		},
		"interrupted": {
			"cancelled", "the experiment was interrupted", "interrupted-by-a-person",
			counts{"phase": 3, "step": 4, "fault": 1, "cleared": 1, "validation": 2},
		},
		"stopped-by-control": {
			"cancelled", "the experiment was interrupted", "aborted-by-a-control",
			counts{"phase": 3, "step": 4, "fault": 1, "cleared": 1, "validation": 2},
		},
		"after-only": {
			"passed", "", "settlement-survives-a-restart",
			counts{"phase": 3, "step": 7, "fault": 3, "cleared": 3, "validation": 2, "log": 3},
		},
		"continuous": {
			"passed", "", "settlement-survives-a-restart",
			counts{"phase": 5, "step": 21, "fault": 3, "cleared": 3, "validation": 16, "log": 3},
		},
		"fail-fast": {
			"failed", "the steady state has deviated", "settlement-survives-going-away",
			counts{"phase": 5, "step": 7, "fault": 1, "cleared": 1, "validation": 5, "log": 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := convert(t, journalText(t, name), chaostoolkit.Options{Environment: "staging"})
			got := counts{}
			for _, o := range c.Execution {
				switch m := o.Message.(type) {
				case *contract.ExecutionPhaseFinished:
					got["phase"]++
				case *contract.ExecutionStepFinished:
					got["step"]++
				case *contract.ExecutionFaultInjected:
					got["fault"]++
				case *contract.ExecutionFaultCleared:
					got["cleared"]++
				case *contract.ExecutionValidationRecorded:
					got["validation"]++
				case *contract.ExecutionLogAppended:
					got["log"]++
				case *contract.ExecutionFinished:
					if m.Outcome != want.outcome || m.ErrorMessage != want.why {
						t.Errorf("outcome is %s (%s), want %s (%s)", m.Outcome, m.ErrorMessage, want.outcome, want.why)
					}
				}
			}
			if diff := cmp.Diff(want.events, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if c.ScenarioID != want.scenario {
				t.Errorf("scenario %q, want %q", c.ScenarioID, want.scenario)
			}
			if len(c.Notes) > 0 {
				t.Errorf("notes: %q", c.Notes)
			}
			wantAccepted(t, c)
		})
	}
}

// contractDecoder takes a while to make.
var contractDecoder = sync.OnceValues(func() (*event.Decoder, error) { return event.NewDecoder(event.DefaultLimits()) })

var executionID = regexp.MustCompile(`^ctk-[a-z0-9-]+-[0-9a-f]{12}$`)

// wantAccepted holds events against the contract: the decoder of the service
// takes each of them, ids are unique, sequences rise, and the end comes last.
func wantAccepted(t testing.TB, c *chaostoolkit.Converted) {
	t.Helper()
	decoder, err := contractDecoder()
	if err != nil {
		t.Fatal(err)
	}
	if !executionID.MatchString(c.ExecutionID) {
		t.Errorf("execution id %q", c.ExecutionID)
	}
	keys := map[string]bool{}
	for i, o := range c.Events {
		record, err := event.Encode(*o, event.Structured, event.JSON)
		if err != nil {
			t.Fatal(err)
		}
		decoded, rejection := decoder.Decode(record, time.Now())
		if rejection != nil {
			t.Errorf("event %d (%s): %v\n%.500s", i, o.ID, rejection, record.Value)
			continue
		}
		key := decoded.Header().Key.String()
		if keys[key] {
			t.Errorf("event %d: the id %s is not the first of its kind", i, o.ID)
		}
		keys[key] = true
	}
	for i, o := range c.Execution {
		if int(o.Sequence) != i+1 || o.RunID != c.RunID {
			t.Errorf("event %d has sequence %d and run id %q", i, o.Sequence, o.RunID)
		}
	}
	if _, ok := c.Execution[len(c.Execution)-1].Message.(*contract.ExecutionFinished); !ok {
		t.Error("the last event is not the end of the run")
	}
}

// The same content gives the same events, however it is written down.
func TestEventsFollowFromTheContent(t *testing.T) {
	t.Parallel()
	text := journalText(t, "passing")
	first := convert(t, text, chaostoolkit.Options{})
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	other, err := json.Marshal(tree) // sorted, compact
	if err != nil {
		t.Fatal(err)
	}
	again := convert(t, other, chaostoolkit.Options{})
	if first.ExecutionID != again.ExecutionID || len(first.Events) != len(again.Events) {
		t.Fatalf("%s with %d events, then %s with %d", first.ExecutionID, len(first.Events), again.ExecutionID, len(again.Events))
	}
	for i, o := range first.Events {
		if p := again.Events[i]; o.ID != p.ID || !o.Time.Equal(p.Time) || !proto.Equal(o.Message, p.Message) {
			t.Errorf("event %d: %v, then %v", i, o, p)
		}
	}
	changed := convert(t, bytes.Replace(text, []byte(`"hello =1+1"`), []byte(`"hello =1+2"`), 1), chaostoolkit.Options{})
	if changed.ExecutionID == first.ExecutionID || changed.RunID == first.RunID {
		t.Error("another content has the same ids")
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	c := convert(t, journalText(t, "passing"), chaostoolkit.Options{ScenarioID: "mine", Environment: "staging", Labels: map[string]string{"team": "risk"}})
	requested := c.Execution[0].Message.(*contract.ExecutionRequested)
	if c.ScenarioID != "mine" || requested.ScenarioId != "mine" || requested.Environment != "staging" || requested.Labels["team"] != "risk" {
		t.Errorf("requested %v", requested)
	}
	if published := c.Scenario.Message.(*contract.ScenarioPublished); published.ScenarioId != "mine" || !strings.Contains(published.Definition, `"title":"Settlement survives a restart"`) {
		t.Errorf("published %v", published)
	}
}

// A journal as small as it may be.
const small = `{"experiment": {"title": "t"}, "start": "2019-05-01T10:00:00.123456", "end": "2019-05-01T10:00:01", "status": "completed", "deviated": false,
	"steady_states": {}, "run": [{"activity": {"type": "action", "name": "a", "provider": {"type": "python", "module": "m", "func": "f", "arguments": ARGUMENTS}},
	"output": OUTPUT, "start": "2019-05-01T10:00:00.2", "end": "2019-05-01T10:00:00.7", "duration": 0.5, "status": "succeeded"}], "rollbacks": null, "x-extension": [1]}`

func smallJournal(arguments, output string) []byte {
	return []byte(strings.NewReplacer("ARGUMENTS", arguments, "OUTPUT", output).Replace(small))
}

func TestTimesWithoutZoneAreUTC(t *testing.T) {
	t.Parallel()
	j, err := chaostoolkit.Read(smallJournal("{}", "null"))
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2019, 5, 1, 10, 0, 0, 123456000, time.UTC); !j.Start.Equal(want) {
		t.Errorf("start %v, want %v", j.Start, want)
	}
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	again, err := chaostoolkit.Read(text)
	if err != nil {
		t.Fatalf("what was written cannot be read: %v\n%s", err, text)
	}
	if !again.Start.Equal(j.Start.Time) || !again.End.Equal(j.End.Time) || again.Run[0].Duration != 0.5 {
		t.Errorf("written and read again: %+v", again)
	}
}

// What the contract would refuse is kept as text; hostile text stays text.
func TestWhatDoesNotFitIsKeptAsText(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 60) + strings.Repeat("]", 60)
	long := strings.Repeat("x", 300<<10)
	many := "[" + strings.Repeat("1,", 20_000) + "1]"
	for name, test := range map[string]struct{ arguments, output, wantName, wantText string }{
		"plain":             {`{"a": 1}`, `{"n": 1.5}`, "output", ""},
		"deep":              {"{}", deep, "output_json", deep[:60]},
		"many tokens":       {"{}", many, "output_json", "[1,1,1"},
		"a long text":       {"{}", `"` + long + `"`, "output_json", `"xxxxx`},
		"a large integer":   {"{}", `{"n": 9223372036854775807}`, "output_json", `{"n":9223372036854775807}`},
		"beyond a double":   {"{}", `1e999`, "output_json", "1e999"},
		"not a number":      {"{}", `[NaN, -Infinity, "NaN \" NaN"]`, "output", ""},
		"NUL":               {`{"a\u0000b": "c\u0000"}`, `"a\u0000b"`, "output", ""},
		"half a surrogate":  {`"\ud800"`, `"\udc80"`, "output", ""},
		"arguments a text":  {`"-rf =1+1 <script>"`, `null`, "", ""},
		"arguments a list":  {`["'; DROP TABLE x; --"]`, `"\u001b[31m"`, "output", ""},
		"arguments of deep": {`{"a": ` + deep + `}`, `null`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := convert(t, smallJournal(test.arguments, test.output), chaostoolkit.Options{})
			wantAccepted(t, c)
			for _, o := range c.Execution {
				m, ok := o.Message.(*contract.ExecutionLogAppended)
				if !ok {
					continue
				}
				attributes := m.Lines[0].Attributes.Fields
				if got := attributes[test.wantName]; got == nil || !strings.HasPrefix(got.GetStringValue(), test.wantText) {
					t.Errorf("attributes %.200v, want %s with %.20q", attributes, test.wantName, test.wantText)
				}
				if cut := test.wantName == "output_json"; cut != (len(c.Notes) == 1) {
					t.Errorf("notes %q", c.Notes)
				}
			}
		})
	}
}

// A duration just below a second is one, to the nanosecond.
func TestDurationsAreRounded(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0.5": time.Second / 2, "0.9999999996": time.Second, "41.9999999999": 42 * time.Second, "1e-10": 0, "0": 0, "1e300": 3155760000 * time.Second,
	} {
		c := convert(t, []byte(strings.Replace(string(smallJournal("{}", "null")), `"duration": 0.5`, `"duration": `+text, 1)), chaostoolkit.Options{})
		wantAccepted(t, c)
		for _, o := range c.Execution {
			if m, ok := o.Message.(*contract.ExecutionStepFinished); ok && m.Duration.AsDuration() != want {
				t.Errorf("%s: %v, want %v", text, m.Duration.AsDuration(), want)
			}
		}
	}
}

func TestWhatIsNoJournalIsSaid(t *testing.T) {
	t.Parallel()
	with := func(old, changed string) string {
		return strings.Replace(string(smallJournal("{}", "null")), old, changed, 1)
	}
	for text, want := range map[string]chaostoolkit.Problem{
		``:                                       {Rule: "at byte 0: unexpected EOF"},
		`[1]`:                                    {Value: "[1]", Rule: "must be a JSON object"},
		`{"a": 1, "a": 2}`:                       {Path: "a", Rule: `at byte 9: duplicate object member name`},
		`{}`:                                     {Path: "experiment", Rule: "is missing"},
		with(`"title": "t"`, `"title": ""`):      {Path: "experiment.title", Rule: "is missing"},
		with(`"title": "t"`, `"title": [7]`):     {Path: "experiment.title", Value: "[7]", Rule: "must not be an array"},
		with(`"completed"`, `"done\u001b[2J"`):   {Path: "status", Value: "done\x1b[2J", Rule: "must be completed, failed, aborted or interrupted"},
		with(`"2019-05-01T10:00:00.2"`, `"now"`): {Path: "run[0].start", Value: `"now"`, Rule: "must be a time such as 2026-04-01T12:00:00.123456+00:00"},
		with(`"2019-05-01T10:00:00.2"`, `null`):  {Path: "run[0].start", Rule: "is missing"},
		with(`"action"`, `"other"`):              {Path: "run[0].activity.type", Value: "other", Rule: "must be action or probe"},
		with(`"duration": 0.5`, `"duration": -1`): {
			Path: "run[0].duration", Value: "-1", Rule: "must not be negative",
		},
		with(`"duration": 0.5`, `"duration": 1e400`): {
			Path: "run[0].duration", Value: "1e400", Rule: "must be a number that a double holds",
		},
		strings.Repeat(`{"`+strings.Repeat("k", 50)+`":`, 20_000): {
			Path: strings.Repeat(strings.Repeat("k", 50)+".", 4) + "..", Rule: "at byte 540000: exceeded max depth",
		},
		with(`"succeeded"`, `"well"`): {Path: "run[0].status", Value: "well", Rule: "must be succeeded or failed"},
		with(`"end": "2019-05-01T10:00:01"`, `"end": "2018-05-01T10:00:01"`): {
			Path: "end", Value: "2018-05-01T10:00:01", Rule: "must not be before the start",
		},
	} {
		_, err := chaostoolkit.Read([]byte(text))
		var got *chaostoolkit.Problem
		if !errors.As(err, &got) {
			t.Errorf("%.60q: error %v, want %v", text, err, &want)
			continue
		}
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("%.60q (-want +got):\n%s", text, diff)
		}
		if strings.Contains(got.Error(), "\x1b") {
			t.Errorf("the error moves a terminal: %q", got.Error())
		}
	}
}

// Whatever is read gives events that the service accepts.
func FuzzJournal(f *testing.F) {
	names, err := filepath.Glob(filepath.Join("testdata", "journals", "*.json"))
	if err != nil || len(names) == 0 {
		f.Fatal("no journals", err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add(smallJournal("{}", "NaN"))
	f.Add(smallJournal(`"a"`, `"\ud800"`))
	f.Fuzz(func(t *testing.T, text []byte) {
		j, err := chaostoolkit.Read(text)
		if err != nil {
			return
		}
		if y := j.Start.Year(); y < 2000 || j.End.Year() > 2026 { // the service is the judge of times
			return
		}
		for _, runs := range [][]chaostoolkit.Run{j.Run, j.Rollbacks} {
			for i := range runs {
				if runs[i].Start.Year() < 2000 || runs[i].Start.Year() > 2026 || runs[i].End.Year() > 2026 {
					return
				}
			}
		}
		c, err := chaostoolkit.Convert(j, chaostoolkit.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantAccepted(t, c)
	})
}
