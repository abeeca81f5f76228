package main

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"unsafe"
)

// A file that may be written, in a folder that may not, is written in its place, and not
// touched before there is something to write.
func TestAFileInAFolderOfOthersIsWritten(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	name := filepath.Join(folder, "report.html")
	if err := os.WriteFile(name, []byte("the former content"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o500); err != nil { //nolint:gosec // a folder
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(folder, 0o700) }() //nolint:gosec // a folder
	runtime.LockOSThread()                         // which ends with the test: from now on it has no capabilities, so that rights bind root, too
	header, none := [2]uint32{0x20080522, 0}, [6]uint32{}
	if _, _, err := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none)), 0); err != 0 {
		t.Fatal(err)
	}
	if err := writeFile(filepath.Join(folder, "new"), nil, false); err == nil {
		t.Fatal("a new file was made in a folder that may not be written")
	}
	file, err := beginOutput(name, false)
	if err != nil {
		t.Fatal(err)
	}
	file.abandon()
	holds(t, name, "the former content", 0o600)
	if err := writeFile(name, []byte("content"), false); err != nil {
		t.Error(err)
	}
	holds(t, name, "content", 0o600)
}
