package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// Format is how rows are written.
type Format string

// The formats.
const (
	CSV     Format = "csv"
	JSONL   Format = "jsonl"
	Parquet Format = "parquet"
)

// Options say what is exported, and where to.
type Options struct {
	View    View
	Columns []string // names, in their order; none: all
	Filters Filters
	Format  Format
	RawText bool // CSV: texts as they are, also those that a spreadsheet would compute
	Dir     string
	Resume  bool // go on behind the last whole part, if there is one

	// A part ends after so many rows, or so many bytes of values before encoding,
	// whichever comes first; bytes are looked at after each thousand rows.
	PartRows  int64
	PartBytes int64

	// Progress is called after every thousand rows, and at the end of each part.
	Progress func(Progress)
}

// Progress is how far an export has come.
type Progress struct {
	View string
	Part int   // the number of the present part, from 1
	Rows int64 // in all parts, those of former calls included
	Done bool
}

var (
	// ErrExists says that there is an export already.
	ErrExists = errors.New("there is an export already")
	// ErrNotResumable says that the view cannot be gone on with.
	ErrNotResumable = errors.New("this view has no key to go on behind")
	// ErrBusy says that another process is writing the same export.
	ErrBusy = errors.New("another process is writing this export")
	// ErrUsage says that an export like this cannot be made.
	ErrUsage = errors.New("cannot be exported like this")
)

// Export writes a view into its folder, and returns what is there then. After an
// error, that of ctx included, the manifest names the parts that are whole.
func Export(ctx context.Context, from *pgstore.ViewReader, o Options) (*Manifest, error) {
	e, err := newExport(from, o)
	if err != nil {
		return nil, err
	}
	unlock, err := lockFolder(e.dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := e.begin(); err != nil {
		return nil, err
	}
	if !e.manifest.Complete {
		err = e.run(ctx)
	}
	e.tell(err == nil)
	return e.manifest, err
}

// export is one that is being made.
type export struct {
	Options
	from      *pgstore.ViewReader
	dir       string // of this view
	selection pgstore.Selection
	manifest  *Manifest
	rows      int64    // of the present part
	previous  []string // key of the row before
}

func newExport(from *pgstore.ViewReader, o Options) (*export, error) {
	columns, err := o.View.pick(o.Columns)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	f := o.Filters
	switch {
	case (f.Since != nil || f.Until != nil) && o.View.timeExpr == "":
		return nil, fmt.Errorf("%w: %s has no time that --since and --until could be held against", ErrUsage, o.View.Name)
	case (f.Scenario != "" || f.Environment != "") && !o.View.Scenario:
		return nil, fmt.Errorf("%w: %s cannot be limited to a scenario or an environment", ErrUsage, o.View.Name)
	case o.PartRows <= 0 || o.PartBytes <= 0:
		return nil, fmt.Errorf("%w: a part must have room for rows and bytes", ErrUsage)
	}
	e := &export{
		Options: o, from: from, dir: filepath.Join(o.Dir, o.View.Name),
		selection: pgstore.Selection{
			View: o.View.Name, Columns: columns, Key: o.View.keys, Time: o.View.timeExpr,
			Scenario: f.Scenario, Environment: f.Environment, ByRun: o.View.ofItsRuns,
		},
		manifest: &Manifest{
			Version: manifestVersion, View: o.View.Name, Comment: o.View.Comment, Format: o.Format, RawText: o.RawText && o.Format == CSV,
			Key: o.View.Key, Filters: f, Parts: []ManifestPart{},
		},
	}
	if f.Since != nil {
		e.selection.Since = *f.Since
	}
	if f.Until != nil {
		e.selection.Until = *f.Until
	}
	for _, c := range columns {
		e.manifest.Columns = append(e.manifest.Columns, ManifestColumn{Name: c.Name, Type: c.Type, Comment: c.Comment})
	}
	if err := os.MkdirAll(e.dir, 0o755); err != nil { //nolint:gosec // as a shell would make it
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	return e, nil
}

// begin looks at what is there, and clears away what is not whole.
func (e *export) begin() error {
	there, err := ReadManifest(e.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !e.Resume:
		return fmt.Errorf("%w in %s: remove it, or write elsewhere; --resume goes on with one that was interrupted", ErrExists, e.dir)
	default:
		if err := there.sameAs(e.manifest); err != nil {
			return err
		}
		if err := there.check(e.dir); err != nil {
			return err
		}
		if len(e.View.keys) == 0 && !there.Complete && len(there.Parts) > 0 {
			return fmt.Errorf("%w: remove %s and export it anew", ErrNotResumable, e.dir)
		}
		e.manifest = there
	}
	if n := len(e.manifest.Parts); n > 0 {
		e.selection.After = e.manifest.Parts[n-1].LastKey
		e.previous = e.selection.After
	}
	return e.clear()
}

// clear removes what an export that died has left: unfinished files, and a part
// that had its name and was not in the manifest yet, which is written again.
func (e *export) clear() error {
	entries, err := os.ReadDir(e.dir)
	if err != nil {
		return fmt.Errorf("look into a folder: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		listed := slices.ContainsFunc(e.manifest.Parts, func(p ManifestPart) bool { return p.File == name })
		if strings.HasPrefix(name, temporary) || strings.HasPrefix(name, "part-") && !listed {
			if err := os.Remove(filepath.Join(e.dir, name)); err != nil {
				return fmt.Errorf("remove what is not whole: %w", err)
			}
		}
	}
	return nil
}

// run writes parts until there are no more rows. There is always one, so that
// readers find the columns.
func (e *export) run(ctx context.Context) error {
	var rows *pgstore.ViewRows
	defer func() {
		if rows != nil {
			rows.Close(ctx)
		}
	}()
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if rows == nil {
			var err error
			if rows, err = e.from.Open(ctx, e.selection); err != nil {
				return err
			}
		}
		var err error
		if more, err = e.part(ctx, rows); err != nil {
			return err
		}
		e.manifest.Complete = !more
		if err := e.manifest.write(e.dir); err != nil {
			return err
		}
		if len(e.selection.Key) > 0 {
			rows.Close(ctx) // the next part is of a moment of its own
			rows = nil
		}
	}
	return nil
}

// part writes one part. More says that there may be further rows.
func (e *export) part(ctx context.Context, rows *pgstore.ViewRows) (more bool, err error) {
	p, err := newPart(e.dir, fmt.Sprintf("part-%05d.%s", len(e.manifest.Parts)+1, e.Format), e.writer)
	if err != nil {
		return false, err
	}
	finished := false
	defer func() {
		if !finished {
			p.abandon()
		}
	}()
	e.rows = 0
	var bytes int64
	for more = true; more && e.rows < e.PartRows && bytes < e.PartBytes; {
		if more, err = rows.Next(ctx, e.PartRows-e.rows, func(cells []pgstore.Cell, key []string) error {
			if len(key) > 0 && slices.Equal(key, e.previous) {
				return fmt.Errorf("the key %q of %s is not unique", key, e.View.Name)
			}
			e.previous = append(e.previous[:0:0], key...)
			e.rows++
			for i := range cells {
				bytes += 8 + int64(len(cells[i].Bytes))
			}
			return p.rows.write(cells)
		}); err != nil {
			return false, err
		}
		e.tell(false)
	}
	if e.rows == 0 && len(e.manifest.Parts) > 0 {
		return false, nil // the part before was full, and the last
	}
	whole, err := p.finish()
	finished = true
	if err != nil {
		p.abandon()
		return false, err
	}
	whole.Rows, whole.AsOf = e.rows, rows.AsOf
	if len(e.selection.Key) > 0 {
		whole.LastKey = slices.Clone(e.previous)
		e.selection.After = whole.LastKey
	}
	e.manifest.Parts = append(e.manifest.Parts, whole)
	e.manifest.Rows += e.rows
	e.rows = 0
	return more, nil
}

func (e *export) tell(done bool) {
	if e.Progress != nil {
		e.Progress(Progress{View: e.View.Name, Part: max(1, len(e.manifest.Parts)), Rows: e.manifest.Rows + e.rows, Done: done})
	}
}

// writer begins the content of a part.
func (e *export) writer(to io.Writer) (rowWriter, error) {
	switch e.Format {
	case CSV:
		return newCSV(to, e.selection.Columns, e.manifest.RawText)
	case JSONL:
		return newJSONL(to, e.selection.Columns), nil
	case Parquet:
		return newParquet(to, e.selection.Columns, e.manifest.Comment)
	}
	return nil, fmt.Errorf("%w: unknown format %q", ErrUsage, e.Format)
}

// lockFolder keeps a second process away from the same export.
func lockFolder(dir string) (unlock func(), err error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("lock a folder: %w", err)
	}
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { //nolint:gosec // a descriptor is a small number
		_ = folder.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s", ErrBusy, dir)
		}
		return nil, fmt.Errorf("lock a folder: %w", err)
	}
	return func() { _ = folder.Close() }, nil
}

// moment is a timestamp's cell, where it is finite.
func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
