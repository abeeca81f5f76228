package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/debpkg"
)

// mavenVersion is the version of the ecosystem's server.
const mavenVersion = embeddedpostgres.V17

func mavenBinDir(dir string) string { return filepath.Join(dir, string(mavenVersion), "bin") }

// fromMaven downloads the programs from Maven Central with the embedded-postgres
// library. The library has no download alone: it starts the server that it
// downloaded, once and on a throw-away cluster, which is why root cannot use it.
func fromMaven(ctx context.Context, dir string, progress io.Writer) (Installation, error) {
	if os.Geteuid() == 0 {
		return Installation{}, errors.New("the download from Maven Central does not work as root")
	}
	programs := filepath.Join(dir, string(mavenVersion))
	binDir := mavenBinDir(dir)

	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Installation{}, fmt.Errorf("make a folder for downloaded programs: %w", err)
	}
	unlock, err := debpkg.Lock(programs + ".lock")
	if err != nil {
		return Installation{}, err
	}
	defer unlock()
	if in, err := inspect(ctx, binDir, ""); err == nil {
		return in, nil
	}
	fmt.Fprintf(progress, "downloading PostgreSQL %s from Maven Central\n", mavenVersion)
	if err := extract(ctx, dir, programs); err != nil {
		return Installation{}, fmt.Errorf("download from Maven Central: %w", err)
	}
	return inspect(ctx, binDir, "")
}

func extract(ctx context.Context, dir, programs string) (err error) {
	work, err := os.MkdirTemp(dir, ".unpacking-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	port, err := childproc.FreePort(ctx)
	if err != nil {
		return err
	}
	once := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(mavenVersion).
		CachePath(work).
		BinariesPath(filepath.Join(work, "programs")).
		RuntimePath(filepath.Join(work, "run")).
		DataPath(filepath.Join(work, "data")).
		StartParameters(map[string]string{"unix_socket_directories": "", "listen_addresses": "127.0.0.1"}).
		Port(uint32(port)).
		Locale("C").
		StartTimeout(time.Minute).
		Logger(io.Discard))
	if err := once.Start(); err != nil {
		return err
	}
	if err := once.Stop(); err != nil {
		return err
	}
	// Only a complete folder gets the final name.
	return os.Rename(filepath.Join(work, "programs"), programs)
}
