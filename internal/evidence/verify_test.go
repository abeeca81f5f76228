package evidence_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/evidence"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// outcomes are the checks of a result by their outcome.
func outcomes(r *evidence.Result) map[evidence.Check]evidence.Outcome {
	all := map[evidence.Check]evidence.Outcome{}
	for _, c := range r.Checks {
		all[c.Check] = c.Outcome
	}
	return all
}

func TestBundleIsVerified(t *testing.T) {
	t.Parallel()
	b, manifest := write(t, sourceOf(t, crash(t)))
	r := verify(t, b, evidence.Expected{Report: manifest.Report.SHA256, Manifest: manifest.SHA256()})
	for check, outcome := range outcomes(r) {
		if outcome != evidence.Holds {
			t.Errorf("%s: %s", check, outcome)
		}
	}
	for _, f := range r.Findings {
		t.Error(f)
	}
	if len(r.Checks) != 9 || r.Events != 13 || r.Inexact != 0 || r.Run != 2 || r.Revision != 1 || r.Manifest != manifest.SHA256() || r.Chain != manifest.Events.Chain {
		t.Errorf("result %+v", r)
	}
	want := []string{"README.txt", "definition.yaml", "report.json", "report.html", "events.jsonl", "manifest.json"}
	f := unpack(t, b)
	if got := slices.DeleteFunc(slices.Clone(f.names), func(n string) bool { return strings.HasPrefix(n, "compared/") }); !slices.Equal(got, want) || len(f.names) != len(want)+1 {
		t.Errorf("entries %q", f.names)
	}
	if string(f.content["definition.yaml"]) != definition {
		t.Errorf("definition %q", f.content["definition.yaml"])
	}
	for _, text := range []string{`"message":"depeg begins","time":"2026-11-27T01:02:09.000000123Z"`, `"tenant":"t1"`, `"metrics":{"orders":1200,"p99_ms":12.5}`, `"correlationid":"order 66"`, `"offset":1001`} {
		if !strings.Contains(string(f.content["events.jsonl"]), text) {
			t.Errorf("no event has %s", text)
		}
	}
}

func TestBundleOfTheSameIsTheSame(t *testing.T) {
	t.Parallel()
	a, _ := write(t, sourceOf(t, crash(t)))
	b, _ := write(t, sourceOf(t, crash(t)))
	if !bytes.Equal(a, b) {
		t.Error("two bundles of the same run differ")
	}
}

func TestBundleWithoutWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	events := crash(t)
	_, body := reportOf(t, events, report.Context{})
	b, _ := write(t, evidence.Source{Report: body, Events: each(events)})
	r := verify(t, b, evidence.Expected{})
	if o := outcomes(r); !r.Verified || o[evidence.CheckDefinition] != evidence.NotChecked || o[evidence.CheckExpected] != evidence.NotChecked || o[evidence.CheckRebuild] != evidence.Holds {
		t.Errorf("verified %t, checks %v, findings %v", r.Verified, r.Checks, r.Findings)
	}

	s := sourceOf(t, events)
	s.Definition, s.Compared = nil, func(context.Context, string) ([]byte, error) { return nil, nil }
	b, _ = write(t, s)
	r = verify(t, b, evidence.Expected{})
	if o := outcomes(r); !r.Verified || o[evidence.CheckDefinition] != evidence.NotChecked || o[evidence.CheckRebuild] != evidence.NotChecked || o[evidence.CheckCompared] != evidence.NotChecked {
		t.Errorf("verified %t, checks %v, findings %v", r.Verified, r.Checks, r.Findings)
	}
}

func TestWriteTellsThatEventsChanged(t *testing.T) {
	t.Parallel()
	events := crash(t)
	s := sourceOf(t, events)
	s.Events = each(events[:len(events)-2])
	var changed *evidence.ChangedError
	if _, err := evidence.Write(t.Context(), &bytes.Buffer{}, s); !errors.As(err, &changed) || changed.Found.Count == changed.Reported.Count {
		t.Errorf("error %v, want one of changed events", err)
	}
	for name, alter := range map[string]func(*evidence.Source){
		"definition": func(s *evidence.Source) { s.Definition = []byte("other") },
		"report":     func(s *evidence.Source) { s.Report = []byte("{}") },
		"events": func(s *evidence.Source) {
			s.Events = func(yield func(*evidence.Event, error) bool) { yield(nil, errors.New("away")) }
		},
		"compared": func(s *evidence.Source) {
			s.Compared = func(context.Context, string) ([]byte, error) { return nil, errors.New("away") }
		},
		"lines": func(s *evidence.Source) {
			without := slices.Clone(events)
			for i, e := range without {
				if e.Lines != nil {
					bare := *e
					bare.Lines = bare.Lines[1:]
					without[i] = &bare
				}
			}
			s.Events = each(without)
		},
	} {
		s := sourceOf(t, events)
		alter(&s)
		if _, err := evidence.Write(t.Context(), &bytes.Buffer{}, s); err == nil {
			t.Errorf("%s: a bundle was written", name)
		}
	}
}

// replaced replaces text that must be there once.
func replaced(t testing.TB, in []byte, from, to string) []byte {
	t.Helper()
	if bytes.Count(in, []byte(from)) != 1 {
		t.Fatalf("%q is there %d times", from, bytes.Count(in, []byte(from)))
	}
	return bytes.Replace(in, []byte(from), []byte(to), 1)
}

// Whatever is altered is found, also where the manifest was made to agree.
func TestAlterationsAreFound(t *testing.T) {
	t.Parallel()
	b, _ := write(t, sourceOf(t, crash(t)))
	in := func(name, from, to string) func(testing.TB, *files) {
		return func(t testing.TB, f *files) {
			t.Helper()
			f.content[name] = replaced(t, f.content[name], from, to)
		}
	}
	onLines := func(alter func([]string) []string) func(testing.TB, *files) {
		return func(_ testing.TB, f *files) { f.setLines(alter(f.lines())) }
	}
	inManifest := func(alter func(*evidence.Manifest)) func(testing.TB, *files) {
		return func(t testing.TB, f *files) {
			t.Helper()
			m := f.manifest(t)
			alter(m)
			f.setManifest(t, m)
		}
	}
	compared := slices.DeleteFunc(unpack(t, b).names, func(n string) bool { return !strings.HasPrefix(n, "compared/") })[0]
	for name, c := range map[string]struct {
		alter func(testing.TB, *files)
		found []evidence.Check // besides entries, where the manifest was not made to agree
	}{
		"data of an event":        {in("events.jsonl", `"progress":0.5`, `"progress":0.6`), []evidence.Check{evidence.CheckEvents}},
		"time of an event":        {in("events.jsonl", `"time":"2026-11-27T01:02:10.123456789Z"`, `"time":"2026-11-27T01:02:10.123456788Z"`), []evidence.Check{evidence.CheckEvents}},
		"id of an event":          {in("events.jsonl", `"id":"evt-7"`, `"id":"evt-77"`), []evidence.Check{evidence.CheckEvents}},
		"source of an event":      {in("events.jsonl", `"source":"/coordinator/a","id":"evt-7"`, `"source":"/coordinator/b","id":"evt-7"`), []evidence.Check{evidence.CheckEvents}},
		"subject of an event":     {in("events.jsonl", `"id":"evt-7","subject":"`+id+`"`, `"id":"evt-7","subject":"exec-other"`), []evidence.Check{evidence.CheckEvents}},
		"sequence of an event":    {in("events.jsonl", `"sequence":"7"`, `"sequence":"77"`), []evidence.Check{evidence.CheckEvents}},
		"type of an event":        {in("events.jsonl", `execution.fault_cleared.v1`, `execution.fault_recovered.v1`), []evidence.Check{evidence.CheckEvents}},
		"a log line":              {in("events.jsonl", `depeg begins`, `depeg begims`), []evidence.Check{evidence.CheckEvents}},
		"nanoseconds of a line":   {in("events.jsonl", `01:02:09.000000123Z`, `01:02:09.000000124Z`), []evidence.Check{evidence.CheckEvents}},
		"a snapshot":              {in("events.jsonl", `"p99_ms":12.5`, `"p99_ms":12.6`), []evidence.Check{evidence.CheckEvents}},
		"a note of the service's": {in("events.jsonl", `"text":"seen"`, `"text":"not seen"`), []evidence.Check{evidence.CheckEvents}},
		"a key":                   {onLines(func(l []string) []string { return withRecord(l, 6, "key", strings.Repeat("0", 64)) }), []evidence.Check{evidence.CheckEvents, evidence.CheckChain}},
		"a digest":                {onLines(func(l []string) []string { return withRecord(l, 6, "digest", strings.Repeat("0", 64)) }), []evidence.Check{evidence.CheckEvents, evidence.CheckChain}},
		"no digest":               {onLines(func(l []string) []string { return withRecord(l, 6, "digest", "AB") }), []evidence.Check{evidence.CheckEvents, evidence.CheckChain}},
		"version of a digest":     {onLines(func(l []string) []string { return withRecord(l, 6, "digest_version", 2) }), []evidence.Check{evidence.CheckEvents}},
		"inexact, which it isn't": {onLines(func(l []string) []string { return withRecord(l, 6, "inexact", true) }), []evidence.Check{evidence.CheckEvents}},
		"inexact lines":           {onLines(func(l []string) []string { return withRecord(l, 5, "inexact", true) }), []evidence.Check{evidence.CheckEvents}},
		"a link":                  {onLines(func(l []string) []string { l[6] = flipLink(l[6]); return l }), []evidence.Check{evidence.CheckChain}},
		"an event left out":       {onLines(func(l []string) []string { return slices.Delete(l, 6, 7) }), []evidence.Check{evidence.CheckEvents, evidence.CheckChain, evidence.CheckRebuild}},
		"the last left out":       {onLines(func(l []string) []string { return l[:len(l)-1] }), []evidence.Check{evidence.CheckEvents, evidence.CheckChain, evidence.CheckRebuild}},
		"an event twice":          {onLines(func(l []string) []string { return slices.Insert(l, 6, l[5]) }), []evidence.Check{evidence.CheckEvents, evidence.CheckChain}},
		"two events swapped":      {onLines(func(l []string) []string { l[5], l[6] = l[6], l[5]; return l }), []evidence.Check{evidence.CheckEvents, evidence.CheckChain}},
		"an event of no form":     {onLines(func(l []string) []string { l[6] = "{}"; return l }), []evidence.Check{evidence.CheckEvents, evidence.CheckChain}},
		"an empty line":           {onLines(func(l []string) []string { return append(l, "") }), []evidence.Check{evidence.CheckEvents}},
		"no end of the last line": {func(_ testing.TB, f *files) {
			f.content["events.jsonl"] = bytes.TrimSuffix(f.content["events.jsonl"], []byte("\n"))
		}, []evidence.Check{evidence.CheckEvents}},
		"no events":               {func(_ testing.TB, f *files) { f.content["events.jsonl"] = nil }, []evidence.Check{evidence.CheckEvents, evidence.CheckChain, evidence.CheckRebuild}},
		"a member of a record":    {in("events.jsonl", `"arrival":7,`, `"arrival":7,"extra":1,`), []evidence.Check{evidence.CheckEvents}},
		"a member twice":          {in("events.jsonl", `"arrival":7,`, `"arrival":7,"arrival":7,`), []evidence.Check{evidence.CheckEvents}},
		"the definition":          {in("definition.yaml", "duration: 1m", "duration: 2m"), []evidence.Check{evidence.CheckDefinition}},
		"a word of the report":    {in("report.json", `"coordinator_id": "c-1"`, `"coordinator_id": "c-2"`), []evidence.Check{evidence.CheckReport}},
		"no report":               {func(_ testing.TB, f *files) { f.content["report.json"] = []byte("{}") }, []evidence.Check{evidence.CheckReport}},
		"a compared report":       {in(compared, `"run": 2`, `"run": 1`), []evidence.Check{evidence.CheckCompared}},
		"the report for people":   {in("report.html", "html", "HTML"), nil},
		"the text for people":     {in("README.txt", "Python 3", "Python 2"), nil},
		"manifest: count":         {inManifest(func(m *evidence.Manifest) { m.Events.Count++ }), []evidence.Check{evidence.CheckReport, evidence.CheckEvents}},
		"manifest: inexact":       {inManifest(func(m *evidence.Manifest) { m.Events.Inexact++ }), []evidence.Check{evidence.CheckEvents}},
		"manifest: chain":         {inManifest(func(m *evidence.Manifest) { m.Events.Chain = strings.Repeat("0", 64) }), []evidence.Check{evidence.CheckReport, evidence.CheckChain}},
		"manifest: execution":     {inManifest(func(m *evidence.Manifest) { m.ExecutionID = "exec-other" }), []evidence.Check{evidence.CheckReport, evidence.CheckEvents}},
		"manifest: run":           {inManifest(func(m *evidence.Manifest) { m.Run++ }), []evidence.Check{evidence.CheckReport}},
		"manifest: run id":        {inManifest(func(m *evidence.Manifest) { m.RunID = "other" }), []evidence.Check{evidence.CheckReport}},
		"manifest: report":        {inManifest(func(m *evidence.Manifest) { m.Report.SHA256 = strings.Repeat("0", 64) }), []evidence.Check{evidence.CheckReport}},
		"manifest: builder":       {inManifest(func(m *evidence.Manifest) { m.Report.Builder = "99" }), []evidence.Check{evidence.CheckReport}},
		"manifest: definition":    {inManifest(func(m *evidence.Manifest) { m.Definition = strings.Repeat("0", 64) }), []evidence.Check{evidence.CheckReport, evidence.CheckDefinition}},
		"manifest: no such entry": {inManifest(func(m *evidence.Manifest) { m.Entries[0].Name = "../README.txt" }), []evidence.Check{evidence.CheckArchive}},
		"manifest: entry twice":   {inManifest(func(m *evidence.Manifest) { m.Entries[0].Name = "report.json" }), []evidence.Check{evidence.CheckArchive}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := unpack(t, b)
			before := maps.Clone(f.content)
			c.alter(t, f)
			touched := slices.DeleteFunc(slices.Sorted(maps.Keys(before)), func(n string) bool { return bytes.Equal(before[n], f.content[n]) })
			if len(touched) == 0 {
				t.Fatal("nothing was altered")
			}
			r := verify(t, f.pack(t), evidence.Expected{})
			holdsAgainst(t, r, c.found)
			if touched[0] == "manifest.json" {
				return
			}
			if outcomes(r)[evidence.CheckEntries] != evidence.Differs {
				t.Errorf("the entries hold: %v", r.Findings)
			}
			f.relist(t)
			r = verify(t, f.pack(t), evidence.Expected{})
			if outcomes(r)[evidence.CheckEntries] == evidence.Differs {
				t.Errorf("entries: %v", r.Findings)
			}
			holdsAgainst(t, r, c.found)
			if !r.Verified != (len(c.found) > 0) {
				t.Errorf("with a manifest that agrees: verified %t, %v", r.Verified, r.Findings)
			}
		})
	}
}

func holdsAgainst(t testing.TB, r *evidence.Result, want []evidence.Check) {
	t.Helper()
	for _, check := range want {
		if outcomes(r)[check] != evidence.Differs {
			t.Errorf("%s: %s, want that it differs; findings %v", check, outcomes(r)[check], r.Findings)
		}
	}
}

// withRecord sets a member of what is recorded of an event.
func withRecord(lines []string, i int, member string, value any) []string {
	var l map[string]json.RawMessage
	var record map[string]any
	if err := errors.Join(json.Unmarshal([]byte(lines[i]), &l), json.Unmarshal(l["record"], &record)); err != nil {
		panic(err)
	}
	record[member] = value
	l["record"], _ = json.Marshal(record)
	text, _ := json.Marshal(l)
	lines[i] = string(text)
	return lines
}

// flipLink changes the last digit of a link.
func flipLink(line string) string {
	i := strings.LastIndex(line, `"}`) - 1
	digit := "0"
	if line[i] == '0' {
		digit = "1"
	}
	return line[:i] + digit + line[i+1:]
}

// Who rewrites everything gets a file that agrees with itself; the digests that were
// kept elsewhere find it. Nothing else can.
func TestForgedBundleHasOtherDigests(t *testing.T) {
	t.Parallel()
	_, manifest := write(t, sourceOf(t, crash(t)))
	forged := crash(t)
	forged = slices.Delete(forged, 6, 7)
	b, other := write(t, sourceOf(t, forged))
	if r := verify(t, b, evidence.Expected{}); !r.Verified || outcomes(r)[evidence.CheckExpected] != evidence.NotChecked {
		t.Errorf("a forged bundle does not agree with itself: %v", r.Findings)
	}
	for name, e := range map[string]evidence.Expected{"report": {Report: manifest.Report.SHA256}, "manifest": {Manifest: manifest.SHA256()}} {
		if r := verify(t, b, e); r.Verified || outcomes(r)[evidence.CheckExpected] != evidence.Differs {
			t.Errorf("%s: verified %t, %v", name, r.Verified, r.Findings)
		}
	}
	if r := verify(t, b, evidence.Expected{Report: other.Report.SHA256, Manifest: other.SHA256()}); !r.Verified {
		t.Errorf("its own digests differ: %v", r.Findings)
	}
}

// When an event was accepted is in no digest but the manifest's: as the package says.
func TestWhatOnlyTheManifestHolds(t *testing.T) {
	t.Parallel()
	b, manifest := write(t, sourceOf(t, crash(t)))
	f := unpack(t, b)
	f.content["events.jsonl"] = replaced(t, f.content["events.jsonl"], `"offset":1007`, `"offset":1008`)
	f.relist(t)
	altered := f.pack(t)
	if r := verify(t, altered, evidence.Expected{Report: manifest.Report.SHA256}); !r.Verified {
		t.Errorf("findings %v", r.Findings)
	}
	if r := verify(t, altered, evidence.Expected{Manifest: manifest.SHA256()}); r.Verified {
		t.Error("the digest of the manifest is the same")
	}
}

// Not a byte of any entry can be changed.
func TestEveryByteIsHeld(t *testing.T) {
	t.Parallel()
	b, manifest := write(t, sourceOf(t, crash(t)))
	whole := unpack(t, b)
	for _, name := range whole.names {
		step := max(1, len(whole.content[name])/40)
		for at := 0; at < len(whole.content[name]); at += step {
			f := &files{names: whole.names, content: maps.Clone(whole.content)}
			f.content[name] = slices.Clone(f.content[name])
			f.content[name][at] ^= 1
			p := f.pack(t)
			r, err := evidence.Verify(t.Context(), bytes.NewReader(p), int64(len(p)), evidence.Expected{Manifest: manifest.SHA256()})
			if err == nil && r.Verified {
				t.Errorf("byte %d of %s was changed, and all holds", at, name)
			}
		}
	}
}

func TestReportOfOtherRulesIsNotBuiltAgain(t *testing.T) {
	t.Parallel()
	events := crash(t)
	r, _ := reportOf(t, events, report.Context{})
	r.Builder = "0"
	body, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	b, _ := write(t, evidence.Source{Report: body, Events: each(events)})
	result := verify(t, b, evidence.Expected{})
	if o := outcomes(result); !result.Verified || o[evidence.CheckRebuild] != evidence.NotChecked || o[evidence.CheckChain] != evidence.Holds {
		t.Errorf("verified %t, %v, %v", result.Verified, result.Checks, result.Findings)
	}
}

// A report that was altered and given the digest that belongs to it is found by
// building it again.
func TestReportThatTheEventsDoNotGive(t *testing.T) {
	t.Parallel()
	events := crash(t)
	r, _ := reportOf(t, events, report.Context{})
	r.Verdict.Status = "failed"
	body, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	b, _ := write(t, evidence.Source{Report: body, Events: each(events)})
	result := verify(t, b, evidence.Expected{})
	if o := outcomes(result); o[evidence.CheckRebuild] != evidence.Differs || o[evidence.CheckReport] != evidence.Holds || len(result.Findings) != 1 ||
		result.Findings[0].Line == 0 || !strings.Contains(result.Findings[0].Found, "failed") {
		t.Errorf("verified %t, %v, %v", result.Verified, result.Checks, result.Findings)
	}
}

// Log lines that an early version has stored are whole; that their digest cannot be
// computed is said and counted.
func TestInexactLinesAreCounted(t *testing.T) {
	t.Parallel()
	events := crash(t)
	for i, e := range events {
		if e.Lines != nil {
			old := *e
			old.Data = json.RawMessage(fmt.Sprintf(`{"execution_id":%q,"line_count":%d}`, id, len(e.Lines)))
			events[i] = &old
		}
	}
	b, manifest := write(t, sourceOf(t, events))
	r := verify(t, b, evidence.Expected{})
	if !r.Verified || r.Inexact != 1 || manifest.Events.Inexact != 1 || outcomes(r)[evidence.CheckRebuild] != evidence.Holds {
		t.Errorf("verified %t, inexact %d, %v", r.Verified, r.Inexact, r.Findings)
	}
}

func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	b, _ := write(t, sourceOf(t, crash(t)))
	f := unpack(t, b)
	f.content["events.jsonl"] = bytes.Repeat([]byte("{}\n"), 1000)
	f.relist(t)
	if r := verify(t, f.pack(t), evidence.Expected{}); len(r.Findings) != 100 || r.Omitted < 900 || r.Verified {
		t.Errorf("%d findings, %d omitted", len(r.Findings), r.Omitted)
	}
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b, _ := write(t, sourceOf(t, crash(t)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := evidence.Verify(ctx, bytes.NewReader(b), int64(len(b)), evidence.Expected{}); !errors.Is(err, context.Canceled) {
		t.Errorf("result %+v, error %v", r, err)
	}
}
