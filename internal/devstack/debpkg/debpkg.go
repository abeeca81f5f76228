// Package debpkg gets programs from the Debian or Ubuntu archive without
// installing them: it downloads a package with the dependencies that the
// machine lacks, and unpacks them into a folder of our own.
//
// That works for any user, adds no service to the machine and starts none. The
// packages' scripts are never run, so it suits programs that need no set-up. It
// knows nothing of the programs.
package debpkg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrNoApt says that this is not a Debian-like system.
var ErrNoApt = errors.New("no apt-get and dpkg here")

// CacheDir is where downloaded programs are kept: below the user's cache
// folder, or for root below /var/cache, because a server that root starts as
// another user could not read it below /root.
func CacheDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/cache/tcda", nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for downloaded programs: %w", err)
	}
	return filepath.Join(cache, "tcda"), nil
}

// Lock takes an exclusive lock on a file, waiting for its holder. The lock ends
// with the returned function, or with the process.
func Lock(file string) (unlock func(), err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", file, err), f.Close())
	}
	return func() { _ = f.Close() }, nil // closing releases it
}

// Tree is a folder of unpacked packages, laid out like the root of a system.
type Tree string

// LibraryPath is the LD_LIBRARY_PATH under which programs of the tree find
// those of their libraries that the machine lacks.
func (t Tree) LibraryPath() string {
	var dirs []string
	for _, pattern := range []string{"usr/lib/*-linux-*", "lib/*-linux-*"} {
		found, _ := filepath.Glob(filepath.Join(string(t), pattern)) // fails only on a bad pattern
		dirs = append(dirs, found...)
	}
	return strings.Join(dirs, ":")
}

// Unpack makes sure that dir holds a package and its missing dependencies, and
// tells on progress what it downloads. A dir that exists is complete, and is
// taken as it is. Several processes may call it at the same time.
func Unpack(ctx context.Context, name, dir string, progress io.Writer) (Tree, error) {
	for _, program := range []string{"apt-get", "dpkg"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", fmt.Errorf("unpack the package %s: %w", name, ErrNoApt)
		}
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", fmt.Errorf("make a folder for downloaded programs: %w", err)
	}
	unlock, err := Lock(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return Tree(dir), nil
	}
	if err := unpack(ctx, name, dir, progress); err != nil {
		return "", fmt.Errorf("unpack the package %s: %w", name, err)
	}
	return Tree(dir), nil
}

func unpack(ctx context.Context, name, dir string, progress io.Writer) (err error) {
	work, err := os.MkdirTemp(filepath.Dir(dir), ".unpacking-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	debs := filepath.Join(work, "debs")
	if err := os.Mkdir(debs, 0o755); err != nil {
		return err
	}
	if err := download(ctx, apt{dir: debs}, name, progress); err != nil {
		// The machine's package lists are missing (as in container images) or
		// older than the archive: read new ones into a folder of our own.
		fmt.Fprintln(progress, "reading the list of available packages")
		fresh := apt{dir: debs, state: work}
		if err := fresh.update(ctx); err != nil {
			return err
		}
		if err := download(ctx, fresh, name, progress); err != nil {
			return err
		}
	}

	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	root := filepath.Join(work, "root")
	for _, file := range files {
		if _, err := run(ctx, work, "dpkg", "-x", file, root); err != nil {
			return err
		}
	}
	// MkdirTemp's and dpkg's modes must not hide the programs from the user
	// that a server of root's runs as.
	if err := os.Chmod(root, 0o755); err != nil {
		return err
	}
	return os.Rename(root, dir)
}

func download(ctx context.Context, a apt, name string, progress io.Writer) error {
	names, err := a.missing(ctx, name)
	if err != nil {
		return err
	}
	fmt.Fprintf(progress, "downloading %d Debian packages for %s: %s\n", len(names), name, strings.Join(names, " "))
	_, err = a.run(ctx, append([]string{"download"}, names...)...)
	return err
}

// apt calls apt-get in a folder, with the machine's package lists or own ones.
type apt struct {
	dir   string // where downloads go
	state string // folder of own package lists; empty for the machine's
}

func (a apt) run(ctx context.Context, args ...string) (string, error) {
	options := []string{"-qq", "-o", "APT::Sandbox::User=root"} // as root: _apt could not write to dir
	if a.state != "" {
		options = append(options,
			"-o", "Dir::State::Lists="+filepath.Join(a.state, "lists"),
			"-o", "Dir::Cache="+filepath.Join(a.state, "cache"))
	}
	return run(ctx, a.dir, "apt-get", append(options, args...)...)
}

func (a apt) update(ctx context.Context) error {
	for _, dir := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.state, dir), 0o755); err != nil {
			return err
		}
	}
	_, err := a.run(ctx, "update")
	return err
}

// missing names the package and the dependencies that are not installed, as a
// simulated installation lists them: "Inst libpq5 (15.20-0+deb12u1 ...)".
func (a apt) missing(ctx context.Context, name string) ([]string, error) {
	plan, err := a.run(ctx, "--simulate", "--no-install-recommends", "install", name)
	if err != nil {
		return nil, err
	}
	names := []string{name}
	for line := range strings.Lines(plan) {
		fields := strings.Fields(line)
		if len(fields) > 1 && fields[0] == "Inst" && fields[1] != name {
			names = append(names, fields[1])
		}
	}
	return names, nil
}

// run runs a program in dir and returns its output; the error holds the last
// thing that it said.
func run(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
