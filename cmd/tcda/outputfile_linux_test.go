package main

import (
	"os"
	"os/exec"
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

// A file that is mounted where it is cannot be replaced: it is written in its place.
func TestAMountedFileIsWritten(t *testing.T) {
	const variable = "TCDA_TEST_MOUNTED_FOLDER"
	if folder := os.Getenv(variable); folder != "" { // the process below
		name := filepath.Join(folder, "mounted")
		if err := syscall.Mount(filepath.Join(folder, "origin"), name, "", syscall.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		if err := writeFile(name, []byte("content"), false); err != nil {
			t.Error(err)
		}
		return
	}
	t.Parallel()
	folder := t.TempDir()
	for name, content := range map[string]string{"origin": "the former content", "mounted": "below"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$") //nolint:gosec // this program
	child.Env = append(os.Environ(), variable+"="+folder)
	child.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
	}
	if _, err := exec.CommandContext(t.Context(), "unshare", "--user", "--map-root-user", "--mount", "true").Output(); err != nil {
		t.Skipf("nothing can be mounted here: %v", err)
	}
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	holds(t, filepath.Join(folder, "origin"), "content", 0o600)
	holds(t, filepath.Join(folder, "mounted"), "below", 0o600)
	alone(t, folder, 2)
}
