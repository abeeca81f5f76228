package evidence_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/evidence"
)

// zipOf is a ZIP with these names and contents, one behind the other.
func zipOf(t testing.TB, entries ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		to, err := z.Create(entries[i])
		if err == nil && !strings.HasSuffix(entries[i], "/") {
			_, err = to.Write([]byte(entries[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatIsNoBundleIsUnreadable(t *testing.T) {
	t.Parallel()
	good, _ := write(t, sourceOf(t, crash(t)))
	many := make([]string, 0, 2400)
	for range 1200 {
		many = append(many, "report.json", "")
	}
	for name, b := range map[string][]byte{
		"nothing":             nil,
		"text":                []byte("PK but no ZIP"),
		"an empty ZIP":        zipOf(t),
		"no manifest":         zipOf(t, "report.json", "{}"),
		"manifest of no JSON": zipOf(t, "manifest.json", "{"),
		"another schema":      zipOf(t, "manifest.json", `{"schema":"test-coordination.evidence/v2"}`),
		"no schema":           zipOf(t, "manifest.json", `{}`),
		"a member too many":   zipOf(t, "manifest.json", `{"schema":"test-coordination.evidence/v1","extra":1}`),
		"a member twice":      zipOf(t, "manifest.json", `{"schema":"test-coordination.evidence/v1","run":1,"run":2}`),
		"a huge manifest":     zipOf(t, "manifest.json", strings.Repeat(" ", 2<<20)),
		"too many entries":    zipOf(t, many...),
		"cut":                 good[:len(good)-10],
	} {
		var unreadable *evidence.UnreadableError
		if r, err := evidence.Verify(t.Context(), bytes.NewReader(b), int64(len(b)), evidence.Expected{}); !errors.As(err, &unreadable) {
			t.Errorf("%s: result %+v, error %v", name, r, err)
		}
	}
}

func TestHostileArchives(t *testing.T) {
	t.Parallel()
	good, _ := write(t, sourceOf(t, crash(t)))
	f := unpack(t, good)
	appended := func(names ...string) []byte {
		var all []string
		for _, n := range f.names {
			all = append(all, n, string(f.content[n]))
		}
		for _, n := range names {
			all = append(all, n, "x")
		}
		return zipOf(t, all...)
	}
	for name, c := range map[string]struct {
		file  []byte
		check evidence.Check
		says  string
	}{
		"an entry twice":          {appended("report.json"), evidence.CheckArchive, "more than once"},
		"the manifest twice":      {appended("manifest.json"), evidence.CheckArchive, "more than once"},
		"a path out of here":      {appended("../../etc/passwd"), evidence.CheckArchive, "no entry of this name"},
		"an absolute path":        {appended("/etc/passwd"), evidence.CheckArchive, "no entry of this name"},
		"a path of Windows":       {appended(`..\..\x`), evidence.CheckArchive, "no entry of this name"},
		"a name for a terminal":   {appended("\x1b[2J\n.txt"), evidence.CheckArchive, "no entry of this name"},
		"a name in capitals":      {appended("REPORT.JSON"), evidence.CheckArchive, "no entry of this name"},
		"an entry that is hidden": {appended("compared/" + strings.Repeat("0", 64) + ".json"), evidence.CheckArchive, "does not list it"},
		"a folder":                {appended("compared/"), evidence.CheckArchive, "no entry of this name"},
		"a comment":               {commented(t, good), evidence.CheckArchive, "the ZIP has a comment: expected nothing, found hi!"},
		"the longest comment":     {slices.Concat(in64(good)[:len(in64(good))-2], []byte{0xff, 0xff}, make([]byte, 1<<16-1)), evidence.CheckArchive, "the ZIP has a comment"},
		"a comment of an entry":   {packed(t, f, "report.json", nil, nil, "PK"), evidence.CheckArchive, "report.json: it has a comment"},
		"an unknown method":       {methodOf(t, good, "report.html", 99), evidence.CheckArchive, "method 99"},
		"a wrong CRC":             {corrupted(t, good, "report.html"), evidence.CheckEntries, "cannot be read"},
	} {
		r := verify(t, c.file, evidence.Expected{})
		found := false
		for _, f := range r.Findings {
			found = found || f.Check == c.check && strings.Contains(f.String(), c.says)
		}
		if !found {
			t.Errorf("%s: findings %v, want %s: %s", name, r.Findings, c.check, c.says)
		}
	}
}

func commented(t testing.TB, b []byte) []byte {
	t.Helper()
	return append(bytes.Clone(b[:len(b)-2]), 3, 0, 'h', 'i', '!')
}

// directory finds the record of an entry in the central directory.
func directory(t testing.TB, b []byte, name string) []byte {
	t.Helper()
	for at := 0; ; at++ {
		i := bytes.Index(b[at:], []byte("PK\x01\x02"))
		if i < 0 {
			t.Fatalf("%s is not in the directory", name)
		}
		at += i
		if record := b[at:]; bytes.HasPrefix(record[46:], []byte(name)) {
			return record
		}
	}
}

func methodOf(t testing.TB, b []byte, name string, method uint16) []byte {
	t.Helper()
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint16(directory(t, b, name)[10:], method)
	return b
}

func corrupted(t testing.TB, b []byte, name string) []byte {
	t.Helper()
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint32(directory(t, b, name)[16:], crc32.ChecksumIEEE([]byte("other")))
	return b
}

// zeros are n bytes of zero, packed.
type zeros struct{ n int64 }

func (z *zeros) Read(b []byte) (int, error) {
	if z.n == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(b)), z.n)
	clear(b[:n])
	z.n -= n
	return int(n), nil
}

// bombs are a bundle with an entry that unpacks to so much.
func bomb(t testing.TB, name string, size int64) []byte {
	t.Helper()
	good, _ := write(t, sourceOf(t, crash(t)))
	f := unpack(t, good)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range f.names {
		to, err := z.Create(n)
		if err != nil {
			t.Fatal(err)
		}
		var from io.Reader = bytes.NewReader(f.content[n])
		if n == name {
			from = &zeros{n: size}
		}
		if _, err := io.Copy(to, from); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What unpacks to much more than the manifest says is left at that.
func TestBombsAreLeftAlone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"events.jsonl", "report.json", "definition.yaml", "report.html"} {
		b := bomb(t, name, 200<<20)
		if len(b) > 1<<20 {
			t.Fatalf("the file has %d bytes", len(b))
		}
		r := verify(t, b, evidence.Expected{})
		found := false
		for _, f := range r.Findings {
			found = found || f.Check == evidence.CheckEntries && f.Entry == name && f.Problem == "size" && f.Found == "more"
		}
		if !found {
			t.Errorf("%s: findings %v", name, r.Findings)
		}
	}
}

// A report that has the digest it carries, and is made to fill the memory, is not read.
func TestReportOfTooManyPartsIsNotRead(t *testing.T) {
	t.Parallel()
	good, _ := write(t, sourceOf(t, crash(t)))
	f := unpack(t, good)
	var report map[string]json.RawMessage
	if err := json.Unmarshal(f.content["report.json"], &report); err != nil {
		t.Fatal(err)
	}
	delete(report, "sha256")
	report["steps"] = json.RawMessage("[" + strings.Repeat("{},", 600_000) + "{}]")
	content, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	canonical := jsontext.Value(content)
	if err := canonical.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(canonical)
	report["sha256"] = json.RawMessage(`"` + hex.EncodeToString(sum[:]) + `"`)
	if f.content["report.json"], err = json.Marshal(report); err != nil {
		t.Fatal(err)
	}
	f.relist(t)
	r := verify(t, f.pack(t), evidence.Expected{})
	if !slices.ContainsFunc(r.Findings, func(f evidence.Finding) bool {
		return f.Check == evidence.CheckReport && strings.Contains(f.Problem, "more than 500000 objects")
	}) {
		t.Errorf("findings %v", r.Findings)
	}
}

// hiding is a ZIP with text behind what is packed of an entry, which all that
// describes the entry counts as packed.
func hiding(t testing.TB, f *files, of, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range f.names {
		content := f.content[name]
		var deflated bytes.Buffer
		to, err := flate.NewWriter(&deflated, flate.BestSpeed)
		if err == nil {
			_, err = to.Write(content)
		}
		if err == nil {
			err = to.Close()
		}
		if name == of {
			deflated.WriteString(text)
		}
		var raw io.Writer
		if err == nil {
			raw, err = z.CreateRaw(&zip.FileHeader{
				Name: name, Method: zip.Deflate, Flags: 8, CRC32: crc32.ChecksumIEEE(content),
				CompressedSize64: uint64(deflated.Len()), UncompressedSize64: uint64(len(content)), //nolint:gosec // no negative length
			})
		}
		if err == nil {
			_, err = raw.Write(deflated.Bytes())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Where what is packed of an entry ends, nothing else is.
func TestNothingHidesBehindWhatIsPacked(t *testing.T) {
	t.Parallel()
	good, _ := write(t, sourceOf(t, crash(t)))
	f := unpack(t, good)
	if r := verify(t, hiding(t, f, "", ""), evidence.Expected{}); !r.Verified {
		t.Errorf("nothing is hidden: findings %v", r.Findings)
	}
	for _, text := range []string{"e", "\x00", strings.Repeat("evil", 10_000)} {
		for _, name := range f.names {
			b := hiding(t, f, name, text)
			r, err := evidence.Verify(t.Context(), bytes.NewReader(b), int64(len(b)), evidence.Expected{})
			if name == "manifest.json" {
				if err == nil || !strings.Contains(err.Error(), "bytes lie behind") {
					t.Errorf("%s: result %+v, error %v", name, r, err)
				}
				continue
			}
			if err != nil || !slices.ContainsFunc(r.Findings, func(f evidence.Finding) bool {
				return f.Check == evidence.CheckEntries && f.Entry == name && strings.Contains(f.Problem, "bytes lie behind")
			}) {
				t.Errorf("%s: findings %v, error %v", name, r.Findings, err)
			}
		}
	}
}

// Lines that no event can be are found, one by one.
func TestHostileLines(t *testing.T) {
	t.Parallel()
	good, _ := write(t, sourceOf(t, crash(t)))
	f := unpack(t, good)
	rest := f.lines()[0]
	record := rest[strings.Index(rest, `,"record":`):]
	for name, line := range map[string]string{
		"no JSON":              "\x00\xff",
		"a list":               "[]",
		"a number":             "1e999",
		"deep":                 `{"event":` + strings.Repeat("[", 100_000),
		"deep, and whole":      `{"event":{"data":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}` + record,
		"no event":             `{"event":null` + record,
		"an event of nothing":  `{"event":{}` + record,
		"no UTF-8":             `{"event":{"id":"` + "\xff" + `"}` + record,
		"of a scenario":        `{"event":{"specversion":"1.0","id":"a","source":"/a","type":"test-coordination.scenario.status_changed.v1","subject":"s","time":"2026-01-01T00:00:00Z","data":{"scenario_id":"s","status":"active"}}` + record,
		"an unknown type":      `{"event":{"specversion":"1.0","id":"a","source":"/a","type":"x","subject":"s","time":"2026-01-01T00:00:00Z","data":{}}` + record,
		"base64 of nothing":    `{"event":{"specversion":"1.0","id":"a","source":"/a","type":"test-coordination.execution.paused.v1","subject":"` + id + `","time":"2026-01-01T00:00:00Z","datacontenttype":"application/protobuf","data_base64":"////"}` + record,
		"more tokens than any": `{"event":{"data":{"a":[` + strings.Repeat("1,", 1_100_000) + `1]}}` + record,
	} {
		f := unpack(t, good)
		lines := f.lines()
		lines[3] = line
		f.setLines(lines)
		f.relist(t)
		r := verify(t, f.pack(t), evidence.Expected{})
		found := false
		for _, f := range r.Findings {
			found = found || f.Check == evidence.CheckEvents && f.Line == 4 && strings.Contains(f.Problem, "cannot be read")
			if len(f.String()) > 2000 {
				t.Errorf("%s: a finding of %d bytes", name, len(f.String()))
			}
		}
		if !found {
			t.Errorf("%s: findings %v", name, r.Findings)
		}
	}
}

// FuzzVerify: whatever a file holds, it is judged without a panic, and never taken
// for the one that it is not.
func FuzzVerify(f *testing.F) {
	good, manifest := write(f, sourceOf(f, crash(f)))
	parts := unpack(f, good)
	f.Add(good, []byte(nil), []byte(nil), []byte(nil))
	f.Add([]byte(nil), parts.content["events.jsonl"], parts.content["report.json"], []byte(nil))
	f.Add([]byte(nil), parts.content["events.jsonl"], parts.content["report.json"], parts.content["manifest.json"])
	f.Fuzz(func(t *testing.T, file, events, frozen, list []byte) {
		if len(file) == 0 { // a bundle with these parts
			bundle := unpack(t, good)
			bundle.content["events.jsonl"], bundle.content["report.json"] = events, frozen
			if len(list) > 0 {
				bundle.content["manifest.json"] = list
			} else {
				bundle.relist(t)
			}
			file = bundle.pack(t)
		}
		r, err := evidence.Verify(t.Context(), bytes.NewReader(file), int64(len(file)), evidence.Expected{Manifest: manifest.SHA256()})
		if err != nil {
			return
		}
		if r.Verified && r.Report != manifest.Report.SHA256 {
			t.Errorf("a file with report %s is taken for that with %s", r.Report, manifest.Report.SHA256)
		}
	})
}
