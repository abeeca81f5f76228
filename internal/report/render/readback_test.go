package render_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	goldmarkhtml "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"
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
			d.texts = append(d.texts, strings.TrimPrefix(cell, "'"))
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
