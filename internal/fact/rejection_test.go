package fact_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

func TestRejectionError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rejection *fact.Rejection
		want      string
	}{
		"reason alone": {fact.Reject(fact.ReasonEmpty, "", "", ""), "empty"},
		"all parts": {
			fact.Reject(fact.ReasonRange, "data.exit_code", "4294967296", "a 32-bit integer"),
			`range: data.exit_code = "4294967296": a 32-bit integer`,
		},
		"no value": {fact.Reject(fact.ReasonID, "ce_subject", "", "required"), "id: ce_subject: required"},
		"no field": {fact.Reject(fact.ReasonJSON, "", "{", "one object"), `json = "{": one object`},
		"a value that forges a log line": {
			fact.Reject(fact.ReasonID, "id", "x\n{\"level\":\"error\"}\x1b[2J", "an id"),
			`id: id = "x\n{\"level\":\"error\"}\x1b[2J": an id`,
		},
		"a key that forges a log line": {
			fact.Reject(fact.ReasonDuplicateKey, "data.x\n{\"level\":\"error\"}", "", "keys once"),
			`duplicate_key: data.x\n{"level":"error"}: keys once`,
		},
		"a rule that repeats hostile bytes": {
			fact.Reject(fact.ReasonDefinition, "data.definition", "", "line 3: unknown \x1b[2J\n"),
			`definition: data.definition: line 3: unknown \x1b[2J\n`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := test.rejection.Error(); got != test.want {
				t.Errorf("Error = %s, want %s", got, test.want)
			}
		})
	}
}

// The parts are stored as PostgreSQL text: anything else would fail the batch
// that records the rejection, for ever.
func TestRejectionOfHostileBytesCanBeStored(t *testing.T) {
	t.Parallel()
	hostile := rapid.OneOf(
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{"\x00", "a\x00\xff\xfe", strings.Repeat("\x00", 100_000), strings.Repeat("é", 50_000)}),
	)
	rapid.Check(t, func(t *rapid.T) {
		r := fact.Reject(fact.ReasonSchema, hostile.Draw(t, "field"), hostile.Draw(t, "value"), hostile.Draw(t, "rule"))
		for _, s := range []string{r.Field, r.Value, r.Rule} {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) || utf8.RuneCountInString(s) > 401 {
				t.Fatalf("cannot be stored: %d bytes %q", len(s), s)
			}
		}
		if line := r.Error(); strings.ContainsAny(line, "\n\r\x1b") {
			t.Fatalf("not one line: %q", line)
		}
	})
}

func TestCut(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ in, want string }{
		"empty":                       {"", ""},
		"short":                       {"exec-1", "exec-1"},
		"80 characters":               {strings.Repeat("é", 80), strings.Repeat("é", 80)},
		"81 characters":               {strings.Repeat("é", 81), strings.Repeat("é", 80) + "…"},
		"80 characters of 4 bytes":    {strings.Repeat("𝄞", 80), strings.Repeat("𝄞", 80)},
		"cut within a character":      {"a" + strings.Repeat("𝄞", 90), "a" + strings.Repeat("𝄞", 79) + "…"},
		"invalid bytes":               {"a\xff\xfeb", "a\uFFFDb"},
		"NUL":                         {"a\x00b", "a\u2400b"},
		"long but collapsing":         {strings.Repeat("\xff", 1000), "\uFFFD…"},
		"long NULs":                   {strings.Repeat("\x00", 1000), strings.Repeat("\u2400", 80) + "…"},
		"control characters are kept": {"a\nb", "a\nb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := fact.Cut(test.in); got != test.want {
				t.Errorf("Cut = %q, want %q", got, test.want)
			}
		})
	}
}

func FuzzCut(f *testing.F) {
	f.Add("exec-1")
	f.Add(strings.Repeat("𝄞", 81))
	f.Add("\x00\xff" + strings.Repeat("a", 400))
	f.Fuzz(func(t *testing.T, s string) {
		got := fact.Cut(s)
		if !utf8.ValidString(got) || strings.ContainsRune(got, 0) {
			t.Errorf("Cut = %q: not text", got)
		}
		if n := utf8.RuneCountInString(got); n > 81 {
			t.Errorf("%d characters", n)
		}
		if utf8.RuneCountInString(s) <= 80 && utf8.ValidString(s) && !strings.ContainsRune(s, 0) && got != s {
			t.Errorf("Cut = %q: a short text was changed from %q", got, s)
		}
	})
}
