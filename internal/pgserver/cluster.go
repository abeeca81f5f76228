package pgserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// What a data directory holds.
const (
	clusterName  = "cluster"      // PGDATA
	passwordName = "password"     // of the superuser
	logName      = "postgres.log" // of all starts
)

// reachableDir is where root's clusters go when the server's user cannot reach
// the folder that was asked for.
const reachableDir = "/var/lib/tcda"

// segmentSetting is the one setting that initdb takes and the server only shows.
const segmentSetting = "wal_segment_size"

// cluster is a database cluster on disk with what is kept beside it.
type cluster struct {
	dir          string // resolved
	installation Installation
	account      *account
	password     string
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }

// openCluster finds the cluster of a data directory, or makes it.
func openCluster(ctx context.Context, o Options, progress io.Writer) (*cluster, error) {
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, fmt.Errorf("resolve the data directory: %w", err)
	}
	c := &cluster{}
	if c.account, err = chooseAccount(dir); err != nil {
		return nil, err
	}
	if c.dir, err = c.account.place(dir, progress); err != nil {
		return nil, err
	}
	if c.installation, err = c.choosePrograms(ctx, o.Installation, progress); err != nil {
		return nil, err
	}
	if _, err := os.Stat(c.path(clusterName)); errors.Is(err, os.ErrNotExist) {
		if err := c.initialize(ctx, o); err != nil {
			return nil, fmt.Errorf("make a database cluster in %s: %w", c.dir, err)
		}
	}
	password, err := os.ReadFile(c.path(passwordName))
	if err != nil {
		return nil, fmt.Errorf("read the password of the cluster: %w", err)
	}
	c.password = strings.TrimSpace(string(password))
	return c, nil
}

// place makes the data directory, closed to others. Where the account cannot
// reach it (root's home, say), the files go below /var/lib/tcda, and the data
// directory becomes a link to them; whoever removes the link starts afresh.
func (a *account) place(dir string, progress io.Writer) (string, error) {
	if target, err := filepath.EvalSymlinks(dir); err == nil {
		dir = target
	}
	if reaches, err := a.reaches(filepath.Dir(dir)); err != nil {
		return "", fmt.Errorf("look at the folders above %s: %w", dir, err)
	} else if !reaches {
		return a.placeElsewhere(dir, progress)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", fmt.Errorf("make the data directory: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("make the data directory: %w", err)
	}
	if err := a.own(dir); err != nil {
		return "", fmt.Errorf("give the data directory to user %s: %w", a.name, err)
	}
	return filepath.EvalSymlinks(dir)
}

func (a *account) placeElsewhere(dir string, progress io.Writer) (string, error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", fmt.Errorf("make the folder of the data directory: %w", err)
	}
	if err := os.MkdirAll(reachableDir, 0o755); err != nil {
		return "", fmt.Errorf("make a folder that user %s can reach: %w", a.name, err)
	}
	target, err := os.MkdirTemp(reachableDir, "postgres-")
	if err != nil {
		return "", fmt.Errorf("make a folder that user %s can reach: %w", a.name, err)
	}
	// An empty folder may be there already; anything else is not ours to move.
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", errors.Join(fmt.Errorf("user %s, whom PostgreSQL runs as, cannot reach %s: choose another data directory", a.name, dir), os.Remove(target))
	}
	if err := os.Symlink(target, dir); err != nil {
		return "", errors.Join(fmt.Errorf("link the data directory: %w", err), os.Remove(target))
	}
	if err := a.own(target); err != nil {
		return "", fmt.Errorf("give the data directory to user %s: %w", a.name, err)
	}
	fmt.Fprintf(progress, "PostgreSQL runs as user %s, who cannot reach %s: its files are in %s\n", a.name, dir, target)
	return target, nil
}

// choosePrograms takes the given programs, else those of the version that made
// the cluster, else the newest of the machine.
func (c *cluster) choosePrograms(ctx context.Context, given Installation, progress io.Writer) (Installation, error) {
	version, err := os.ReadFile(filepath.Join(c.path(clusterName), "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		if given != (Installation{}) {
			return given, nil
		}
		return Obtain(ctx, progress)
	}
	if err != nil {
		return Installation{}, fmt.Errorf("read the version of the cluster: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(version)))
	if err != nil {
		return Installation{}, fmt.Errorf("read the version of the cluster: %w", err)
	}
	candidates := []Installation{given}
	if given == (Installation{}) {
		if candidates, err = Find(ctx); err != nil {
			return Installation{}, err
		}
		if len(candidates) == 0 {
			obtained, err := Obtain(ctx, progress)
			if err != nil {
				return Installation{}, err
			}
			candidates = []Installation{obtained}
		}
	}
	for _, in := range candidates {
		if in.Major == major {
			return in, nil
		}
	}
	return Installation{}, fmt.Errorf("the cluster in %s was made by PostgreSQL %d, and here is only %v: install version %d or remove that folder",
		c.dir, major, candidates, major)
}

// initialize makes the cluster under another name and renames it when it is
// whole, so that an initdb that was killed leaves nothing that looks usable.
func (c *cluster) initialize(ctx context.Context, o Options) error {
	unfinished := c.path(clusterName + ".unfinished")
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	password := c.path(passwordName)
	if err := os.WriteFile(password, []byte(rand.Text()+"\n"), 0o600); err != nil {
		return err
	}
	if err := c.account.own(password); err != nil {
		return err
	}
	args := []string{
		"--pgdata", unfinished, "--username", superuser, "--pwfile", password, "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--locale", "C", "--no-instructions",
	}
	if !o.Durable {
		args = append(args, "--no-sync")
	}
	if size := o.Settings[segmentSetting]; size != "" {
		args = append(args, "--wal-segsize", size)
	}
	cmd := c.installation.Command(ctx, "initdb", args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.account.credential()}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(output.Bytes()))
	}
	return os.Rename(unfinished, c.path(clusterName))
}
