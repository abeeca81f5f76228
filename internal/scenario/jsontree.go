package scenario

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// The tags of scalars, as the YAML reader resolves them.
const (
	tagString    = "!!str"
	tagInt       = "!!int"
	tagFloat     = "!!float"
	tagBool      = "!!bool"
	tagNull      = "!!null"
	tagMerge     = "!!merge"
	tagTimestamp = "!!timestamp"
)

// readJSON reads a valid JSON text into the same tree as the YAML reader
// builds, with every key of every object, so that duplicates can be reported.
func readJSON(text string, depth int) (*yaml.Node, Problems) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	r := jsonReader{decoder: d, text: text, line: 1, column: 1}
	root := r.value(depth)
	if r.deep {
		return nil, Problems{{Line: r.line, Column: r.column, Message: "nested too deeply"}}
	}
	return root, nil
}

type jsonReader struct {
	decoder *json.Decoder
	text    string
	deep    bool

	at           int // byte offset up to which line and column are counted
	line, column int
}

// value reads one value; after a too deep one the rest is of no interest.
func (r *jsonReader) value(depth int) *yaml.Node {
	n := r.place()
	token, err := r.decoder.Token()
	if err != nil { // cannot be: the text was found valid
		r.deep = true
		return n
	}
	switch t := token.(type) {
	case json.Delim:
		if depth == 0 {
			r.deep = true
			return n
		}
		n.Kind = yaml.SequenceNode
		if t == '{' {
			n.Kind = yaml.MappingNode
		}
		for !r.deep && r.decoder.More() {
			// Keys and values alternate in an object, and are read alike.
			n.Content = append(n.Content, r.value(depth-1))
		}
		if !r.deep {
			_, _ = r.decoder.Token() // the closing bracket
		}
	case string:
		n.Tag, n.Value = tagString, t
	case json.Number:
		n.Tag, n.Value = tagInt, t.String()
		if strings.ContainsAny(n.Value, ".eE") || n.Value == "-0" { // as YAML has it: integers have no negative zero
			n.Tag = tagFloat
		}
	case bool:
		n.Tag, n.Value = tagBool, "false"
		if t {
			n.Value = "true"
		}
	case nil:
		n.Tag, n.Value = tagNull, "null"
	}
	return n
}

// place starts a scalar node where the next token begins.
func (r *jsonReader) place() *yaml.Node {
	next := int(r.decoder.InputOffset())
	for next < len(r.text) && strings.IndexByte(" \t\r\n,:", r.text[next]) >= 0 {
		next++
	}
	passed := r.text[r.at:next]
	if breaks := strings.Count(passed, "\n"); breaks > 0 {
		r.line += breaks
		r.column = 1
		passed = passed[strings.LastIndexByte(passed, '\n')+1:]
	}
	r.column += utf8.RuneCountInString(passed)
	r.at = next
	return &yaml.Node{Kind: yaml.ScalarNode, Line: r.line, Column: r.column}
}
