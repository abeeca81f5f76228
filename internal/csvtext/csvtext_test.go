package csvtext_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/csvtext"
)

func TestDisarmed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "plain": "plain", "1-1": "1-1", " =1": " =1", "\xff=": "\xff=", "\"=1\"": "\"=1\"",
		"=1": "'=1", "+1": "'+1", "-1": "'-1", "@SUM(1)": "'@SUM(1)", "\t=1": "'\t=1", "\r=1": "'\r=1", "\n=1": "'\n=1",
		"＝1": "'＝1", "＋1": "'＋1", "－1": "'－1", "＠1": "'＠1",
		"'": "''", "'quoted'": "''quoted'", "'=1": "''=1", "''=1": "'''=1",
	} {
		if got := csvtext.Disarmed(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// No text begins as a formula, and one apostrophe less gives each back.
func TestAnyTextComesBack(t *testing.T) {
	t.Parallel()
	piece := rapid.OneOf(rapid.SampledFrom(strings.Split("= + - @ \t \r \n ' ＝ ＋ － ＠ \xff a", " ")), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 0, 4).Draw(t, "pieces"), "")
		got := csvtext.Disarmed(text)
		if strings.IndexAny(got, "=+-@\t\r\n＝＋－＠") == 0 {
			t.Errorf("%q became %q", text, got)
		}
		if back := strings.TrimPrefix(got, "'"); back != text {
			t.Errorf("%q came back as %q", text, back)
		}
	})
}
