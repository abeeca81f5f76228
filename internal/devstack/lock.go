package devstack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ErrInUse says that another stack runs on the same data directory.
var ErrInUse = errors.New("the data directory is in use")

// lockDir keeps other stacks from a data directory until the file is closed, or
// the process ends in any way. The file holds the owner's process id for people;
// what counts is the lock on it.
func lockDir(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock file: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		owner, readErr := os.ReadFile(file.Name())
		closeErr := file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("%w: %s, by process %s; stop that one or choose another folder",
				ErrInUse, dir, strings.TrimSpace(string(owner))), readErr, closeErr)
		}
		return nil, errors.Join(fmt.Errorf("lock the data directory: %w", err), closeErr)
	}
	if err := writeOwner(file); err != nil {
		return nil, errors.Join(fmt.Errorf("write the lock file: %w", err), file.Close())
	}
	return file, nil
}

func writeOwner(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
