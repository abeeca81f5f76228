package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/access"
)

// What is printed can be appended to the file, and the token is not in it.
func TestAccessToken(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "access.yaml")
	shown := regexp.MustCompile(`^the token of \S+, shown this once: (tcda_[A-Za-z0-9_-]{43})\n$`)
	var content strings.Builder
	digests := map[string]bool{}
	for _, args := range []string{"access token ci --role=reader", "access token coordinator-1 --role coordinator --valid-for 2160h", "access token 1e3 --role=operator", "access token a:b --role=operator", "access token null --role=operator"} {
		code, stdout, stderr := tcda(t, nil, "", strings.Fields(args)...)
		match := shown.FindStringSubmatch(stderr)
		if code != 0 || match == nil || strings.Contains(stdout, match[1]) {
			t.Fatalf("%s: exit code %d\n%s%s", args, code, stdout, stderr)
		}
		sum := sha256.Sum256([]byte(match[1]))
		digests[hex.EncodeToString(sum[:])] = true
		content.WriteString(stdout)
	}
	if err := os.WriteFile(path, []byte(content.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	entries, err := access.ReadFile(path)
	if err != nil || len(entries) != 5 {
		t.Fatalf("%v: %v\n%s", entries, err, &content)
	}
	for _, e := range entries {
		if !digests[hex.EncodeToString(e.Digest[:])] {
			t.Errorf("the entry %+v is that of no token", e)
		}
	}
	if e := entries[1]; e.Name != "coordinator-1" || e.Role != access.Coordinator || time.Until(e.Expires) < 2159*time.Hour {
		t.Errorf("entry is %+v", e)
	}
	if entries[2].Name != "1e3" || entries[3].Name != "a:b" || entries[4].Name != "null" {
		t.Errorf("names are %+v", entries)
	}
	var line tokenLine
	code, stdout, stderr := tcda(t, nil, "", "access", "token", "ci", "--role=reader", "--valid-for=1h", "--json")
	if err := json.Unmarshal([]byte(stdout), &line); err != nil || code != 0 || stderr != "" || line.Name != "ci" || line.Role != "reader" || line.Expires == nil || len(line.Token) != 48 || len(line.SHA256) != 64 {
		t.Errorf("--json: %d %s%s (%v)", code, stdout, stderr, err)
	}
	for _, args := range []string{"access token", "access token ci", "access token ci --role=admin", "access token anonymous --role=reader", "access token a/b --role=reader", "access token ci --role=reader --valid-for=-1h"} {
		if code, stdout, _ := tcda(t, nil, "", strings.Fields(args)...); code != exitUsage || strings.Contains(stdout, "sha256: ") {
			t.Errorf("%s: exit code %d\n%s", args, code, stdout)
		}
	}
}

func TestAccessCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	hash := strings.Repeat("a1", 32)
	good := write("good.yaml", "- {name: ci, role: reader, sha256: "+hash+", expires: 2020-01-01T00:00:00Z}\n- {name: console, role: operator, certificate: console.example}\n")
	bad := write("bad.yaml", "- {name: ci, role: admin, sha256: "+hash+"}\n- {name: ci}\n")

	const want = `NAME     ROLE      BY                           UNTIL
ci       reader    token                        2020-01-01T00:00:00Z (expired)
console  operator  certificate console.example  -
the access file can be used
`
	setting := map[string]string{"TEST_COORDINATOR_ADAPTER_ACCESS_FILE": good}
	for _, args := range [][]string{{"access", "check", good}, {"access", "check"}} {
		if code, stdout, stderr := tcda(t, setting, "", args...); code != 0 || stdout != want || stderr != "" {
			t.Errorf("%q: exit code %d\n%s%s", args, code, stdout, stderr)
		}
	}
	if code, stdout, stderr := tcda(t, setting, "", "access", "check", bad); code != exitUsage || stdout != "" || !strings.HasPrefix(stderr, "tcda: "+bad+": 3 problem(s)\n  line 1: role: must be reader") {
		t.Errorf("bad: exit code %d\n%s%s", code, stdout, stderr)
	}
	var report struct {
		Valid    bool          `json:"valid"`
		Entries  []entryLine   `json:"entries"`
		Problems []problemLine `json:"problems"`
	}
	code, stdout, stderr := tcda(t, nil, "", "access", "check", "--json", good)
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != 0 || !report.Valid || len(report.Entries) != 2 || !report.Entries[0].Expired || report.Entries[1].By != "certificate" || len(report.Problems) != 0 {
		t.Errorf("--json: %d %s%s (%v)", code, stdout, stderr, err)
	}
	code, stdout, stderr = tcda(t, nil, "", "access", "check", "--json", bad)
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != exitUsage || report.Valid || len(report.Entries) != 0 || len(report.Problems) != 3 || stderr != "" {
		t.Errorf("--json: %d %s%s (%v)", code, stdout, stderr, err)
	}
	if code, _, stderr := tcda(t, nil, "", "access", "check"); code != exitUsage || !strings.Contains(stderr, "access-file") {
		t.Errorf("no file: exit code %d\n%s", code, stderr)
	}
	if code, _, stderr := tcda(t, nil, "", "access", "check", filepath.Join(dir, "none")); code != exitFailed || !strings.Contains(stderr, "no such file") {
		t.Errorf("no such file: exit code %d\n%s", code, stderr)
	}
}
