package contractcheck_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/contractcheck"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event/eventtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

var now = time.Date(2026, time.April, 2, 0, 0, 0, 0, time.UTC)

// decoder is made once: compiling the rules takes longer than most tests.
var decoder = sync.OnceValues(func() (*event.Decoder, error) { return event.NewDecoder(event.DefaultLimits()) })

func newGrader(t testing.TB, change ...func(*contractcheck.Config)) *contractcheck.Grader {
	t.Helper()
	d, err := decoder()
	if err != nil {
		t.Fatal(err)
	}
	config := contractcheck.Config{Decoder: d, Definitions: scenario.DefaultLimits(), Memory: contractcheck.DefaultMemory(), Now: now}
	for _, c := range change {
		c(&config)
	}
	return contractcheck.New(config)
}

func strict(c *contractcheck.Config) { c.Strict = true }

// finding is the one of that name, which must be there once.
func finding(t *testing.T, r *contractcheck.Report, what contractcheck.What) contractcheck.Finding {
	t.Helper()
	var found []contractcheck.Finding
	for _, f := range r.Findings {
		if f.What == what {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d findings of %s, want 1: %+v", len(found), what, r.Findings)
	}
	return found[0]
}

// said is an event of a run at a second past noon; changes are headers.
func said(id, second int, typ fact.Type, members string, changes ...string) kafkarecord.Record {
	all := append([]string{
		fmt.Sprintf("ce_id=%d", id), "ce_type=" + string(typ), fmt.Sprintf("ce_time=2026-04-01T12:00:%02dZ", second), "ce_runid=run-1", fmt.Sprintf("ce_sequence=%d", id),
	}, changes...)
	return eventtest.Binary(eventtest.HeartbeatWith(members), all...)
}

func beat(id, second int, changes ...string) kafkarecord.Record {
	return said(id, second, fact.TypeHeartbeat, "", changes...)
}

func end(id, second int, outcome string, changes ...string) kafkarecord.Record {
	return said(id, second, fact.TypeFinished, `"outcome":"`+outcome+`"`, changes...)
}

// What is accepted and yet not as it should be. The last record of a case is
// the one that it is about.
func TestFindings(t *testing.T) {
	t.Parallel()
	type what = contractcheck.What
	for name, c := range map[string]struct {
		records []kafkarecord.Record
		want    map[what]int64 // all findings but the runs without an end
		field   string
		rule    string // part of the last one's
	}{
		"as it should be":                 {[]kafkarecord.Record{beat(1, 0), beat(2, 1), end(3, 2, "passed")}, nil, "", ""},
		"gaps are fine":                   {[]kafkarecord.Record{beat(1, 0), beat(20, 1), end(300, 2, "passed")}, nil, "", ""},
		"another run":                     {[]kafkarecord.Record{beat(7, 0), beat(8, 1, "ce_runid=run-2", "ce_sequence=1")}, nil, "", ""},
		"another subject":                 {[]kafkarecord.Record{beat(7, 0), keyed("e-2", eventtest.Binary(`{"execution_id":"e-2"}`, "ce_subject=e-2", "ce_sequence=1", "ce_runid=r"))}, nil, "", ""},
		"no sequence":                     {[]kafkarecord.Record{beat(1, 0, "ce_sequence=")}, map[what]int64{contractcheck.SequenceMissing: 1}, "sequence", "times decide"},
		"no runid":                        {[]kafkarecord.Record{beat(1, 0, "ce_runid=")}, map[what]int64{contractcheck.RunIDMissing: 1}, "runid", "by guessing"},
		"a number again":                  {[]kafkarecord.Record{beat(7, 0), beat(8, 1, "ce_sequence=7")}, map[what]int64{contractcheck.SequenceNotRising: 1}, "sequence", "another event has this one"},
		"counted anew":                    {[]kafkarecord.Record{beat(7, 0), beat(8, 1, "ce_sequence=1")}, map[what]int64{contractcheck.SequenceNotRising: 1}, "sequence", "above 7"},
		"overtaken":                       {[]kafkarecord.Record{beat(7, 1), beat(6, 0)}, map[what]int64{contractcheck.OutOfOrder: 1}, "sequence", "before the event with 7"},
		"another key":                     {[]kafkarecord.Record{keyed("x", beat(1, 0))}, map[what]int64{contractcheck.KeyMismatch: 1}, "key", "the subject, which is " + eventtest.ExecutionID},
		"no key":                          {[]kafkarecord.Record{keyed("", beat(1, 0))}, map[what]int64{contractcheck.KeyMismatch: 1}, "key", "the subject"},
		"again":                           {[]kafkarecord.Record{beat(1, 0), beat(1, 0)}, map[what]int64{contractcheck.Duplicate: 1}, "", "changes nothing"},
		"another under its id":            {[]kafkarecord.Record{beat(1, 0), beat(1, 1)}, map[what]int64{contractcheck.What(fact.ReasonIDConflict): 1}, "", "an id of its own"},
		"years ahead":                     {[]kafkarecord.Record{beat(1, 0, "ce_time=2030-01-01T00:00:00Z")}, map[what]int64{contractcheck.TimeSuspect: 1}, "time", "far ahead"},
		"behind the end":                  {[]kafkarecord.Record{end(1, 0, "passed"), beat(2, 1)}, map[what]int64{contractcheck.Late: 1}, "", "before the end"},
		"end before the last":             {[]kafkarecord.Record{beat(2, 1), end(1, 0, "passed")}, map[what]int64{contractcheck.Late: 1, contractcheck.OutOfOrder: 1}, "sequence", "2"},
		"before the end, late":            {[]kafkarecord.Record{end(2, 1, "passed"), beat(1, 0)}, map[what]int64{contractcheck.OutOfOrder: 1}, "sequence", "2"},
		"two ends":                        {[]kafkarecord.Record{end(1, 0, "passed"), end(2, 1, "failed")}, map[what]int64{contractcheck.ConflictingOutcome: 1}, "data.outcome", "here and before it is passed"},
		"the same end":                    {[]kafkarecord.Record{end(1, 0, "passed"), end(2, 1, "success")}, nil, "", ""},
		"a run guessed":                   {[]kafkarecord.Record{beat(1, 0), beat(2, 1, "ce_runid=")}, map[what]int64{contractcheck.RunIDMissing: 1, contractcheck.RunGuessed: 1}, "runid", ""},
		"a typo of a field":               {[]kafkarecord.Record{said(1, 0, fact.TypeHeartbeat, `"progres":1`)}, map[what]int64{contractcheck.LikelyTypo: 1}, "data.progres", "did you mean progress?"},
		"of a field within":               {[]kafkarecord.Record{said(1, 0, fact.TypeLogAppended, `"lines":[{"message":"a"},{"message":"a","phse":"b"}]`)}, map[what]int64{contractcheck.LikelyTypo: 1}, "data.lines[].phse", "did you mean lines[].phase?"},
		"of an attribute":                 {[]kafkarecord.Record{beat(1, 0, "ce_seqence=1")}, map[what]int64{contractcheck.LikelyTypo: 1}, "seqence", "did you mean sequence?"},
		"case and separators":             {[]kafkarecord.Record{beat(1, 0, "ce_run_id=1", "ce_correlationID=x")}, map[what]int64{contractcheck.LikelyTypo: 2}, "", ""},
		"camel case is fine":              {[]kafkarecord.Record{said(1, 0, fact.TypeHeartbeat, `"currentPhase":"a"`)}, nil, "", ""},
		"a field of their own":            {[]kafkarecord.Record{said(1, 0, fact.TypeHeartbeat, `"weather":"mild"`)}, map[what]int64{contractcheck.UnknownField: 1}, "data.weather", "without effect"},
		"a short field is no typo of any": {[]kafkarecord.Record{said(1, 0, fact.TypeLogAppended, `"lines":[{"message":"a","name":"b"}]`)}, map[what]int64{contractcheck.UnknownField: 1}, "data.lines[].name", ""},
		"a field of another object":       {[]kafkarecord.Record{said(1, 0, fact.TypeRequested, `"scenario_id":"s","type":"x"`)}, map[what]int64{contractcheck.UnknownField: 1}, "data.type", ""},
		"overtaken by years":              {[]kafkarecord.Record{beat(7, 0), beat(6, 0, "ce_time=2030-01-01T00:00:00Z")}, map[what]int64{contractcheck.OutOfOrder: 1, contractcheck.TimeSuspect: 1}, "", ""},
		"an attribute":                    {[]kafkarecord.Record{beat(1, 0, "ce_tenant=a")}, map[what]int64{contractcheck.UnknownAttribute: 1}, "tenant", "without effect"},
		"CloudEvents' own":                {[]kafkarecord.Record{beat(1, 0, "ce_dataschema=a", "ce_tracestate=b", "ce_partitionkey=c")}, nil, "", ""},
		"no trace context":                {[]kafkarecord.Record{beat(1, 0, "ce_traceparent=abc")}, map[what]int64{contractcheck.TraceContext: 1}, "traceparent", "W3C"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGrader(t)
			for i, record := range c.records {
				g.Add(record, contractcheck.Place{Offset: int64(i)})
			}
			r := g.Report()
			got := map[what]int64{}
			for _, f := range r.Findings {
				if f.What == contractcheck.NoEnd {
					continue
				}
				got[f.What] += f.Count
				last := f.Examples[len(f.Examples)-1]
				if last.Place.Offset != int64(len(c.records)-1) || c.field != "" && f.Field != c.field && len(c.want) == 1 || len(c.want) == 1 && !strings.Contains(last.Rule, c.rule) {
					t.Errorf("finding %+v", f)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("found %v, want %v", got, c.want)
			}
		})
	}
}

func keyed(key string, r kafkarecord.Record) kafkarecord.Record {
	r.Key = []byte(key)
	return r
}

// A file has no keys, and several partitions have no order between them.
func TestPlaces(t *testing.T) {
	t.Parallel()
	g := newGrader(t)
	g.Add(keyed("", beat(7, 0)), contractcheck.Place{Line: 1})
	if r := g.Report(); r.Violations != 0 {
		t.Errorf("from a file: %+v", r.Findings)
	}
	g = newGrader(t)
	g.Add(beat(7, 1), contractcheck.Place{Partition: 1})
	g.Add(beat(6, 2), contractcheck.Place{Partition: 2})
	g.Add(beat(5, 3), contractcheck.Place{Partition: 2, Offset: 9})
	r := g.Report()
	if f := finding(t, &r, contractcheck.SequenceNotRising); f.Count != 1 || f.Examples[0].Place.String() != "2@9" {
		t.Errorf("%+v", f)
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	bare := beat(1, 0, "ce_sequence=", "ce_runid=")
	for name, c := range map[string]struct {
		records []kafkarecord.Record
		change  []func(*contractcheck.Config)
		want    contractcheck.Verdict
	}{
		"nothing":                     {nil, nil, contractcheck.Nothing},
		"recommendations are allowed": {[]kafkarecord.Record{bare}, nil, contractcheck.Conforms},
		"but not in strict checks":    {[]kafkarecord.Record{bare}, []func(*contractcheck.Config){strict}, contractcheck.Violated},
		"notes are, in these too":     {[]kafkarecord.Record{beat(1, 0), beat(1, 0)}, []func(*contractcheck.Config){strict}, contractcheck.Conforms},
	} {
		g := newGrader(t, c.change...)
		for _, record := range c.records {
			g.Add(record, contractcheck.Place{Line: 1})
		}
		if r := g.Report(); r.Verdict != c.want {
			t.Errorf("%s: %s, want %s: %+v", name, r.Verdict, c.want, r.Findings)
		}
	}
}

// Versions of templates are numbered as they come; one that is not among the
// records is taken on trust.
func TestScenariosAreHeldAgainstTheirTemplate(t *testing.T) {
	t.Parallel()
	template := func(id, parameter string) kafkarecord.Record {
		return about("ce_id="+id, fact.TypeTemplatePublished, "t", `{"template_id":"t","definition":"apiVersion: chaos.trading/v1\nkind: Template\nmetadata: {name: t}\nparameters: [{name: `+parameter+`, type: int, required: true}]\nspec: {phases: [{name: a}]}\n"}`)
	}
	use := func(id, version string) kafkarecord.Record {
		return about("ce_id="+id, fact.TypeScenarioPublished, "s-"+id, `{"scenario_id":"s-`+id+`","definition":"x","template":{"template_id":"t","version":"`+version+`","parameters":{"a":1}}}`)
	}
	g := newGrader(t)
	for i, record := range []kafkarecord.Record{template("1", "a"), template("2", "b"), use("3", "1"), use("4", "2"), use("5", "3")} {
		g.Add(record, contractcheck.Place{Line: int64(i + 1)})
	}
	r := g.Report()
	if f := finding(t, &r, contractcheck.What(fact.ReasonParameters)); r.Refused != 1 || f.Examples[0].Place.Line != 4 {
		t.Errorf("%d refused: %+v", r.Refused, r.Findings)
	}
}

func about(change string, typ fact.Type, subject, data string) kafkarecord.Record {
	return keyed(subject, eventtest.Binary(data, "ce_type="+string(typ), "ce_subject="+subject, "ce_sequence="+strings.TrimPrefix(change, "ce_id="), change))
}

// The decoder brings the settings: here, who may send.
func TestSourcesThatAreNotAllowed(t *testing.T) {
	t.Parallel()
	limits := event.DefaultLimits()
	limits.AllowedSources = []string{"/another"}
	d, err := event.NewDecoder(limits)
	if err != nil {
		t.Fatal(err)
	}
	g := newGrader(t, func(c *contractcheck.Config) { c.Decoder = d })
	g.Add(beat(1, 0), contractcheck.Place{Line: 1})
	r := g.Report()
	if f := finding(t, &r, contractcheck.What(fact.ReasonSourceNotAllowed)); f.Type != fact.TypeHeartbeat || f.Field != "ce_source" {
		t.Errorf("%+v", f)
	}
}

// Counts are by type; runs are counted with those that ended, and the others
// are named.
func TestCounts(t *testing.T) {
	t.Parallel()
	g := newGrader(t)
	g.Add(beat(1, 0), contractcheck.Place{Line: 1})
	g.Add(beat(2, 0, "ce_sequence="), contractcheck.Place{Line: 2})
	g.Add(said(3, 0, fact.TypeHeartbeat, `"progress":2`), contractcheck.Place{Line: 3})
	g.Add(beat(4, 0, "ce_runid=run-2"), contractcheck.Place{Line: 4})
	g.Add(end(5, 0, "passed", "ce_runid=run-2"), contractcheck.Place{Line: 5})
	r := g.Report()
	want := []contractcheck.TypeCount{
		{Type: fact.TypeHeartbeat, Events: 3, Refused: 1, WithoutSequence: 1},
		{Type: fact.TypeFinished, Events: 1},
	}
	if fmt.Sprint(r.Types) != fmt.Sprint(want) || r.Runs != 2 || r.RunsEnded != 1 {
		t.Errorf("types %+v, %d runs, %d ended", r.Types, r.Runs, r.RunsEnded)
	}
	if f := finding(t, &r, contractcheck.NoEnd); f.Count != 1 || f.Examples[0].Value != eventtest.ExecutionID+", runid run-1" || f.Examples[0].Place.Line != 1 {
		t.Errorf("%+v", f)
	}
}
