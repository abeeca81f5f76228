package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/reporttest"
)

func TestEncodedReportIsReadBack(t *testing.T) {
	t.Parallel()
	for _, run := range reporttest.Runs() {
		r, first, err := run.Report()
		if err != nil {
			t.Fatal(err)
		}
		read, err := report.Decode(first)
		if err != nil {
			t.Fatalf("%s: %v", run.Name, err)
		}
		// Free JSON is indented with the rest, which is no difference.
		same := cmp.Transformer("compact", func(raw json.RawMessage) string {
			var b bytes.Buffer
			if len(raw) > 0 && json.Compact(&b, raw) != nil {
				return "no JSON"
			}
			return b.String()
		})
		if diff := cmp.Diff(r, read, same); diff != "" {
			t.Errorf("%s, read (-was +is):\n%s", run.Name, diff)
		}
		if again := frozen(t, read); !bytes.Equal(first, again) {
			t.Errorf("%s, encoded again:\n%s", run.Name, cmp.Diff(string(first), string(again)))
		}
	}
}

// The digest is what anybody with a JSON library and RFC 8785 computes.
func TestDigestIsThatOfCanonicalJSON(t *testing.T) {
	t.Parallel()
	_, encoded, err := reporttest.Get(t, "hostile").Report()
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(encoded))
	if err := d.Decode(&members); err != nil { // numbers as float64, as elsewhere
		t.Fatal(err)
	}
	claimed := members["sha256"]
	delete(members, "sha256")
	content, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	value := jsontext.Value(content)
	if err := value.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(value); hex.EncodeToString(sum[:]) != claimed {
		t.Errorf("the report says %v, computed %x", claimed, sum)
	}
	if !bytes.Contains(encoded, []byte("<script>")) {
		t.Error("markup was rewritten")
	}
}

func TestDecodeSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	_, good, err := reporttest.Get(t, "market-crash-passed").Report()
	if err != nil {
		t.Fatal(err)
	}
	change := func(old, by string) []byte {
		if !bytes.Contains(good, []byte(old)) {
			t.Fatalf("nothing to change: %s", old)
		}
		return bytes.Replace(good, []byte(old), []byte(by), 1)
	}
	for name, c := range map[string]struct {
		frozen []byte
		want   error
	}{
		"nothing":            {nil, report.ErrNotReport},
		"no JSON":            {[]byte("{"), report.ErrNotReport},
		"a list":             {[]byte("[]"), report.ErrNotReport},
		"null":               {[]byte("null"), report.ErrNotReport},
		"no schema":          {[]byte("{}"), report.ErrNotReport},
		"two values":         {append(bytes.Clone(good), '1'), report.ErrNotReport},
		"a name twice":       {change(`"schema":`, `"schema": "x", "schema":`), report.ErrNotReport},
		"another schema":     {change(report.Schema, "test-coordination.report/v2"), report.ErrUnknownSchema},
		"a comparison":       {change(report.Schema, report.ComparisonSchema), report.ErrUnknownSchema},
		"another verdict":    {change(`"status": "passed"`, `"status": "failed"`), report.ErrDigest},
		"another figure":     {change(`"threshold": 50`, `"threshold": 51`), report.ErrDigest},
		"a member more":      {change(`"provisional"`, `"more": 1, "provisional"`), report.ErrDigest},
		"another digest":     {change(`"sha256": "`, `"sha256": "0`), report.ErrDigest},
		"no digest":          {[]byte(`{"schema": "` + report.Schema + `"}`), report.ErrDigest},
		"a digest of no use": {[]byte(`{"schema": "` + report.Schema + `", "sha256": 5}`), report.ErrDigest},
	} {
		if _, err := report.Decode(c.frozen); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	var compacted bytes.Buffer
	if err := json.Compact(&compacted, good); err != nil {
		t.Fatal(err)
	}
	if _, err := report.Decode(compacted.Bytes()); err != nil {
		t.Errorf("without blanks, which are no content: %v", err)
	}
}

func TestEncodeRefusesWhatIsNoJSON(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{"cut": `{"a":`, "twice": `{"a":1,"a":2}`} {
		r := &report.Report{Schema: report.Schema, Run: report.Run{Summary: json.RawMessage(raw)}}
		if _, err := r.Encode(); err == nil || !strings.HasPrefix(err.Error(), "encode report: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDecode: what is accepted can be encoded and read again, and means the same.
func FuzzDecode(f *testing.F) {
	for _, r := range []*report.Report{ // small ones: large inputs are hardly changed
		build(f, report.Context{}),
		build(f, report.Context{Previous: []report.Brief{{SHA256: "x"}}}, injected(0, "f"),
			validated(1, execution.ValidationRecorded{ValidationID: "v", FaultID: "f", Status: "failed", Evidence: json.RawMessage(`{"n": 1e400}`)})),
	} {
		f.Add(frozen(f, r))
	}
	f.Add([]byte(`{"schema": "test-coordination.report/v1", "sha256": "x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		// Most changes break the digest; give what is JSON its own.
		var members map[string]json.RawMessage
		if json.Unmarshal(data, &members) == nil && members != nil {
			delete(members, "sha256")
			content, _ := json.Marshal(members)
			canonical := jsontext.Value(content)
			if canonical.Canonicalize() == nil {
				sum := sha256.Sum256(canonical)
				members["sha256"], _ = json.Marshal(hex.EncodeToString(sum[:]))
				data, _ = json.Marshal(members)
			}
		}
		r, err := report.Decode(data)
		if err != nil {
			return
		}
		encoded, err := r.Encode()
		if err != nil {
			t.Fatalf("read, and not written: %v", err)
		}
		again, err := report.Decode(encoded)
		if err != nil {
			t.Fatalf("written, and not read: %v", err)
		}
		if second, err := again.Encode(); err != nil || !bytes.Equal(encoded, second) {
			t.Fatalf("another report after reading (%v):\n%s", err, cmp.Diff(string(encoded), string(second)))
		}
	})
}
