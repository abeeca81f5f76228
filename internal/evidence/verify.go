package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// Expected are digests that were published, or kept elsewhere, in hex; empty for
// one that nobody has kept.
type Expected struct {
	Report   string // that the report carries, or that of report.json
	Manifest string // of manifest.json
}

// Verify checks a bundle of a size. The error is an *UnreadableError where the file
// is none at all, or that of ctx; whatever else is wrong is in the result.
func Verify(ctx context.Context, from io.ReaderAt, size int64, expected Expected) (*Result, error) {
	v := &verification{result: &Result{Findings: []Finding{}}, expected: expected}
	v.result.begin(CheckArchive)
	var err error
	if v.archive, err = openArchive(from, size, v.result); err != nil {
		return nil, &UnreadableError{err}
	}
	text, err := v.archive.whole(manifestName, mostManifest)
	if err != nil {
		return nil, &UnreadableError{fmt.Errorf("read %s: %w", manifestName, err)}
	}
	if v.manifest, err = decodeManifest(text); err != nil {
		return nil, &UnreadableError{err}
	}
	v.result.ExecutionID, v.result.Run, v.result.Revision = v.manifest.ExecutionID, v.manifest.Run, v.manifest.Report.Revision
	v.result.Manifest = digestOf(text)
	if err := v.entries(ctx); err != nil {
		return nil, err
	}
	v.definition()
	v.report()
	if err := v.events(ctx); err != nil {
		return nil, err
	}
	v.rebuild()
	v.compared()
	v.expect()
	v.result.Verified = len(v.result.Findings) == 0
	return v.result, nil
}

// verification is a bundle that is being checked.
type verification struct {
	archive  *archive
	manifest *Manifest
	expected Expected
	result   *Result

	definitionText []byte // nil: none in the file
	frozen         []byte // report.json; nil: cannot be read
	reported       *report.Report

	builder *report.Builder // nil: the report is not built again, because
	unbuilt string          // of this
}

// entries holds the entries against the manifest's list, and their content but that
// of the events, which are read once. The error is that of ctx.
func (v *verification) entries(ctx context.Context) error {
	r := v.result
	r.begin(CheckEntries)
	r.tell(CheckArchive, "%d entries", len(v.manifest.Entries)+1)
	listed := map[string]bool{manifestName: true}
	for i := range v.manifest.Entries {
		e := &v.manifest.Entries[i]
		switch {
		case !entryName.MatchString(e.Name) || e.Name == manifestName || e.Size < 0:
			r.find(Finding{Check: CheckArchive, Entry: manifestName, Problem: "it lists an entry that a bundle cannot have", Found: e.Name})
		case listed[e.Name]:
			r.find(Finding{Check: CheckArchive, Entry: manifestName, Problem: "it lists an entry twice", Found: e.Name})
		case v.archive.files[e.Name] == nil:
			r.find(Finding{Check: CheckArchive, Entry: e.Name, Problem: "it is missing"})
		case e.Name != eventsName:
			v.archive.read(ctx, e, v.keep(e.Name), r)
		}
		listed[e.Name] = true
	}
	for name := range v.archive.files {
		if !listed[name] {
			r.find(Finding{Check: CheckArchive, Entry: name, Problem: "the manifest does not list it"})
			delete(v.archive.files, name)
		}
	}
	for _, name := range []string{readmeName, reportName, eventsName} {
		if !listed[name] {
			r.find(Finding{Check: CheckArchive, Entry: name, Problem: "the manifest does not list it"})
		}
	}
	r.tell(CheckEntries, "size and sha256 of each")
	return ctx.Err()
}

// keep keeps the content of those entries that are needed as a whole.
func (v *verification) keep(name string) func(io.Reader) error {
	into, most := (*[]byte)(nil), int64(0)
	switch {
	case name == reportName:
		into, most = &v.frozen, mostReport
	case strings.HasPrefix(name, definitionPrefix):
		into, most = &v.definitionText, mostDefinition
	default:
		return nil
	}
	return func(from io.Reader) error {
		b, err := io.ReadAll(io.LimitReader(from, most+1))
		if err == nil && int64(len(b)) > most {
			err = fmt.Errorf("it is larger than %d bytes", most)
		}
		if err == nil {
			*into = b
		}
		return err
	}
}

func (v *verification) definition() {
	r := v.result
	var names []string
	for name := range v.archive.files {
		if strings.HasPrefix(name, definitionPrefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	switch {
	case len(names) == 0 && v.manifest.Definition == "":
		r.skip(CheckDefinition, "no content was known that the run could be of")
	case len(names) == 0:
		r.skip(CheckDefinition, "the text is not in the file; it has sha256 "+v.manifest.Definition)
	default:
		r.begin(CheckDefinition)
		if len(names) > 1 {
			r.find(Finding{Check: CheckDefinition, Problem: "there is more than one", Found: strings.Join(names, ", ")})
		}
		r.tell(CheckDefinition, "sha256 %s", v.manifest.Definition)
		if found := digestOf(v.definitionText); v.definitionText == nil || found != v.manifest.Definition {
			r.find(Finding{Check: CheckDefinition, Entry: names[0], Problem: "sha256", Expected: v.manifest.Definition, Found: found})
		}
	}
}

func (v *verification) report() {
	r := v.result
	r.begin(CheckReport)
	v.builder, v.unbuilt = nil, "the report cannot be read"
	if v.frozen == nil {
		r.find(Finding{Check: CheckReport, Entry: reportName, Problem: "it cannot be read"})
		return
	}
	reported, err := decodeReport(v.frozen)
	if err != nil {
		r.find(Finding{Check: CheckReport, Entry: reportName, Problem: err.Error()})
		return
	}
	v.reported = reported
	r.outline(reported)
	r.tell(CheckReport, "sha256 %s", reported.SHA256)
	for _, c := range []struct{ what, manifest, report string }{
		{"execution_id", string(v.manifest.ExecutionID), string(reported.Run.ExecutionID)},
		{"run", strconv.Itoa(int(v.manifest.Run)), strconv.Itoa(int(reported.Run.Number))},
		{"run_id", v.manifest.RunID, reported.Run.RunID},
		{"report sha256", v.manifest.Report.SHA256, reported.SHA256},
		{"builder", v.manifest.Report.Builder, reported.Builder},
		{"definition_sha256", v.manifest.Definition, reported.Inputs.DefinitionSHA256},
		{"number of events", strconv.FormatInt(v.manifest.Events.Count, 10), strconv.FormatInt(reported.Inputs.Events, 10)},
		{"chain", v.manifest.Events.Chain, reported.Inputs.Chain},
	} {
		if c.manifest != c.report {
			r.find(Finding{Check: CheckReport, Entry: manifestName, Problem: c.what + " is not that of the report", Expected: c.report, Found: c.manifest})
		}
	}
	switch {
	case reported.Builder != report.BuilderVersion:
		v.unbuilt = fmt.Sprintf("the report was built by the rules of version %.40q, this program has those of %s", reported.Builder, report.BuilderVersion)
	case reported.Definition.Known && v.definitionText == nil:
		v.unbuilt = "the definition is not in the file"
	default:
		v.builder, v.unbuilt = report.NewBuilder(reported.Run.ExecutionID, reported.Run.Number, reported.Run.RunID), ""
	}
}

// mostObjects bounds what a report takes in memory when it is read: one of no bytes to
// speak of takes hundreds there.
const mostObjects = 500_000

func decodeReport(frozen []byte) (*report.Report, error) {
	tokens := jsontext.NewDecoder(bytes.NewReader(frozen))
	for objects := 0; ; {
		token, err := tokens.ReadToken()
		if err != nil { // the end, or what Decode finds, too
			return report.Decode(frozen)
		}
		if token.Kind() == jsontext.KindBeginObject {
			if objects++; objects > mostObjects {
				return nil, fmt.Errorf("it has more than %d objects", mostObjects)
			}
		}
	}
}

// rebuild compares the report with one that is built again.
func (v *verification) rebuild() {
	r := v.result
	if v.builder == nil {
		r.skip(CheckRebuild, v.unbuilt)
		return
	}
	r.begin(CheckRebuild)
	built, err := v.builder.Report(contextOf(v.reported, v.definitionText)).Encode()
	if err != nil {
		r.find(Finding{Check: CheckRebuild, Entry: reportName, Problem: "the events give no report: " + err.Error()})
		return
	}
	r.tell(CheckRebuild, "%d bytes from %d events", len(built), r.Events)
	if line, frozen, again := difference(v.frozen, built); line > 0 {
		r.find(Finding{Check: CheckRebuild, Entry: reportName, Line: line, Problem: "the events give another report", Expected: again, Found: frozen})
	}
}

// compared holds what the report says of other runs against their reports.
func (v *verification) compared() {
	r := v.result
	if v.reported == nil || len(v.reported.Inputs.Compared) == 0 {
		return
	}
	briefs := map[string]report.Brief{}
	for _, b := range contextOf(v.reported, nil).Previous {
		briefs[b.SHA256] = b
	}
	for _, b := range v.reported.Attempts {
		briefs[b.SHA256] = b
	}
	var there []string
	for name := range v.archive.files {
		if strings.HasPrefix(name, comparedPrefix) {
			there = append(there, name)
		}
	}
	slices.Sort(there)
	if len(there) == 0 {
		r.skip(CheckCompared, fmt.Sprintf("none of the %d reports is in the file", len(briefs)))
		return
	}
	r.begin(CheckCompared)
	r.tell(CheckCompared, "%d of %d reports are in the file", len(there), len(briefs))
	for _, name := range there {
		frozen, err := v.archive.whole(name, mostReport)
		if err != nil {
			r.find(Finding{Check: CheckCompared, Entry: name, Problem: err.Error()})
			continue
		}
		other, err := decodeReport(frozen)
		if err != nil {
			r.find(Finding{Check: CheckCompared, Entry: name, Problem: err.Error()})
			continue
		}
		stated, ok := briefs[other.SHA256]
		if !ok || name != comparedName(other.SHA256) {
			r.find(Finding{Check: CheckCompared, Entry: name, Problem: "the report is not compared with this one", Found: other.SHA256})
			continue
		}
		says, states, err := bothAsJSON(other.Brief(), stated)
		if err != nil || !bytes.Equal(says, states) {
			line, frozen, brief := difference(says, states)
			r.find(Finding{Check: CheckCompared, Entry: name, Line: line, Problem: "the report says something else of that run", Expected: frozen, Found: brief})
		}
	}
}

func bothAsJSON(a, b report.Brief) (x, y []byte, err error) {
	if x, err = json.MarshalIndent(a, "", " "); err != nil {
		return nil, nil, err
	}
	y, err = json.MarshalIndent(b, "", " ")
	return x, y, err
}

// expect compares with what was kept elsewhere.
func (v *verification) expect() {
	r := v.result
	if v.expected == (Expected{}) {
		r.skip(CheckExpected, "give the digest of the report, or of the manifest, that was published or kept elsewhere: without it the file is only consistent with itself")
		return
	}
	r.begin(CheckExpected)
	r.tell(CheckExpected, "as it was kept elsewhere")
	if e := v.expected.Report; e != "" && e != r.Report && e != digestOf(v.frozen) {
		r.find(Finding{Check: CheckExpected, Entry: reportName, Problem: "sha256", Expected: e, Found: r.Report})
	}
	if e := v.expected.Manifest; e != "" && e != r.Manifest {
		r.find(Finding{Check: CheckExpected, Entry: manifestName, Problem: "sha256", Expected: e, Found: r.Manifest})
	}
}
