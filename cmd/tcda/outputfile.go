package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// outputFile is a file that is being written. It gets its name only when it is whole:
// until then what has that name stays as it is.
type outputFile struct {
	*os.File
	target string // what it replaces, of which no part is a link; empty: what finish is told
	direct bool   // it is written to in place, for it is no regular file: a device, a pipe
	size   int64  // written so far
}

// outputMode lets others read what is written, as far as the umask does.
const outputMode = 0o644

// beginOutput begins a file that shall have a name; an empty one is for finish to tell,
// in the present directory.
func beginOutput(name string) (*outputFile, error) {
	target := name
	if info, err := os.Stat(name); err == nil {
		resolved, err := filepath.EvalSymlinks(name)
		if err != nil || !info.Mode().IsRegular() { // a link below /proc may lead to what has no name
			file, err := os.OpenFile(name, os.O_WRONLY, 0) //nolint:gosec // where the user wants it
			return &outputFile{File: file, direct: true}, wrapOutput(err)
		}
		target = resolved
	}
	part := filepath.Join(filepath.Dir(target), ".tcda-"+rand.Text()+".part")
	file, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, outputMode) //nolint:gosec // where the user wants it
	return &outputFile{File: file, target: target}, wrapOutput(err)
}

// Write is that of os.File.
func (o *outputFile) Write(content []byte) (int, error) {
	n, err := o.File.Write(content)
	o.size += int64(n)
	return n, wrapOutput(err)
}

// finish makes it the file of that name, with the permissions of one that it replaces.
func (o *outputFile) finish(name string) error {
	if o.direct {
		return wrapOutput(o.Close())
	}
	target := cmp.Or(o.target, name)
	var err error
	if info, missing := os.Stat(target); missing == nil {
		err = o.Chmod(info.Mode().Perm())
	}
	if err = errors.Join(err, o.Sync(), o.Close()); err == nil {
		err = os.Rename(o.Name(), target)
	}
	return wrapOutput(err)
}

// abandon takes away what is not finished.
func (o *outputFile) abandon() {
	_ = o.Close()
	if !o.direct {
		_ = os.Remove(o.Name()) // not there any more when all went well
	}
}

// replaceFile writes a file whole, or leaves what has its name as it was.
func replaceFile(name string, content []byte) error {
	file, err := beginOutput(name)
	if err != nil {
		return err
	}
	defer file.abandon()
	if _, err := file.Write(content); err != nil {
		return err
	}
	return file.finish(name)
}

// createFile writes a file that must not be there yet: the error is os.ErrExist.
func createFile(name string, content []byte) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, outputMode) //nolint:gosec // where the user wants it
	if err != nil {
		return wrapOutput(err)
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(name) // a part of a file looks like one
	}
	return wrapOutput(err)
}

func wrapOutput(err error) error {
	if err != nil {
		return fmt.Errorf("write the file: %w", err)
	}
	return nil
}
