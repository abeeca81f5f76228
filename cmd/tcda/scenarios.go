package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// scenariosCmd groups what concerns scenarios.
type scenariosCmd struct {
	List     scenariosList     `cmd:"" help:"Print scenarios, by id."`
	Show     scenariosShow     `cmd:"" help:"Print a scenario and one of its versions."`
	Versions scenariosVersions `cmd:"" help:"Print the versions of a scenario, newest first."`
	Diff     scenariosDiff     `cmd:"" help:"Print what differs between two versions of a scenario."`
	Publish  scenariosPublish  `cmd:"" help:"Make the definition in a file the current one of a scenario."`
	Status   scenariosStatus   `cmd:"" help:"Move a scenario through its life: draft, active, archived, deprecated."`
	Depend   scenariosDepend   `cmd:"" help:"State all that a scenario needs or excludes."`
	Graph    scenariosGraph    `cmd:"" help:"Print the scenarios around one, in an order in which they can run."`
	Ready    scenariosReady    `cmd:"" help:"Say whether a scenario may run now, and why or why not; exit 1 if it may not."`
	Validate scenariosValidate `cmd:"" help:"Check definitions of scenarios and templates in files, without a server; exit 1 if anything is wrong."`
}

type scenariosValidate struct {
	Files  []string `arg:"" name:"file" help:"Definitions, YAML or JSON; - is the standard input."`
	Strict bool     `help:"A text that is not of the definition language (opaque) is a problem, too."`
	JSON   bool     `name:"json" help:"Print a JSON array, one object for each file."`
}

// Help is what --help says beyond the settings.
func (*scenariosValidate) Help() string {
	return `Checks each file as it would be checked when it is published, and prints all its
problems with their places: FILE:LINE:COLUMN: path: what is wrong. A text of
another kind is opaque: it would be kept as it is, and nothing in it is checked.

Exit codes: 0 nothing is wrong, 1 something is, or a file cannot be read, 2 wrong
command line.`
}

// Validate is called by kong.
func (c *scenariosValidate) Validate() error { return oneStdin(c.Files) }

// oneStdin refuses to read the standard input twice: the second would be empty.
func oneStdin(files []string) error {
	if first := slices.Index(files, stdin); first >= 0 && slices.Contains(files[first+1:], stdin) {
		return errors.New("- can stand for one file only")
	}
	return nil
}

// checkedFile is what came of one file.
type checkedFile struct {
	File        string              `json:"file"`
	Valid       bool                `json:"valid"`
	Kind        string              `json:"kind,omitempty"` // of a valid one: scenario, template or opaque
	Name        string              `json:"name,omitempty"`
	Phases      int                 `json:"phases,omitempty"`
	ContentHash string              `json:"content_hash,omitempty"` // sha256, hex: what identifies this version
	Problems    []definitionProblem `json:"problems"`
}

type definitionProblem struct {
	Path    string `json:"path,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Value   string `json:"value,omitempty"`
	Message string `json:"message"`
}

// Run checks all files, also after one that is wrong.
func (c *scenariosValidate) Run(cfg *config.Config, term console) error {
	checked := make([]checkedFile, 0, len(c.Files))
	valid := true
	for _, file := range c.Files {
		d, problems := readDefinition(file, cfg, term)
		if d != nil && d.Kind == scenario.KindOpaque && c.Strict {
			d, problems = nil, scenario.Problems{{Message: "not of the definition language: want a map with apiVersion " + scenario.APIVersion}}
		}
		f := checkedFile{File: file, Valid: d != nil, Problems: []definitionProblem{}}
		if d != nil {
			f.Kind, f.Name, f.Phases, f.ContentHash = string(d.Kind), d.Metadata.Name, len(d.Spec.Phases), d.Hash.String()
		}
		for _, p := range problems {
			f.Problems = append(f.Problems, definitionProblem(p))
		}
		valid = valid && f.Valid
		checked = append(checked, f)
		if !c.JSON {
			f.print(term.out, problems)
		}
	}
	if c.JSON {
		if err := writeJSON(term.out, checked); err != nil {
			return err
		}
	}
	if !valid {
		return errReported
	}
	return nil
}

func (f *checkedFile) print(w io.Writer, problems scenario.Problems) {
	switch {
	case !f.Valid:
		printProblems(w, f.File, problems)
	case f.Kind == string(scenario.KindOpaque):
		fmt.Fprintf(w, "%s: opaque: kept as it is, nothing in it is checked; sha256 %s\n", escaped(f.File), f.ContentHash)
	default:
		fmt.Fprintf(w, "%s: %s %q, phases: %d, sha256 %s\n", escaped(f.File), f.Kind, f.Name, f.Phases, f.ContentHash)
	}
}

// printProblems prints problems as a compiler does, so that editors find them.
func printProblems(w io.Writer, file string, problems scenario.Problems) {
	for _, p := range problems {
		separator := ": "
		if p.Line > 0 {
			separator = ":"
		}
		fmt.Fprintln(w, escaped(file+separator+p.String()))
	}
}

// stdin is the standard input where a file is asked for.
const stdin = "-"

// readDefinition reads and checks a file. What keeps it from being read is a
// problem like any other.
func readDefinition(file string, cfg *config.Config, term console) (*scenario.Definition, scenario.Problems) {
	limits := definitionLimits(cfg)
	text, err := readBounded(file, term.in, int64(limits.DefinitionBytes)+1) // one too many: the parser refuses it
	switch {
	case err != nil:
		return nil, scenario.Problems{{Message: err.Error()}}
	case len(text) <= limits.DefinitionBytes && !utf8.ValidString(text):
		return nil, scenario.Problems{{Message: "not valid UTF-8"}}
	case strings.ContainsRune(text, 0):
		return nil, scenario.Problems{{Message: "must not contain the character U+0000"}}
	}
	return scenario.ParseDefinition(text, limits)
}

// definitionLimits are those that the service of these settings has.
func definitionLimits(cfg *config.Config) scenario.Limits {
	limits := scenario.DefaultLimits()
	limits.DefinitionBytes = int(cfg.Limits.DefinitionBytes)
	return limits
}

func readBounded(file string, in io.Reader, most int64) (string, error) {
	if file != stdin {
		f, err := os.Open(file)
		if err != nil {
			return "", withoutPath(err)
		}
		defer f.Close() //nolint:errcheck // only read
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, most))
	return string(text), withoutPath(err)
}

// withoutPath is the error without the file's name, which the caller prints.
func withoutPath(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		return fmt.Errorf("%s: %w", at.Op, at.Err)
	}
	return err
}
