package sabotage_test

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/checker"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/sabotage"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// repository is the root of the module, seen from this package.
const repository = "../../.."

// The proof that the checker sees: where a rule of the service is broken, a soak
// with the faults that the rule is for must be red, and for the right reason.
//
//nolint:tparallel // one after the other: each soak has several servers
func TestCheckerSeesABrokenRule(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds and soaks ten programs")
	}
	for _, s := range sabotage.All() {
		t.Run(s.Name, func(t *testing.T) {
			program, err := s.Build(t.Context(), repository, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			summary, err := soak.Run(t.Context(), soak.Options{
				Seed: uint64(time.Now().UnixNano()), Program: program, Kafka: soak.Kfake, Duration: cmp.Or(s.Lasts, 3*time.Second), Records: 10_000, Faults: s.Strikes, Rate: 4000, Rest: 0.3,
				Only: s.Faults, DrainLimit: testenv.Patience, Progress: writer{t},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("broken: %s", s.Breaks)
			summary.Write(writer{t})
			if summary.Passed || summary.Report.Count(s.Turns) == 0 {
				t.Errorf("the checker finds nothing %s where it is broken that %s", s.Turns, s.Breaks)
			}
			if !slices.ContainsFunc(summary.Report.Examples, func(f checker.Finding) bool {
				return f.Class == s.Turns && (len(s.Says) == 0 || slices.ContainsFunc(s.Says, func(words string) bool { return strings.Contains(f.String(), words) }))
			}) {
				t.Errorf("the checker does not say %q where it is broken that %s", s.Says, s.Breaks)
			}
		})
	}
}

// Each sabotage fits the code as it is, and what it makes of it compiles.
func TestEverySabotageFits(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles the service ten times")
	}
	for _, s := range sabotage.All() {
		if err := s.Compile(t.Context(), repository, t.TempDir()); err != nil {
			t.Error(err)
		}
	}
}

// writer lets a test tell what a soak says.
type writer struct{ testing.TB }

func (w writer) Write(p []byte) (int, error) {
	w.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// A change of the code that a sabotage changes is noticed, and the place named.
func TestSabotageThatDoesNotFitIsRefused(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "file.go"), []byte("package a\n\n// twice\n// twice\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, old := range []string{"never", "// twice"} {
		s := sabotage.Sabotage{Name: "odd", Replacements: []sabotage.Replacement{{File: "file.go", Old: old, New: "once"}}}
		if _, err := s.Build(t.Context(), root, t.TempDir()); err == nil || !strings.Contains(err.Error(), "file.go") || !strings.Contains(err.Error(), old) {
			t.Errorf("replace %q: %v", old, err)
		}
	}
}
