package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// outputFile is a file that is being written. It gets its name only when it is whole:
// until then what has that name stays as it is, unless nothing else can take its place.
type outputFile struct {
	*os.File
	fresh  bool  // nothing may have its name yet
	direct bool  // what has its name is written to: a device, a pipe, a file that cannot be replaced
	kept   bool  // it could not be copied to its place, which may be a part now
	size   int64 // written so far
}

// outputMode lets others read what is written, as far as the umask does.
const outputMode = 0o644

// beginOutput begins a file that shall have a name; an empty one is for finish to tell,
// in the present directory. A fresh file replaces nothing.
func beginOutput(name string, fresh bool) (*outputFile, error) {
	target, there := name, false
	if !fresh {
		info, err := os.Stat(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, wrapOutput(err)
		}
		there, target = err == nil, pointedTo(name)
		if _, err := os.Stat(target); there && (err != nil || !info.Mode().IsRegular()) { // a link below /proc may lead to what has no name
			return openDirect(name)
		}
	}
	part := filepath.Join(filepath.Dir(target), ".tcda-"+rand.Text()+".part")
	file, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, outputMode) //nolint:gosec // where the user wants it
	switch {
	case there && notAllowed(err):
		return openDirect(target)
	case err != nil:
		return nil, wrapOutput(err)
	}
	return &outputFile{File: file, fresh: fresh}, nil
}

func openDirect(name string) (*outputFile, error) {
	file, err := os.OpenFile(name, os.O_WRONLY, 0) //nolint:gosec // where the user wants it
	if err != nil {
		return nil, wrapOutput(err)
	}
	return &outputFile{File: file, direct: true}, nil
}

// pointedTo is what links lead to, also if nothing is there.
func pointedTo(name string) string {
	for range 40 { // as many as Linux follows
		if resolved, err := filepath.EvalSymlinks(name); err == nil {
			return resolved
		}
		link, err := os.Readlink(name)
		if err != nil {
			return name
		}
		if folder, err := filepath.EvalSymlinks(filepath.Dir(name)); err == nil && !filepath.IsAbs(link) {
			link = filepath.Join(folder, link)
		}
		name = link
	}
	return name
}

// notAllowed tells whether a file cannot be made, linked or renamed in a folder, be it
// by rights or because something is mounted, so that another way may still be open.
func notAllowed(err error) bool {
	for _, cause := range []error{os.ErrPermission, errors.ErrUnsupported, syscall.EROFS, syscall.EBUSY, syscall.EXDEV} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}

// Write is that of os.File.
func (o *outputFile) Write(content []byte) (int, error) {
	if o.direct && o.size == 0 {
		_ = o.Truncate(0) // of what has a length
	}
	n, err := o.File.Write(content)
	o.size += int64(n)
	return n, wrapOutput(err)
}

// finish makes it the file of that name, with the permissions of one that it replaces.
// A fresh one fails with os.ErrExist if by now there is something of that name.
func (o *outputFile) finish(name string) error {
	if o.direct {
		return wrapOutput(o.Close())
	}
	place, orCopy := os.Link, os.O_EXCL
	var err error
	if !o.fresh {
		place, orCopy = os.Rename, os.O_TRUNC
		name = pointedTo(name)
		if info, missing := os.Stat(name); missing == nil {
			err = o.Chmod(info.Mode().Perm())
		}
	}
	if err = errors.Join(err, o.Sync(), o.Close()); err == nil {
		if err = place(o.Name(), name); notAllowed(err) {
			if err = copyFile(o.Name(), name, orCopy); err != nil && !o.fresh {
				o.kept = true
				err = fmt.Errorf("%w; all of it is in %s", err, o.Name())
			}
		}
	}
	return wrapOutput(err)
}

// copyFile writes what a file holds to another: over it (os.O_TRUNC), or to a new one
// (os.O_EXCL).
func copyFile(from, to string, flag int) error {
	source, err := os.Open(from) //nolint:gosec // where the user wants it
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	file, err := os.OpenFile(to, flag|os.O_CREATE|os.O_WRONLY, outputMode) //nolint:gosec // where the user wants it
	if err != nil {
		return err
	}
	_, err = io.Copy(file, source)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil && flag == os.O_EXCL {
		_ = os.Remove(to) // a part of a file looks like one
	}
	return err
}

// abandon takes away what is not finished, and the part of what is.
func (o *outputFile) abandon() {
	_ = o.Close()
	if !o.direct && !o.kept {
		_ = os.Remove(o.Name()) // not there any more when it was renamed
	}
}

// writeFile writes a file whole, or leaves what has its name as it was, if that can be
// replaced. A fresh one must not be there yet: the error is os.ErrExist.
func writeFile(name string, content []byte, fresh bool) error {
	file, err := beginOutput(name, fresh)
	if err != nil {
		return err
	}
	defer file.abandon()
	if _, err := file.Write(content); err != nil {
		return err
	}
	return file.finish(name)
}

func wrapOutput(err error) error {
	if err != nil {
		return fmt.Errorf("write the file: %w", err)
	}
	return nil
}
