package scenario

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// APIVersion is the definition language that this package reads. A document of
// another version, or of none, is opaque.
const APIVersion = "chaos.trading/v1"

// claims finds, in a text that cannot be read, the field by which its author
// meant it to be of this language. Without it the text is opaque and nobody's
// mistake.
var claims = regexp.MustCompile(`(?m)(?:^|[{,]\s*)["']?apiVersion["']?\s*:\s*["']?` +
	regexp.QuoteMeta(APIVersion) + `["']?\s*(?:[,}#]|$)`)

// parseSource reads a text into a tree. It returns nil when the text is opaque,
// and problems when it is of this language but cannot be read.
//
// The tree is the composer's, where an alias is a node that points at its
// anchor: nothing is expanded, so that the cost is that of the text.
func parseSource(text string, limits Limits) (*yaml.Node, Problems) {
	root, problems := readTree(text, limits)
	if len(problems) > 0 {
		if !claims.MatchString(text) {
			return nil, nil
		}
		return nil, problems
	}
	if root == nil || root.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "apiVersion" && root.Content[i+1].Value == APIVersion {
			return root, nil
		}
	}
	return nil, nil
}

// readTree reads JSON as JSON and everything else as YAML: a YAML reader
// refuses some JSON, such as the surrogate pairs that Python writes.
func readTree(text string, limits Limits) (*yaml.Node, Problems) {
	if strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") && json.Valid([]byte(text)) {
		return readJSON(text, limits.Depth)
	}
	var document yaml.Node
	err := yaml.Load([]byte(text), &document,
		yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(limits.Depth))))
	if err != nil {
		p := Problem{Message: "cannot be read as YAML: " + err.Error()}
		var at *yaml.LoadError
		if errors.As(err, &at) {
			p.Message = "cannot be read as YAML: " + fact.Cut(at.Message)
			p.Line, p.Column = at.Mark.Line, at.Mark.Column
		}
		return nil, Problems{p}
	}
	if len(document.Content) != 1 {
		return nil, nil
	}
	return document.Content[0], nil
}
