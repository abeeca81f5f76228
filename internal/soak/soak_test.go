package soak_test

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak"
)

// repository is the root of the module, seen from this package.
const repository = "../.."

// A short soak: every kind of fault that its Kafka can have happens at least once,
// and nothing is lost, doubled or wrong. Kafka is in this process, or Apache's
// where TCDA_TEST_KAFKA says so.
func TestServiceOutlivesEveryKindOfFault(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("strikes every kind of fault")
	}
	program := filepath.Join(t.TempDir(), "tcda")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/tcda")
	build.Dir = repository
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build tcda: %v\n%s", err, said)
	}
	seed := uint64(time.Now().UnixNano())
	summary, err := soak.Run(t.Context(), soak.Options{
		Seed: seed, Program: program, Kafka: cmp.Or(os.Getenv("TCDA_TEST_KAFKA"), soak.Kfake), Duration: 20 * time.Second, Records: 30_000, Rate: 3000, Rest: 0.5,
		Progress: writer{t},
	})
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	summary.Write(writer{t})
	if !summary.Passed {
		t.Errorf("not passed; seed %d", seed)
	}
}

// Kafka may have deleted the group and be struck before it says so. Asked again, it
// knows no such group, and without workers it would never know one.
func TestAGroupThatIsGoneIsDeleted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := soak.ForgetGroup(ctx, filepath.Join(t.TempDir(), "kafka"), 2); err != nil {
		t.Error(err)
	}
}

// writer lets a test tell what a soak says.
type writer struct{ testing.TB }

func (w writer) Write(p []byte) (int, error) {
	w.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}
