// Package pythonenv makes virtual environments of Python for tests of interplay
// with programs that are written in it. Each is made once for this user, from
// PyPI, and named by what it holds. It knows nothing of what is run in them.
package pythonenv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/debpkg"
)

// Interpreter is the path of the interpreter of an environment with these pinned
// requirements (pip's requirements.txt). The error of a machine without Python
// says how to get it.
func Interpreter(requirements []byte) (python string, err error) {
	cache, err := debpkg.CacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(requirements)
	dir := filepath.Join(cache, "python-"+hex.EncodeToString(sum[:6]))
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("make a folder for downloaded programs: %w", err)
	}
	unlock, err := debpkg.Lock(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	python, done, list := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "complete"), dir+".txt"
	if _, err := os.Stat(done); err == nil {
		return python, nil
	}
	if err := os.WriteFile(list, requirements, 0o600); err != nil {
		return "", fmt.Errorf("write requirements: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	for _, command := range [][]string{
		{"python3", "-m", "venv", "--clear", dir},
		{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "--requirement", list},
	} {
		said, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput() //nolint:gosec // constants and our own cache
		if err != nil {
			return "", fmt.Errorf(`make a Python environment: %v: %w
%s
The test needs Python 3.10 or newer with venv and pip, and PyPI once: Debian and Ubuntu "apt-get install python3-venv", Fedora "dnf install python3-pip", macOS "brew install python"`,
				command, err, said)
		}
	}
	return python, os.WriteFile(done, nil, 0o600)
}
