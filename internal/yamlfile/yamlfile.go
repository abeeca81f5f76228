// Package yamlfile is what the YAML files have in common that operators write for
// the service: they are small, hold one document, and all that is wrong with one is
// said at once, each with its line.
package yamlfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// MaxBytes is the size of a file at most.
const MaxBytes = 1 << 20

// Read reads a file, and not what else a path may lead to. Every error names it.
func Read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(content) > MaxBytes {
		return nil, fmt.Errorf("read %s: more than %d bytes", path, MaxBytes)
	}
	return content, nil
}

// Load reads a file and parses what it holds. Every error names the file; those of the
// parser are wrapped.
func Load[T any](path string, parse func([]byte) (T, error)) (T, error) {
	content, err := Read(path)
	if err != nil {
		var none T
		return none, err
	}
	value, err := parse(content)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return value, err
}

// Problem is one thing that is wrong with a file.
type Problem struct {
	Line int    // from 1; 0 for the whole
	Key  string // what it is about; empty for all of the line
	Rule string // what would have been right
}

// String is one line: place, key and rule.
func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", p.Line)
	}
	if p.Key != "" {
		fmt.Fprintf(&b, "%s: ", p.Key)
	}
	return b.String() + p.Rule
}

// Problems is everything that is wrong with a file.
type Problems []Problem

// Error is a heading and one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, 0, len(ps)+1)
	lines = append(lines, fmt.Sprintf("%d problem(s)", len(ps)))
	for _, p := range ps {
		lines = append(lines, "  "+p.String())
	}
	return strings.Join(lines, "\n")
}

// Parser reads a file and notes what is wrong with it. Embed it.
type Parser struct {
	problems Problems
}

// Refuse notes a problem; line 0 is the whole.
func (p *Parser) Refuse(line int, key, rule string) {
	p.problems = append(p.problems, Problem{line, key, rule})
}

// Refused is how many problems there are.
func (p *Parser) Refused() int { return len(p.problems) }

// Err is nil where there are none; else the error is Problems, in the order of the lines.
func (p *Parser) Err() error {
	if len(p.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(p.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return p.problems
}

// Document is what a text holds; nil where that is nothing but blanks and comments,
// or where it cannot be read, which is noted.
func (p *Parser) Document(content []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document, more yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		p.Refuse(0, "", "must be YAML: "+strings.Join(strings.Fields(err.Error()), " ")) // the library writes several lines
		return nil
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		p.Refuse(0, "", "must be one YAML document: what follows --- would not be read")
	}
	if len(document.Content) != 1 {
		return nil
	}
	return document.Content[0]
}
