package bulk

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// temporary is the prefix of files that are not whole yet. Readers of data sets
// pass over names that begin with a dot.
const temporary = ".unfinished-"

// rowWriter writes rows in one format.
type rowWriter interface {
	// write appends a row; the cells are valid until it returns.
	write(cells []pgstore.Cell) error
	// close ends the file's content. The file itself stays open.
	close() error
}

// part is a file that is being written.
type part struct {
	dir, name string
	file      *os.File
	buffered  *bufio.Writer
	sum       hash.Hash
	bytes     int64
	rows      rowWriter
}

func newPart(dir, name string, begin func(io.Writer) (rowWriter, error)) (*part, error) {
	file, err := os.Create(filepath.Join(dir, temporary+name))
	if err != nil {
		return nil, fmt.Errorf("begin a part: %w", err)
	}
	p := &part{dir: dir, name: name, file: file, sum: sha256.New()}
	p.buffered = bufio.NewWriterSize(counting{p}, 256<<10)
	if p.rows, err = begin(p.buffered); err != nil {
		p.abandon()
		return nil, fmt.Errorf("begin a part: %w", err)
	}
	return p, nil
}

// counting is the file, with its length and its sum.
type counting struct{ *part }

func (c counting) Write(b []byte) (int, error) {
	n, err := c.file.Write(b)
	c.bytes += int64(n)
	c.sum.Write(b[:n])
	return n, err
}

// finish makes the part whole: synced, then under its name.
func (p *part) finish() (ManifestPart, error) {
	err := p.rows.close()
	if err == nil {
		err = p.buffered.Flush()
	}
	if err == nil {
		err = p.file.Sync()
	}
	if err := errors.Join(err, p.file.Close()); err != nil {
		return ManifestPart{}, fmt.Errorf("finish part %s: %w", p.name, err)
	}
	if err := intoPlace(p.dir, temporary+p.name, p.name); err != nil {
		return ManifestPart{}, err
	}
	return ManifestPart{File: p.name, Bytes: p.bytes, SHA256: hex.EncodeToString(p.sum.Sum(nil))}, nil
}

// abandon takes the unfinished file away.
func (p *part) abandon() {
	_ = p.file.Close()
	_ = os.Remove(filepath.Join(p.dir, temporary+p.name)) // the next export does, otherwise
}

// intoPlace gives a synced file its name, for good.
func intoPlace(dir, from, to string) error {
	if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
		return fmt.Errorf("name a file: %w", err)
	}
	folder, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync a folder: %w", err)
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return fmt.Errorf("sync a folder: %w", err)
	}
	return nil
}
