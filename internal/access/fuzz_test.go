package access_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/access"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/yamlfile"
)

// FuzzFile gives any text as an access file: entries that hold every rule and
// are the same when they are written and read again, or problems.
func FuzzFile(f *testing.F) {
	const hash = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
	for _, seed := range []string{
		"- {name: a, role: reader, sha256: " + hash + "}\n", "- name: a\n  role: operator\n  certificate: \"spiffe://a/b\"\n  expires: 2027-01-01T00:00:00+02:00\n",
		"", "[]", "- a", "- [a]", "- {}", "- &a {name: *a}", "- {? [a] : b}", "a: b", "- {name: a, <<: {role: reader}}", "---\n- {}\n---\n- {}\n", "- {name: !!binary aGk=, role: !!int 7, sha256: 0x10}",
		"- {name: a, role: reader, certificate: " + strings.Repeat("x", 256) + "}", "- {name: a, role: reader, sha256: " + hash + ", expires: 9999-12-31T23:59:59.999999999Z}", "%YAML 1.1\n---\n- {}", "\xef\xbb\xbf- {}", "- {name: \"\\u0000\"}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		entries, err := access.Parse([]byte(content))
		if err != nil {
			var problems yamlfile.Problems
			if !errors.As(err, &problems) || len(problems) == 0 || entries != nil {
				t.Fatalf("got %v and %T: %v", entries, err, err)
			}
			for _, p := range problems {
				if p.Rule == "" || p.Line < 0 || p.Line > 1+strings.Count(content, "\n")+strings.Count(content, "\r") {
					t.Errorf("problem %+v of a text of %d lines", p, strings.Count(content, "\n"))
				}
			}
			return
		}
		if len(entries) == 0 {
			t.Fatal("neither entries nor problems")
		}
		var again strings.Builder
		for _, e := range entries {
			if access.CheckName(e.Name) != nil || !e.Role.May(contract.Access_ACCESS_READ) || e.Certificate != "" && e.Digest != (access.Digest{}) {
				t.Errorf("accepted: %+v", e)
			}
			line := map[string]string{"name": e.Name, "role": string(e.Role)}
			if e.Certificate != "" {
				line["certificate"] = e.Certificate
			} else {
				line["sha256"] = hex.EncodeToString(e.Digest[:])
			}
			if !e.Expires.IsZero() {
				line["expires"] = e.Expires.Format(time.RFC3339Nano)
			}
			encoded, err := json.Marshal(line) // JSON is YAML
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&again, "- %s\n", encoded)
		}
		same, err := access.Parse([]byte(again.String()))
		if diff := cmp.Diff(entries, same, cmpopts.IgnoreFields(access.Entry{}, "Line")); err != nil || diff != "" {
			t.Errorf("written and read again: %v\n%s", err, diff)
		}
	})
}

// FuzzAuthorization sends any values of the header: whoever does not send the
// token as it is, alone, is refused, and is told nothing of it.
func FuzzAuthorization(f *testing.F) {
	token, line := tokenEntry("ci", access.Operator)
	other, _ := access.NewToken()
	for _, seed := range [][2]string{
		{"Bearer TOKEN", ""},
		{"bearer   TOKEN  ", ""},
		{"Bearer TOKEN", "Bearer TOKEN"},
		{"Basic TOKEN", ""},
		{"TOKEN", ""},
		{"", ""},
		{"Bearer", ""},
		{"Bearer " + other, ""},
		{"Bearer TOKENx", ""},
		{"Bearer TOKEN,Bearer TOKEN", ""},
		{"Bearer \x00", "\xff"},
		{"Bearer tcda_" + strings.Repeat("A", 43), ""},
		{"Bearer " + strings.Repeat("x", 1000), ""},
	} {
		f.Add(seed[0], seed[1])
	}
	s := serve(f, access.Config{File: file(f, "access.yaml", line)})
	in := false
	guarded := s.guard.API(&net.TCPAddr{IP: net.IPv4zero}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { in = true }))
	f.Fuzz(func(t *testing.T, first, second string) {
		request := httptest.NewRequestWithContext(t.Context(), "POST", operate, http.NoBody)
		request.Header["Authorization"] = []string{strings.ReplaceAll(first, "TOKEN", token)}
		if second != "" {
			request.Header["Authorization"] = append(request.Header["Authorization"], strings.ReplaceAll(second, "TOKEN", token))
		}
		recorder := httptest.NewRecorder()
		in = false
		guarded.ServeHTTP(recorder, request)
		scheme, rest, _ := strings.Cut(first, " ")
		if want := strings.EqualFold(scheme, "bearer") && strings.Trim(rest, " ") == "TOKEN" && second == ""; in != want {
			t.Fatalf("%q, %q: let in %t, want %t", first, second, in, want)
		}
		if !in && (recorder.Code != http.StatusUnauthorized || strings.Contains(recorder.Body.String(), token[5:])) {
			t.Fatalf("%q, %q: answered %d %s", first, second, recorder.Code, recorder.Body)
		}
	})
}
