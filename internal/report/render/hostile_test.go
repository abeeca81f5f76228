package render_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/render"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/reporttest"
)

// overwrite gives all texts of a report that are not words of the contract the
// value that next gives.
func overwrite(v reflect.Value, next func() string) {
	switch v.Kind() { //nolint:exhaustive // the rest holds no text
	case reflect.String:
		switch v.Interface().(type) {
		case string:
			if v.String() != "" {
				v.SetString(next())
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			overwrite(v.Elem(), next)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if v.Len() > 0 {
				quoted, _ := json.Marshal(next())
				v.SetBytes(quoted)
			}
			return
		}
		for i := range v.Len() {
			overwrite(v.Index(i), next)
		}
	case reflect.Map:
		if v.Type() == reflect.TypeFor[map[string]string]() {
			m := map[string]string{}
			for range v.Len() {
				m[next()] = next()
			}
			v.Set(reflect.ValueOf(m))
		}
	case reflect.Struct:
		if _, isTime := v.Interface().(time.Time); isTime {
			return
		}
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name == "SteadyState" && v.Field(i).Kind() == reflect.String || name == "Priority" || name == "SHA256" {
				continue // words, too
			}
			overwrite(v.Field(i), next)
		}
	}
}

// written is a report with one text everywhere, after a number that differs.
func written(text string) *report.Report {
	r, n := sample(), 1000
	overwrite(reflect.ValueOf(r).Elem(), func() string {
		n++
		return fmt.Sprintf("%s%dz", text, n)
	})
	// What makes rows come and go is no text's doing.
	for i := range r.Attempts {
		r.Attempts[i].FailedValidations = []string{r.Validations[5].ID}
	}
	return r
}

// readAll reads a report back from all formats.
func readAll(r *report.Report) (map[string]document, error) {
	all := map[string]document{}
	for _, f := range render.Formats() {
		var b bytes.Buffer
		err := render.Report(&b, f.Name, r)
		if err == nil {
			all[f.Name], err = readers[f.Name](b.Bytes())
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return all, nil
}

// harmless are the files of a report whose texts do no harm.
var harmless = sync.OnceValue(func() map[string]document {
	all, err := readAll(written("harmless"))
	if err != nil {
		panic(err)
	}
	return all
})

// staysText fails unless a report of this text looks, but for texts, like one of a
// harmless text, and gives the text back in each format.
func staysText(t interface {
	Helper()
	Errorf(string, ...any)
}, text string,
) {
	t.Helper()
	harmless := harmless()
	r := written(text)
	documents, err := readAll(r)
	if err != nil {
		t.Errorf("a report full of %q: %v", text, err)
		return
	}
	for _, f := range render.Formats() {
		d := documents[f.Name]
		if want := harmless[f.Name].skeleton; !slices.Equal(want, d.skeleton) {
			t.Errorf("%q changes %s (-harmless +this):\n%s", text, f.Name, cmp.Diff(want, d.skeleton))
		}
		for _, want := range expected(f.Name, r) {
			if !d.has(f.Name, want) {
				t.Errorf("%s does not give back %q", f.Name, want)
			}
		}
	}
}

// expected are texts that a format shows whole.
func expected(format string, r *report.Report) []string {
	v := r.Validations[5]
	switch format {
	case "csv":
		return []string{v.ID, v.AssertionType, v.Expected, v.Actual, v.Message, v.Service}
	case "csv-faults":
		return []string{r.Faults[2].Error, r.Faults[0].Target}
	case "csv-steps":
		return []string{r.Steps[1].Error, r.Steps[1].Action}
	case "csv-timeline":
		return []string{r.Timeline.Entries[0].Text}
	case "junit", "ctrf", "chaostoolkit":
		return []string{v.ID, v.Expected, v.Actual, r.Faults[2].Error, r.Steps[1].Error, r.Definition.Name, r.Run.Environment}
	case "markdown":
		return []string{v.AssertionType, v.Expected, v.Actual, r.Faults[2].Error, r.Verdict.Headline, r.Recommendations[0].Text, r.Unexpected[0].Text}
	}
	return []string{
		v.AssertionType, v.ID, v.Expected, v.Actual, v.Message, v.Service, r.Faults[2].Error, r.Steps[1].Error, r.Definition.Name, r.Verdict.Headline,
		r.Recommendations[0].Text, r.Unexpected[0].Text, r.Logs.Notable[0].Message, r.Timeline.Entries[0].Text, r.Annotations[0].Text, r.Definition.Parameters[0].Value,
		r.Snapshots[0].Changes[0].After,
	}
}

func TestHostileTextsStayText(t *testing.T) {
	t.Parallel()
	more := []string{
		"@everyone #1 org/repo#2 http://evil.example/ www.evil.example", "someone@evil.example :smile: $x$", "17:29:34 :29: 5:100: 5:1234:x", "1. one", "- item", "+ item", "# head", "> quote", "    code",
		"[^1]: note", "<!-- -->", "\\| \\\\| \\`", "``x`` ` y", "---", "a\n\nb", "'=1+1", "''=1", "\r=1", "＝1", "<![CDATA[", "&#0;", "\x00", "\xff\xfe", "${x} $(y) %00",
		"</title></style></svg></script>", "javascript:alert(1)", "`|`", "|", "*a* _b_ ~~c~~", "\ufffe\uffff",
	}
	for _, text := range append(more, reporttest.Nasty...) {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			t.Parallel()
			staysText(t, text)
		})
	}
}

// texts are made of what breaks formats, and of anything.
var texts = rapid.Custom(func(t *rapid.T) string {
	pieces := rapid.SliceOfN(rapid.OneOf(
		rapid.SampledFrom(reporttest.Nasty), rapid.SampledFrom([]string{"<", ">", "&", "\"", "'", "`", "|", "\\", "\n", "\r\n", "\t", "=", "+", "-", "@", "#", "*", "_", "[", "](", ")", "]]>", "{{", "}}", "$", "%", ":", "//", "www.", "a", "1", ".", " ", "\x00", "\x1b", "\xff", "\u2028", "~", "!", "<br>", "<!--", "-->", "<svg>", "</"}),
		rapid.StringN(0, 12, 48),
	), 1, 8).Draw(t, "pieces")
	return strings.Join(pieces, "")
})

func TestAnyTextStaysText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := texts.Draw(t, "text")
		staysText(t, first(text, 60)) // longer ones are cut in some places
	})
}

// first is as much of a text as has some characters when it is shown.
func first(text string, most int) string {
	for utf8.RuneCountInString(shown(text)) > most {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}

// Words of the contract cannot be hostile, for events are checked; if one were,
// files would still be well-formed.
func TestHostileWordsKeepFilesWellFormed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := texts.Draw(t, "text")
		r := sample()
		setAll(reflect.ValueOf(r).Elem(), text)
		documents, err := readAll(r)
		if err != nil {
			t.Fatalf("a report of nothing but %q: %v", text, err)
		}
		for name, d := range documents {
			if i := slices.IndexFunc(d.skeleton, func(s string) bool { return strings.HasPrefix(s, "<script") || strings.HasPrefix(s, "<img") }); i >= 0 {
				t.Errorf("%s of a report of nothing but %q has %s", name, text, d.skeleton[i])
			}
		}
	})
}

func setAll(v reflect.Value, text string) {
	switch v.Kind() { //nolint:exhaustive // the rest holds no text
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		if !v.IsNil() {
			setAll(v.Elem(), text)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			for i := range v.Len() {
				setAll(v.Index(i), text)
			}
		}
	case reflect.Struct:
		if _, isTime := v.Interface().(time.Time); !isTime {
			for i := range v.NumField() {
				setAll(v.Field(i), text)
			}
		}
	}
}

func FuzzTexts(f *testing.F) {
	for _, text := range reporttest.Nasty {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		staysText(t, first(text, 60))
	})
}

// The page of each fixture is one HTML page without scripts, links to elsewhere, or
// anything else that is fetched.
func TestPagesStandAlone(t *testing.T) {
	t.Parallel()
	pages := map[string][]byte{"comparison": compared(t, "html", comparison(t))}
	for _, run := range reporttest.Runs() {
		pages[run.Name] = rendered(t, "html", reporttest.Report(t, run.Name))
	}
	for name, page := range pages {
		root, err := html.Parse(bytes.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		ids, heading := map[string]bool{}, 0
		for n := range root.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			switch n.Data {
			case "script", "link", "img", "iframe", "object", "embed", "form", "input", "base", "foreignobject", "use", "image", "animate":
				t.Errorf("%s has <%s>", name, n.Data)
			case "h1", "h2", "h3":
				if level := int(n.Data[1] - '0'); level > heading+1 {
					t.Errorf("%s: <%s> after h%d", name, n.Data, heading)
				}
				heading = int(n.Data[1] - '0')
			}
			for _, a := range n.Attr {
				switch {
				case strings.HasPrefix(a.Key, "on"), a.Key == "src", a.Key == "action", a.Key == "style":
					t.Errorf("%s has <%s %s=%q>", name, n.Data, a.Key, a.Val)
				case a.Key == "href" && !strings.HasPrefix(a.Val, "#"):
					t.Errorf("%s has a link to %q", name, a.Val)
				case a.Key == "id" && ids[a.Val]:
					t.Errorf("%s has two #%s", name, a.Val)
				case a.Key == "id":
					ids[a.Val] = true
				}
			}
			if n.Data == "th" && !slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "scope" }) {
				t.Errorf("%s has a heading of a table without scope", name)
			}
			if n.Data == "svg" && !slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "role" || a.Key == "aria-hidden" }) && n.Parent.Data != "svg" {
				t.Errorf("%s has a picture without a name", name)
			}
		}
		for n := range root.Descendants() {
			for _, a := range n.Attr {
				for _, id := range strings.Fields(a.Val) {
					if (a.Key == "aria-labelledby" || a.Key == "href") && !ids[strings.TrimPrefix(id, "#")] {
						t.Errorf("%s: %s=%q leads nowhere", name, a.Key, a.Val)
					}
				}
			}
		}
	}
}
