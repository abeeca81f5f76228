package childproc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// EndsWithParent says that the kernel ends a child whose parent died.
const EndsWithParent = true

func dieWithParent(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }

// childrenByParent lists the machine's processes under their parents.
func childrenByParent() (map[int][]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // ended since it was listed
		}
		if err != nil {
			return nil, err
		}
		// "pid (name) state ppid ...", where the name may hold ") ".
		var pid, parent int
		var state string
		end := bytes.LastIndexByte(stat, ')')
		if _, err := fmt.Sscanf(string(stat[end+1:]), " %s %d", &state, &parent); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		if _, err := fmt.Sscan(string(stat), &pid); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		children[parent] = append(children[parent], pid)
	}
	return children, nil
}
