package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v4"
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
	r := fileReader{path: path, known: known, values: make(map[string]fileValue)}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, []Problem{{Setting: fileSetting, Value: path, Rule: "must be YAML: " + firstLine(err.Error())}}
	}
	r.read("", &document)
	return r.values, r.problems
}

type fileReader struct {
	path     string
	known    map[string]Setting
	values   map[string]fileValue
	problems []Problem
}

// read takes the node under name, which is empty for the whole document.
func (r *fileReader) read(name string, node *yaml.Node) {
	switch node.Kind {
	case yaml.DocumentNode:
		for _, content := range node.Content {
			r.read(name, content)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := strings.ReplaceAll(node.Content[i].Value, "_", "-")
			if name != "" {
				key = name + "-" + key
			}
			r.read(key, node.Content[i+1])
		}
	case yaml.SequenceNode:
		texts := make([]string, 0, len(node.Content))
		for _, value := range node.Content {
			if value.Kind != yaml.ScalarNode {
				r.refuse(name, value, "must be a list of plain values")
				return
			}
			texts = append(texts, value.Value)
		}
		r.set(name, node, strings.Join(texts, ","))
	case yaml.ScalarNode:
		if node.Tag != "!!null" { // which says nothing
			r.set(name, node, node.Value)
		}
	default: // an alias
		r.refuse(name, node, "must be a plain value, a list or a mapping")
	}
}

func (r *fileReader) set(name string, node *yaml.Node, text string) {
	_, isSetting := r.known[name]
	switch _, twice := r.values[name]; {
	case !isSetting || name == fileSetting:
		r.refuse(name, node, "names no setting")
	case twice:
		r.refuse(name, node, "must be given once")
	default:
		r.values[name] = fileValue{text: text, place: r.place(node)}
	}
}

// refuse adds a problem. What stands under no name is one of the file itself.
func (r *fileReader) refuse(name string, node *yaml.Node, rule string) {
	r.problems = append(r.problems, Problem{Setting: cmp.Or(name, fileSetting), From: r.place(node), Rule: rule})
}

func (r *fileReader) place(node *yaml.Node) string {
	return fmt.Sprintf("%s:%d", r.path, node.Line)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
