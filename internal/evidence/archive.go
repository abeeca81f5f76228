package evidence

import (
	"archive/zip"
	"bufio"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
)

// UnreadableError says that a file is no bundle, or one of another schema.
type UnreadableError struct{ Err error }

func (e *UnreadableError) Error() string { return e.Err.Error() }

func (e *UnreadableError) Unwrap() error { return e.Err }

// Bounds of what is read into memory, in bytes, and of the number of entries. What
// is larger is no bundle that Write wrote.
const (
	mostManifest   = 1 << 20
	mostReport     = 64 << 20
	mostDefinition = 64 << 20
	mostEntries    = 1000
)

// entryName is what entries are called: nothing else is looked for.
var entryName = regexp.MustCompile(`^(README\.txt|definition\.(yaml|json|txt)|report\.(json|html)|compared/[0-9a-f]{64}\.json|events\.jsonl|manifest\.json)$`)

// archive is a bundle as a ZIP.
type archive struct {
	files map[string]*zip.File
}

// openArchive reads the directory of a ZIP; what is odd in it is found.
func openArchive(r io.ReaderAt, size int64, result *Result) (*archive, error) {
	directory, length, err := directoryOf(r, size)
	if err != nil {
		return nil, fmt.Errorf("read the file as a ZIP: %w", err)
	}
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // odd names are found below
		return nil, fmt.Errorf("read the file as a ZIP: %w", err)
	}
	z.RegisterDecompressor(zip.Deflate, inflate)
	if len(z.File) > mostEntries {
		return nil, fmt.Errorf("the ZIP has %d entries, a bundle has at most %d", len(z.File), mostEntries)
	}
	entries, err := holdDirectory(r, z.File, directory, length, result)
	if err == nil {
		err = holdLayout(r, entries, directory, result)
	}
	if err != nil {
		return nil, fmt.Errorf("read the file as a ZIP: %w", err)
	}
	a := &archive{files: map[string]*zip.File{}}
	for _, f := range z.File {
		problem := ""
		switch {
		case !entryName.MatchString(f.Name):
			problem = "a bundle has no entry of this name"
		case a.files[f.Name] != nil:
			problem = "it is there more than once"
		case f.Method != zip.Deflate && f.Method != zip.Store:
			problem = "it is compressed by method " + strconv.Itoa(int(f.Method))
		case f.Flags&encrypted != 0:
			problem = "it is marked as encrypted"
		case !f.Mode().IsRegular():
			problem = "it is marked as something else than a file"
		case f.Comment != "":
			problem = "it has a comment"
		}
		if problem != "" {
			result.find(Finding{Check: CheckArchive, Entry: f.Name, Problem: problem})
			continue
		}
		a.files[f.Name] = f
	}
	if z.Comment != "" {
		result.find(Finding{Check: CheckArchive, Problem: "the ZIP has a comment", Found: z.Comment})
	}
	return a, nil
}

// inflater unpacks an entry.
type inflater struct {
	io.ReadCloser
	packed *bufio.Reader
}

// inflate unpacks what is packed, and nothing may be behind it. That flate takes no
// byte too many is so of an io.ByteReader.
func inflate(packed io.Reader) io.ReadCloser {
	from := bufio.NewReader(packed)
	return &inflater{flate.NewReader(from), from}
}

// Read fails where other bytes are behind what was packed.
func (i *inflater) Read(b []byte) (int, error) {
	n, err := i.ReadCloser.Read(b)
	if errors.Is(err, io.EOF) {
		if _, err = i.packed.Peek(1); err == nil {
			err = errors.New("bytes lie behind what is packed of it")
		}
	}
	return n, err
}

// errTooLarge says that an entry is larger than it may be.
var errTooLarge = errors.New("it is larger than the manifest says")

// whole reads an entry of at most so many bytes.
func (a *archive) whole(name string, most int64) ([]byte, error) {
	f := a.files[name]
	if f == nil {
		return nil, errors.New("it is missing")
	}
	from, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = from.Close() }()
	b, err := io.ReadAll(io.LimitReader(from, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("it is larger than %d bytes", most)
	}
	return b, nil
}

// read reads an entry through take, whose rest is read, too, and holds it to the
// manifest: no more is read of it than the manifest names, and one byte; and nothing
// once ctx has ended.
func (a *archive) read(ctx context.Context, e *Entry, take func(io.Reader) error, result *Result) {
	f := a.files[e.Name]
	if f == nil {
		return // found by entries
	}
	differs := func(problem, expected, found string) {
		result.find(Finding{Check: CheckEntries, Entry: e.Name, Problem: problem, Expected: expected, Found: found})
	}
	from, err := f.Open()
	if err != nil {
		differs("it cannot be read: "+err.Error(), "", "")
		return
	}
	defer func() { _ = from.Close() }()
	sum := sha256.New()
	counted := &counter{from: io.TeeReader(from, sum), left: e.Size, ended: ctx.Err}
	if take != nil {
		err = take(counted)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, counted)
	}
	switch found := hex.EncodeToString(sum.Sum(nil)); {
	case errors.Is(err, errTooLarge):
		differs("size", strconv.FormatInt(e.Size, 10), "more")
	case err != nil:
		differs("it cannot be read: "+err.Error(), "", "")
	case counted.left != 0:
		differs("size", strconv.FormatInt(e.Size, 10), strconv.FormatInt(e.Size-counted.left, 10))
	case found != e.SHA256:
		differs("sha256", e.SHA256, found)
	}
}

// counter reads no more than so many bytes.
type counter struct {
	from  io.Reader
	left  int64
	ended func() error // an error: no more is read
}

// Read fails behind the last byte that there may be.
func (c *counter) Read(b []byte) (int, error) {
	if err := c.ended(); err != nil {
		return 0, err
	}
	if c.left < 0 { // as a manifest may say
		return 0, errTooLarge
	}
	if int64(len(b))-1 > c.left { // the other way it may overflow
		b = b[:c.left+1]
	}
	n, err := c.from.Read(b)
	if c.left -= int64(n); c.left < 0 {
		return n, errTooLarge
	}
	return n, err
}
