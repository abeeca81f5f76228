package report_test

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

func TestFreeJSONHasOneForm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		want  string
		forms []string
	}{
		"keys and blanks":       {`{"a":[1,"x",null,true],"b":{}}`, []string{`{"b": {}, "a": [1, "x", null, true]}`, "{\"a\":[1,\"x\",null,true],\n\"b\":{}}"}},
		"equal keys":            {`{"a":2}`, []string{`{"a": 1, "a": 2}`}},
		"an integer":            {`100`, []string{`100`, `1e2`, `1E+2`, `100.0`, `100.00`, `10e1`}},
		"a fraction":            {`1.5`, []string{`1.5`, `1.50`, `15e-1`, `0.15e1`}},
		"zero":                  {`0`, []string{`0`, `-0`, `0.0`, `-0.00`, `0e5`}},
		"small":                 {`0.000001`, []string{`0.000001`, `1e-6`}},
		"smaller":               {`1e-7`, []string{`1e-7`, `0.0000001`, `0.00000010`}},
		"large":                 {`100000000000000000000`, []string{`1e20`, `100000000000000000000`, `100000000000000000000.0`}},
		"larger":                {`1e+22`, []string{`1e22`, `10000000000000000000000`, `1.0E22`}},
		"the largest exact":     {`9007199254740992`, []string{`9007199254740992`, `9007199254740992.0`}},
		"beyond 2^53":           {`"9007199254740993"`, []string{`9007199254740993`, `9007199254740993.0`}},
		"more digits":           {`"0.10000000000000001"`, []string{`0.10000000000000001`, `0.100000000000000010`}},
		"beyond float64":        {`"1e+400"`, []string{`1e400`, `1` + strings.Repeat("0", 400)}},
		"minus":                 {`-1.5e+300`, []string{`-1.5e300`, `-15` + strings.Repeat("0", 299)}},
		"beyond reason":         {`"1e9999999999"`, []string{`1E9999999999`}},
		"markup stays":          {`"<a href='x'>&</a>"`, []string{`"<a href='x'>&</a>"`, `"\u003ca href='x'\u003e&\u003c/a\u003e"`}},
		"no JSON":               {`"{\"a\":"`, []string{`{"a":`}},
		"more than one value":   {`"1 2"`, []string{`1 2`}},
		"a text like a number":  {`"1e2"`, []string{`"1e2"`}},
		"a line separator text": {`"\u2028"`, []string{"\"\u2028\"", `"\u2028"`}},
	} {
		for _, form := range c.forms {
			if got := string(report.Normalise(json.RawMessage(form))); got != c.want {
				t.Errorf("%s: %s gives %s, want %s", name, form, got, c.want)
			}
		}
	}
	if got := report.Normalise(nil); got != nil {
		t.Errorf("nothing gives %s", got)
	}
}

// Numbers keep their value to the last digit, have one form, and what stays a number
// is what RFC 8785 makes of it.
func TestNumbersKeepTheirValue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number")
		n := report.Normalise(json.RawMessage(text))
		if again := report.Normalise(n); string(again) != string(n) {
			t.Fatalf("%s gives %s, and that %s", text, n, again)
		}
		digits := strings.Trim(string(n), `"`)
		was, ok1 := new(big.Rat).SetString(text)
		is, ok2 := new(big.Rat).SetString(digits)
		if !ok1 || !ok2 || was.Cmp(is) != 0 {
			t.Fatalf("%s gives %s", text, n)
		}
		if n[0] == '"' {
			if f, err := strconv.ParseFloat(digits, 64); err == nil && new(big.Rat).SetFloat64(f) != nil && strconv.FormatFloat(f, 'f', -1, 64) == digits {
				t.Fatalf("%s became the text %s though a float64 keeps it", text, n)
			}
			return
		}
		canonical := jsontext.Value(text)
		if err := canonical.Canonicalize(); err != nil || string(canonical) != string(n) {
			t.Fatalf("%s gives %s, RFC 8785 %s (%v)", text, n, canonical, err)
		}
	})
}
