//go:build !linux

package childproc

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"syscall"
)

// EndsWithParent says that the kernel ends a child whose parent died.
const EndsWithParent = false

func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}

// childrenByParent lists the machine's processes under their parents.
func childrenByParent() (map[int][]int, error) {
	list, err := exec.CommandContext(context.Background(), "ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	lines := bufio.NewScanner(bytes.NewReader(list))
	for lines.Scan() {
		var pid, parent int
		if _, err := fmt.Sscan(lines.Text(), &pid, &parent); err != nil {
			return nil, fmt.Errorf("read %q: %w", lines.Text(), err)
		}
		children[parent] = append(children[parent], pid)
	}
	return children, nil
}
