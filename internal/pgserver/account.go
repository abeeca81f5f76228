package pgserver

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the user that the server runs as, when that is not the user of this
// process: PostgreSQL refuses to run as root.
type account struct {
	name     string
	uid, gid uint32
}

// chooseAccount is nil unless this process is root's. An existing cluster keeps
// its owner, so that root can start what a user has made.
func chooseAccount(dataDir string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // no account is the ordinary case, not a failure
	}
	if info, err := os.Stat(filepath.Join(dataDir, clusterName)); err == nil {
		if stat := info.Sys().(*syscall.Stat_t); stat.Uid != 0 {
			return &account{name: "#" + strconv.Itoa(int(stat.Uid)), uid: stat.Uid, gid: stat.Gid}, nil
		}
	}
	names := []string{"postgres", "nobody"}
	for _, name := range names {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(found.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("read the id of user %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(found.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("read the group of user %s: %w", name, err)
		}
		return &account{name: name, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no user %q to run it as", names)
}

func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}

// own gives a file or folder to the account.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, int(a.uid), int(a.gid))
}

// reaches says whether the account may pass through a folder and all above it.
func (a *account) reaches(dir string) (bool, error) {
	if a == nil {
		return true, nil
	}
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, os.ErrNotExist): // will be made, open to others
		case err != nil:
			return false, err
		default:
			stat := info.Sys().(*syscall.Stat_t)
			execute := os.FileMode(0o001)
			if stat.Uid == a.uid {
				execute = 0o100
			} else if stat.Gid == a.gid {
				execute = 0o010
			}
			if info.Mode()&execute == 0 {
				return false, nil
			}
		}
		if dir == filepath.Dir(dir) {
			return true, nil
		}
	}
}
