package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// fileValue is what the file says about one setting.
type fileValue struct {
	text  string
	place string // path:line
}

// readFile reads the settings in a YAML file. Keys may be nested at any
// hyphen: postgres-pool-size, or pool-size under postgres. A key that names no
// setting is a problem, because it is most likely a mistyped one.
func readFile(path string, known map[string]Setting) (map[string]fileValue, []Problem) {
	content, err := os.ReadFile(path)
	if err != nil {
		var cause *os.PathError
		if errors.As(err, &cause) {
			err = cause.Err
		}
		return nil, []Problem{{Setting: fileSetting, Value: path, Rule: "must name a readable file: " + err.Error()}}
	}
	file, err := parser.ParseBytes(content, 0)
	if err != nil {
		return nil, []Problem{{Setting: fileSetting, Value: path, Rule: "must be YAML: " + firstLine(yaml.FormatError(err, false, false))}}
	}
	r := fileReader{path: path, known: known, values: make(map[string]fileValue)}
	for _, document := range file.Docs {
		r.read("", document.Body)
	}
	return r.values, r.problems
}

type fileReader struct {
	path     string
	known    map[string]Setting
	values   map[string]fileValue
	problems []Problem
}

// read takes the node under name, which is empty for a whole document.
func (r *fileReader) read(name string, node ast.Node) {
	_, isSetting := r.known[name]
	switch node := node.(type) {
	case *ast.MappingNode:
		for _, entry := range node.Values {
			r.readEntry(name, entry)
		}
	case *ast.MappingValueNode:
		r.readEntry(name, node)
	case nil, *ast.NullNode, *ast.CommentGroupNode: // says nothing
	case *ast.SequenceNode:
		texts := make([]string, 0, len(node.Values))
		for _, value := range node.Values {
			scalar, ok := value.(ast.ScalarNode)
			if !ok {
				r.refuse(name, value, "must be a list of plain values")
				return
			}
			texts = append(texts, scalar.GetToken().Value)
		}
		r.set(name, isSetting, node, strings.Join(texts, ","))
	case ast.ScalarNode:
		r.set(name, isSetting, node, node.GetToken().Value)
	default:
		r.refuse(name, node, "must be a plain value, a list or a mapping")
	}
}

func (r *fileReader) readEntry(under string, entry *ast.MappingValueNode) {
	name := strings.ReplaceAll(entry.Key.GetToken().Value, "_", "-")
	if under != "" {
		name = under + "-" + name
	}
	r.read(name, entry.Value)
}

func (r *fileReader) set(name string, isSetting bool, node ast.Node, text string) {
	switch _, twice := r.values[name]; {
	case !isSetting || name == fileSetting:
		r.refuse(name, node, "names no setting")
	case twice:
		r.refuse(name, node, "must be given once")
	default:
		r.values[name] = fileValue{text: text, place: r.place(node)}
	}
}

func (r *fileReader) refuse(name string, node ast.Node, rule string) {
	r.problems = append(r.problems, Problem{Setting: name, From: r.place(node), Rule: rule})
}

func (r *fileReader) place(node ast.Node) string {
	return fmt.Sprintf("%s:%d", r.path, node.GetToken().Position.Line)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
