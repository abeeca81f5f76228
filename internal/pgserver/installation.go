package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/debpkg"
)

// OldestMajor is the oldest major version of PostgreSQL that is used.
const OldestMajor = 15

// Installation is a folder with the programs of one PostgreSQL version.
type Installation struct {
	BinDir string
	Major  int
	// LibraryPath is the LD_LIBRARY_PATH that the programs need; mostly empty.
	LibraryPath string
}

// String names the installation for people.
func (in Installation) String() string {
	return fmt.Sprintf("PostgreSQL %d in %s", in.Major, in.BinDir)
}

// Command is a call of one of the installation's programs, for instance
// pg_basebackup, with a clean environment.
func (in Installation) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(in.BinDir, program), args...)
	cmd.Env = in.env()
	return cmd
}

// env is what PostgreSQL's programs get: neither PGDATA, PGPORT and the like nor
// a locale of the developer's shell.
func (in Installation) env() []string {
	env := []string{"PATH=" + in.BinDir + ":/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	if in.LibraryPath != "" {
		env = append(env, "LD_LIBRARY_PATH="+in.LibraryPath)
	}
	return env
}

// The usual places, beside the folders of PATH.
var usualPlaces = []string{
	"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
	"/usr/pgsql-*/bin",          // the PostgreSQL project's RPMs
	"/usr/libexec/postgresql*",  // Alpine
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// Find lists the machine's usable installations, the newest first, followed by
// those of the same version in the order of PATH and of the usual places.
func Find(ctx context.Context) ([]Installation, error) {
	places := append(filepath.SplitList(os.Getenv("PATH")), usualPlaces...)
	found, err := findIn(ctx, places, "")
	if err != nil {
		return nil, err
	}
	return found, nil
}

func findIn(ctx context.Context, places []string, libraryPath string) ([]Installation, error) {
	var found []Installation
	for _, place := range places {
		dirs, err := filepath.Glob(place)
		if err != nil {
			continue // an entry of PATH that is no valid pattern
		}
		for _, dir := range dirs {
			in, err := inspect(ctx, dir, libraryPath)
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err == nil && in.Major >= OldestMajor && !slices.Contains(found, in) {
				found = append(found, in)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b Installation) int { return b.Major - a.Major })
	return found, nil
}

var versionText = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

// inspect asks the server program for its version. A folder with the client
// programs alone is no installation; one with links to some programs stands for
// the folder that they lead to.
func inspect(ctx context.Context, dir, libraryPath string) (Installation, error) {
	server, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
	if err != nil {
		return Installation{}, err
	}
	in := Installation{BinDir: filepath.Dir(server), LibraryPath: libraryPath}
	if _, err := os.Stat(filepath.Join(in.BinDir, "initdb")); err != nil {
		return in, err
	}
	out, err := in.Command(ctx, "postgres", "--version").Output()
	if err != nil {
		return in, fmt.Errorf("ask for the version: %w", err)
	}
	match := versionText.FindSubmatch(out)
	if match == nil {
		return in, fmt.Errorf("unknown version %q", out)
	}
	in.Major, err = strconv.Atoi(string(match[1]))
	return in, err
}

// ErrNotInstalled says that there are no PostgreSQL programs, and none could be
// downloaded.
var ErrNotInstalled = errors.New("no PostgreSQL server programs")

const howToInstall = `install PostgreSQL 15 or newer: Debian and Ubuntu "apt-get install postgresql", ` +
	`Fedora "dnf install postgresql-server", macOS "brew install postgresql@17"; or put its bin folder on PATH`

// Obtain returns the newest installation of the machine. If there is none it
// downloads the programs into a folder of the user's cache, and tells so on
// progress: from the Debian archive where there is apt-get, else, for a user
// other than root, from Maven Central. The machine itself is not changed.
func Obtain(ctx context.Context, progress io.Writer) (Installation, error) {
	found, err := Find(ctx)
	if err != nil {
		return Installation{}, err
	}
	if len(found) > 0 {
		return found[0], nil
	}
	in, err := download(ctx, progress)
	if err != nil {
		return Installation{}, fmt.Errorf("%w: %w; %s", ErrNotInstalled, err, howToInstall)
	}
	return in, nil
}

func download(ctx context.Context, progress io.Writer) (Installation, error) {
	cache, err := debpkg.CacheDir()
	if err != nil {
		return Installation{}, err
	}
	fmt.Fprintf(progress, "PostgreSQL is not installed; using a private copy in %s\n", cache)
	// An earlier copy from Maven Central spares the second try of what failed.
	maven := filepath.Join(cache, "embedded-postgres")
	if in, err := inspect(ctx, mavenBinDir(maven), ""); err == nil {
		return in, nil
	}
	in, debErr := fromDebian(ctx, filepath.Join(cache, "postgresql"), progress)
	if debErr == nil || ctx.Err() != nil {
		return in, debErr
	}
	in, mavenErr := fromMaven(ctx, maven, progress)
	if mavenErr == nil {
		return in, nil
	}
	return Installation{}, errors.Join(debErr, mavenErr)
}

func fromDebian(ctx context.Context, dir string, progress io.Writer) (Installation, error) {
	tree, err := debpkg.Unpack(ctx, "postgresql", dir, progress)
	if err != nil {
		return Installation{}, err
	}
	found, err := findIn(ctx, []string{filepath.Join(dir, "usr", "lib", "postgresql", "*", "bin")}, tree.LibraryPath())
	if err != nil {
		return Installation{}, err
	}
	if len(found) == 0 {
		return Installation{}, fmt.Errorf("the archive has no PostgreSQL %d or newer; remove %s to try again", OldestMajor, dir)
	}
	return found[0], nil
}
