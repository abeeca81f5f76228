package render_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	goldmarkhtml "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/render"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/reporttest"
)

// A document is what a parser that is not ours has found in a file: its skeleton,
// in which no text of a report may be seen, and its texts.
type document struct {
	skeleton []string
	texts    []string
}

// readers parse each format.
var readers = map[string]func([]byte) (document, error){
	"json": readJSON, "ctrf": readJSON, "chaostoolkit": readJSON, "html": readHTML, "markdown": readMarkdown, "junit": readXML,
	"csv": readCSV, "csv-faults": readCSV, "csv-steps": readCSV, "csv-timeline": readCSV,
}

func readJSON(text []byte) (d document, err error) {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return d, err
	}
	d.walk("", value)
	return d, nil
}

func (d *document) walk(path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			if path == "/run/labels" || strings.HasSuffix(path, "/labels") || path == "/logs/levels" { // names are texts here
				d.texts = append(d.texts, name)
				d.walk(path+"/*", v[name])
				continue
			}
			d.walk(path+"/"+name, v[name])
		}
	case []any:
		for i := range v {
			d.walk(path+"/-", v[i])
		}
	case string:
		d.skeleton = append(d.skeleton, path)
		d.texts = append(d.texts, v)
	default:
		d.skeleton = append(d.skeleton, path)
	}
}

// readHTML is strict: what html.Parse would mend is not taken.
func readHTML(text []byte) (d document, err error) {
	z := html.NewTokenizer(bytes.NewReader(text))
	void := map[string]bool{"meta": true, "br": true, "hr": true, "img": true}
	var open []string
	for {
		switch z.Next() {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) {
				return d, z.Err()
			}
			if len(open) > 0 {
				return d, fmt.Errorf("not closed: %v", open)
			}
			return d, nil
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			names := []string{"<" + token.Data}
			for _, a := range token.Attr {
				names = append(names, a.Key)
				d.texts = append(d.texts, a.Val)
			}
			d.see(token.Data, strings.Join(names, " "))
			if !void[token.Data] {
				open = append(open, token.Data)
			}
		case html.EndTagToken:
			token := z.Token()
			if len(open) == 0 || open[len(open)-1] != token.Data {
				return d, fmt.Errorf("</%s> closes %v", token.Data, open)
			}
			open = open[:len(open)-1]
			d.see(token.Data, "</"+token.Data)
		case html.TextToken:
			s := z.Token().Data
			if len(open) > 0 && open[len(open)-1] == "style" {
				d.skeleton = append(d.skeleton, s)
				continue
			}
			d.texts = append(d.texts, s)
		case html.CommentToken:
			d.skeleton = append(d.skeleton, "<!--")
		case html.DoctypeToken:
			d.skeleton = append(d.skeleton, "<!doctype")
		}
	}
}

// see notes an element. Labels in pictures are there or not by the room that they
// have, and code and line ends in Markdown by what the text is.
func (d *document) see(name, mark string) {
	if !slices.Contains([]string{"text", "code", "br"}, name) {
		d.skeleton = append(d.skeleton, mark)
	}
}

var markdown = goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(goldmarkhtml.WithUnsafe(), goldmarkhtml.WithXHTML()))

func readMarkdown(text []byte) (document, error) {
	var page bytes.Buffer
	if err := markdown.Convert(text, &page); err != nil {
		return document{}, err
	}
	d, err := readHTML(page.Bytes())
	d.texts = []string{strings.Join(d.texts, "\x00")} // texts with line ends are in pieces
	d.texts[0] = strings.ReplaceAll(strings.ReplaceAll(d.texts[0], "\x00", ""), "\u200b", "")
	return d, err
}

func readXML(text []byte) (d document, err error) {
	x := xml.NewDecoder(bytes.NewReader(text))
	for {
		token, err := x.Token()
		if errors.Is(err, io.EOF) {
			return d, nil
		}
		if err != nil {
			return d, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			mark := "<" + token.Name.Local
			for _, a := range token.Attr {
				mark += " " + a.Name.Local
				d.texts = append(d.texts, a.Value)
			}
			d.skeleton = append(d.skeleton, mark)
		case xml.EndElement:
			d.skeleton = append(d.skeleton, "</"+token.Name.Local)
		case xml.CharData:
			d.texts = append(d.texts, string(token))
		case xml.Comment, xml.Directive:
			d.skeleton = append(d.skeleton, "<!")
		}
	}
}

// readCSV gives the cells back as they were before formulas were disarmed.
func readCSV(text []byte) (d document, err error) {
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll() // all rows have as many cells as the first
	if err != nil {
		return d, err
	}
	for _, row := range rows {
		d.skeleton = append(d.skeleton, fmt.Sprint(len(row)))
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+@\t\r\n＝＋－＠", []rune(cell)[0]) {
				return d, fmt.Errorf("a spreadsheet takes this for a formula: %q", cell)
			}
			if rest := strings.TrimLeft(cell, "'"); len(rest) < len(cell) && rest != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(rest)[0]) {
				cell = cell[1:]
			}
			d.texts = append(d.texts, cell)
		}
	}
	return d, nil
}

// shown is a text as it must be found again: white space apart, and what acts on
// its reader made visible. It is written anew here, so that a fault in visible is
// seen.
func shown(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			b.WriteRune(r)
		case r < 0x20:
			b.WriteRune(0x2400 + r)
		case r >= 0x7f && r <= 0x9f || strings.ContainsRune("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ufeff\ufffe\uffff", r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func squeezed(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// has tells whether a text stands in a document. JSON of the report itself has it
// as it was.
func (d *document) has(format, s string) bool {
	want := squeezed(shown(s))
	switch format {
	case "json":
		want = squeezed(strings.ToValidUTF8(s, "\ufffd"))
	case "markdown":
		want = strings.ReplaceAll(want, "\u200b", "")
	}
	return slices.ContainsFunc(d.texts, func(text string) bool { return strings.Contains(squeezed(text), want) })
}

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
