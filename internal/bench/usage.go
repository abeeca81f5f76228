package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ticksPerSecond is USER_HZ, 100 on every Linux that Go runs on.
const ticksPerSecond = 100

// stat is a process as /proc/PID/stat has it.
type stat struct {
	pid, parent int
	own         float64 // seconds of processor time
	ended       float64 // that of its children that have ended
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, err
	}
	// The second field is the program's name in parentheses, which may hold any.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 15 {
		return stat{}, fmt.Errorf("read the state of process %d: %q", pid, text)
	}
	number := func(i int) float64 {
		n, _ := strconv.ParseFloat(fields[i], 64) // the kernel writes numbers
		return n
	}
	return stat{
		pid: pid, parent: int(number(1)),
		own: (number(11) + number(12)) / ticksPerSecond, ended: (number(13) + number(14)) / ticksPerSecond,
	}, nil
}

// processorSeconds is the processor time of a process and all its descendants
// so far, those that have ended included.
func processorSeconds(root int) (float64, error) {
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	children := map[int][]stat{}
	for _, name := range names {
		pid, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil { // it may have ended
			children[s.parent] = append(children[s.parent], s)
		}
	}
	first, err := readStat(root)
	if err != nil {
		return 0, fmt.Errorf("read the processor time of process %d: %w", root, err)
	}
	sum := 0.0
	for all := []stat{first}; len(all) > 0; all = all[1:] {
		sum += all[0].own + all[0].ended
		all = append(all, children[all[0].pid]...)
	}
	return sum, nil
}

// peakMemory is the most resident memory that a process has had, in bytes.
func peakMemory(pid int) (int64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("read the memory of process %d: no VmHWM", pid)
}
