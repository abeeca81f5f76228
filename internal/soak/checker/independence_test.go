package checker_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The checker judges the service, so it must not be built of it: of the project
// it may use the generated messages of the contract, and nothing else.
func TestCheckerSharesNoCodeWithTheService(t *testing.T) {
	t.Parallel()
	const module = "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/"
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	uses := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if ours, found := strings.CutPrefix(path, module); found {
				uses++
				if ours != "internal/gen/testcoordination/v1" {
					t.Errorf("%s imports %s", name, ours)
				}
			}
		}
	}
	if uses == 0 {
		t.Error("no import of the project was found: the test looks at the wrong files")
	}
}
