package access_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/access"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/yamlfile"
)

var (
	hashA = strings.Repeat("a1", 32)
	hashB = strings.Repeat("b2", 32)
)

func TestFileIsRead(t *testing.T) {
	t.Parallel()
	entries, err := access.ReadFile(file(t, "access.yaml", `# who may call
- name: ci
  role: reader
  sha256: `+hashA+`
  expires: 2027-01-01T02:00:00+02:00
- {name: ci, role: reader, sha256: `+strings.ToUpper(hashB)+`} # the next one
- {name: console:1, role: operator, certificate: "spiffe://trading/console"}
`))
	if err != nil {
		t.Fatal(err)
	}
	var a, b access.Digest
	for i := range a {
		a[i], b[i] = 0xa1, 0xb2
	}
	want := []access.Entry{
		{Name: "ci", Role: access.Reader, Digest: a, Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), Line: 2},
		{Name: "ci", Role: access.Reader, Digest: b, Line: 6},
		{Name: "console:1", Role: access.Operator, Certificate: "spiffe://trading/console", Line: 7},
	}
	if diff := cmp.Diff(want, entries); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestProblemsOfFiles(t *testing.T) {
	t.Parallel()
	const list = "must be a list of entries such as {name: ci, role: reader, sha256: ..}; tcda access token makes one"
	token, _ := access.NewToken()
	many := strings.Builder{}
	for i := range 1001 {
		fmt.Fprintf(&many, "- {name: a, role: reader, sha256: %064x}\n", i)
	}
	for name, c := range map[string]struct {
		content string
		want    []string
	}{
		"empty":             {"", []string{list}},
		"only a comment":    {"# nobody\n", []string{list}},
		"an empty list":     {"[]", []string{list}},
		"no list":           {"name: ci", []string{list}},
		"a word":            {"ci", []string{list}},
		"no YAML":           {"- {name: ", []string{"must be YAML: "}},
		"no UTF-8":          {"- name: \xff", []string{"must be YAML: "}},
		"a NUL":             {"- name: \x00", []string{"must be YAML: "}},
		"an unknown alias":  {"- *a", []string{"must be YAML: "}},
		"two documents":     {"- {name: a, role: reader, sha256: " + hashA + "}\n---\n- {name: b, role: reader, sha256: " + hashB + "}\n", []string{"must be one YAML document: what follows --- would not be read"}},
		"too many":          {many.String(), []string{"must have at most 1000 entries"}},
		"an entry of text":  {"- ci\n", []string{"line 1: must be an entry such as {name: ci, role: reader, sha256: ..}"}},
		"an alias":          {"- &a {name: a, role: reader, sha256: " + hashA + "}\n- *a\n", []string{"line 2: must be an entry such as"}},
		"no keys":           {"- {}\n", []string{"line 1: name: must be given", "line 1: role: must be given", "line 1: must have either sha256 or certificate"}},
		"an unknown key":    {"- {name: a, role: reader, sha256: " + hashA + ", token: x}\n", []string{"line 1: must have no keys but name, role, sha256, certificate and expires"}},
		"a key of a list":   {"- {name: a, role: reader, sha256: " + hashA + ", [a]: x}\n", []string{"line 1: must have no keys but"}},
		"a key twice":       {"- {name: a, role: reader, role: operator, sha256: " + hashA + "}\n", []string{"line 1: role: must be given once"}},
		"a list of roles":   {"- {name: a, role: [reader], sha256: " + hashA + "}\n", []string{"line 1: role: must be a plain value"}},
		"an unknown role":   {"- {name: a, role: admin, sha256: " + hashA + "}\n", []string{"line 1: role: must be reader, coordinator or operator"}},
		"a bad name":        {"- {name: a b, role: reader, sha256: " + hashA + "}\n", []string{"line 1: name: must be letters, digits"}},
		"anonymous":         {"- {name: anonymous, role: reader, sha256: " + hashA + "}\n", []string{"line 1: name: must be letters, digits"}},
		"the token":         {"- {name: a, role: reader, sha256: " + token + "}\n", []string{"line 1: sha256: must be the 64 hexadecimal digits of a token's sha-256, and never the token itself"}},
		"a short hash":      {"- {name: a, role: reader, sha256: " + hashA[2:] + "}\n", []string{"line 1: sha256: must be"}},
		"an odd hash":       {"- {name: a, role: reader, sha256: " + hashA[1:] + "}\n", []string{"line 1: sha256: must be"}},
		"a long hash":       {"- {name: a, role: reader, sha256: " + hashA + "00}\n", []string{"line 1: sha256: must be"}},
		"both":              {"- {name: a, role: reader, sha256: " + hashA + ", certificate: c}\n", []string{"line 1: must have either sha256 or certificate"}},
		"an empty name":     {"- {name: a, role: reader, certificate: ''}\n", []string{"line 1: certificate: must be a name in a client certificate"}},
		"a control":         {"- {name: a, role: reader, certificate: \"a\\e[2J\"}\n", []string{"line 1: certificate: must be a name in a client certificate"}},
		"no time":           {"- {name: a, role: reader, sha256: " + hashA + ", expires: tomorrow}\n", []string{"line 1: expires: must be a time such as 2027-01-01T00:00:00Z"}},
		"the year 1":        {"- {name: a, role: reader, sha256: " + hashA + ", expires: 0001-01-01T00:00:00Z}\n", []string{"line 1: expires: must be a time such as 2027-01-01T00:00:00Z"}},
		"a hash twice":      {"- {name: a, role: reader, sha256: " + hashA + "}\n- {name: b, role: operator, sha256: " + strings.ToUpper(hashA) + "}\n", []string{"line 2: sha256: must be another than on line 1"}},
		"certificate twice": {"- {name: a, role: reader, certificate: c}\n- {name: b, role: operator, certificate: c}\n", []string{"line 2: certificate: must be another than on line 1"}},
		"a name, two roles": {"- {name: a, role: reader, certificate: c}\n- {name: a, role: operator, certificate: d}\n", []string{"line 2: role: must be reader, as on line 1 for the same name"}},
		"all at once": {
			"- {role: admin, sha256: x}\n- name: ''\n  role: reader\n  sha256: " + hashA + "\n- 7\n",
			[]string{"line 1: role: must be", "line 1: sha256: must be", "line 1: name: must be given", "line 2: name: must be letters", "line 5: must be an entry"},
		},
	} {
		entries, err := access.Parse([]byte(c.content))
		var problems yamlfile.Problems
		if !errors.As(err, &problems) || entries != nil {
			t.Errorf("%s: got %v and error %v, want problems", name, entries, err)
			continue
		}
		matches := len(problems) == len(c.want)
		for i := range min(len(problems), len(c.want)) {
			matches = matches && strings.HasPrefix(problems[i].String(), c.want[i])
		}
		if !matches {
			t.Errorf("%s: got\n%v\nwant\n%s", name, err, strings.Join(c.want, "\n"))
		}
		if strings.Contains(err.Error(), token) || strings.Contains(err.Error(), hashA) {
			t.Errorf("%s: shows a secret: %v", name, err)
		}
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for path, says := range map[string]string{
		filepath.Join(t.TempDir(), "none.yaml"): "no such file",
		t.TempDir():                             "is a directory",
		file(t, "large.yaml", strings.Repeat("# nothing\n", 1<<20/10+1)): "more than 1048576 bytes",
		file(t, "none.yaml", "- {name: "):                                "must be YAML: ",
		file(t, "key.yaml", "- {name: a, token: x}"):                     "must have no keys but name",
		file(t, "two.yaml", "[]\n---\n[]\n"):                             "must be one YAML document",
	} {
		if _, err := access.ReadFile(path); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error is %v, want %q and the path", path, err, says)
		}
	}
}
