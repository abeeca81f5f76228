package report_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	reflected "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution/executiontest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/reporttest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

// here is the path that types of package report have.
const here = "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"

// closedLists are the words of those types that have no others.
var closedLists = map[reflect.Type][]any{
	reflect.TypeFor[execution.Status](): words(execution.Statuses()...),
	reflect.TypeFor[execution.PartStatus](): words(
		execution.PartPending, execution.PartRunning, execution.PartPassed, execution.PartFailed, execution.PartSkipped, execution.PartError),
	reflect.TypeFor[execution.FaultStatus](): words(
		execution.FaultPending, execution.FaultInjectedOK, execution.FaultInProgress, execution.FaultClearedOK, execution.FaultHealed, execution.FaultFailed),
	reflect.TypeFor[execution.ValidationStatus](): words(
		execution.ValidationPassed, execution.ValidationFailed, execution.ValidationSkipped, execution.ValidationError),
	reflect.TypeFor[execution.SnapshotKind](): words(
		execution.SnapshotBaseline, execution.SnapshotPeriodic, execution.SnapshotPreInjection, execution.SnapshotPostInjection, execution.SnapshotRecovery, execution.SnapshotManual),
	reflect.TypeFor[execution.ChangeKind](): words(execution.ChangeAdded, execution.ChangeRemoved, execution.ChangeChanged),
	reflect.TypeFor[execution.Topic]():      words(execution.Topics()...),
}

func words[W ~string](list ...W) []any {
	var all []any
	for _, w := range list {
		all = append(all, string(w))
	}
	return all
}

// schemaOf is the schema of a type, described by its comments. Members that it does
// not name are allowed, unless strict: a later builder may add some.
func schemaOf(t *testing.T, of any, id string, strict bool) []byte {
	t.Helper()
	r := &reflected.Reflector{
		AllowAdditionalProperties: !strict,
		Mapper: func(t reflect.Type) *reflected.Schema {
			if list := closedLists[t]; list != nil {
				return &reflected.Schema{Type: "string", Enum: list}
			}
			if t == reflect.TypeFor[json.RawMessage]() {
				return &reflected.Schema{Description: "free JSON"}
			}
			return nil
		},
	}
	if err := r.AddGoComments(here, "./", reflected.WithFullComment()); err != nil {
		t.Fatal(err)
	}
	for name, text := range r.CommentMap {
		r.CommentMap[name] = strings.Join(strings.Fields(text), " ") // lines end where the source's do
	}
	s := r.Reflect(of)
	s.ID = reflected.ID(id)
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

const (
	reportSchemaID     = "test-coordination.report.v1.schema.json"
	comparisonSchemaID = "test-coordination.comparison.v1.schema.json"
)

func TestSchemasAreCurrent(t *testing.T) {
	t.Parallel()
	golden(t, "../../schema/report/v1.schema.json", schemaOf(t, &report.Report{}, reportSchemaID, false))
	golden(t, "../../schema/report/comparison.v1.schema.json", schemaOf(t, &report.Comparison{}, comparisonSchemaID, false))
}

func compiled(t *testing.T, id string, text []byte) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(id, document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, document []byte) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(value)
}

// Reports keep to the schema as published, and hold nothing that it does not name.
func TestReportsKeepToTheirSchema(t *testing.T) {
	t.Parallel()
	published := compiled(t, reportSchemaID, schema.Report)
	strict := compiled(t, reportSchemaID, schemaOf(t, &report.Report{}, reportSchemaID, true))
	gone := &report.Gone{Kinds: []string{report.GoneLogs, report.GoneSnapshots}, Policy: "p", At: executiontest.Base, Revision: 1, SHA256: strings.Repeat("5e", 32)}
	documents := map[string][]byte{
		"of no event":     frozen(t, report.NewBuilder(anID, 1, "").Report(report.Context{})),
		"of what is left": frozen(t, report.NewBuilder(anID, 1, "").Report(report.Context{Gone: gone})),
	}
	for _, run := range reporttest.Runs() {
		_, documents[run.Name], _ = run.Report()
	}
	for name, document := range documents {
		if err := validate(t, published, document); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := validate(t, strict, document); err != nil {
			t.Errorf("%s, strictly: %v", name, err)
		}
	}
	c, err := report.Compare(reporttest.Report(t, "market-crash-passed"), reporttest.Report(t, "hostile")).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(t, compiled(t, comparisonSchemaID, schema.Comparison), c); err != nil {
		t.Errorf("comparison: %v", err)
	}
	for name, change := range map[string][2]string{
		"a status of another list": {`"status": "passed"`, `"status": "succeeded"`},
		"a time of another form":   {`"time": "2026-`, `"time": "26-`},
		"a number as text":         {`"events": `, `"events": "5", "was": `},
		"a list that is null":      {`"annotations": [`, `"annotations": null, "was": [`},
	} {
		document := documents["market-crash-passed"]
		changed := bytes.Replace(document, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(document, changed) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if validate(t, published, changed) == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// Readers find what each member means in the schema.
func TestSchemaExplainsItself(t *testing.T) {
	t.Parallel()
	var document struct {
		Defs map[string]struct {
			Description string   `json:"description"`
			Required    []string `json:"required"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(schema.Report, &document); err != nil {
		t.Fatal(err)
	}
	for name, d := range document.Defs {
		if d.Description == "" {
			t.Errorf("%s has no description", name)
		}
	}
	if r := document.Defs["Report"].Required; !slices.Contains(r, "verdict") || slices.Contains(r, "sha256") {
		t.Errorf("required of a report: %v", r)
	}
}
