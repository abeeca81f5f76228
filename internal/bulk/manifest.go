package bulk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// ManifestName is the name of the manifest in the folder of a view.
const ManifestName = "manifest.json"

const manifestVersion = 1

// Manifest says what the files of an export hold. It is written after each part,
// so that all that it names is there, whole and synced.
type Manifest struct {
	Version  int              `json:"manifest_version"`
	View     string           `json:"view"`
	Comment  string           `json:"comment,omitempty"`
	Format   Format           `json:"format"`
	RawText  bool             `json:"raw_text"` // of CSV: no apostrophes before what a spreadsheet would compute
	Columns  []ManifestColumn `json:"columns"`
	Key      []string         `json:"key,omitempty"` // that parts follow one another along
	Filters  Filters          `json:"filters"`
	Parts    []ManifestPart   `json:"parts"`
	Rows     int64            `json:"rows"`
	Complete bool             `json:"complete"`
}

// ManifestColumn is a column of all parts.
type ManifestColumn struct {
	Name    string `json:"name"`
	Type    string `json:"type"` // of PostgreSQL
	Comment string `json:"comment,omitempty"`
}

// ManifestPart is a file.
type ManifestPart struct {
	File    string    `json:"file"`
	Rows    int64     `json:"rows"`
	Bytes   int64     `json:"bytes"`
	SHA256  string    `json:"sha256"`
	AsOf    time.Time `json:"as_of"`              // the moment whose rows these are, by PostgreSQL's clock
	LastKey []string  `json:"last_key,omitempty"` // as text; the next part begins behind it
}

// Filters say which rows are wanted.
type Filters struct {
	Since       *time.Time `json:"since,omitempty"` // inclusive
	Until       *time.Time `json:"until,omitempty"` // exclusive
	Scenario    string     `json:"scenario,omitempty"`
	Environment string     `json:"environment,omitempty"`
}

// ErrDiffers says that an export cannot be gone on with, because it is another.
var ErrDiffers = errors.New("what is there is another export")

// sameAs tells whether two manifests are of the same export.
func (m *Manifest) sameAs(other *Manifest) error {
	same := func(a, b *time.Time) bool { return a == b || a != nil && b != nil && a.Equal(*b) }
	for what, equal := range map[string]bool{
		"manifest_version": m.Version == other.Version,
		"view":             m.View == other.View,
		"format":           m.Format == other.Format,
		"raw_text":         m.RawText == other.RawText,
		"key":              slices.Equal(m.Key, other.Key),
		"since":            same(m.Filters.Since, other.Filters.Since),
		"until":            same(m.Filters.Until, other.Filters.Until),
		"scenario":         m.Filters.Scenario == other.Filters.Scenario,
		"environment":      m.Filters.Environment == other.Filters.Environment,
		"columns": slices.EqualFunc(m.Columns, other.Columns, func(a, b ManifestColumn) bool {
			return a.Name == b.Name && a.Type == b.Type
		}),
	} {
		if !equal {
			return fmt.Errorf("%w: its %s differs", ErrDiffers, what)
		}
	}
	return nil
}

// ReadManifest reads that of a folder; fs.ErrNotExist where there is none.
func ReadManifest(dir string) (*Manifest, error) {
	text, err := os.ReadFile(filepath.Join(dir, ManifestName))
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("read manifest in %s: %w", dir, err)
	}
	return &m, nil
}

// check holds the files against the manifest: each is there in its length.
func (m *Manifest) check(dir string) error {
	for _, p := range m.Parts {
		if filepath.Base(p.File) != p.File {
			return fmt.Errorf("manifest names %q, which is no file of this folder", p.File)
		}
		info, err := os.Lstat(filepath.Join(dir, p.File))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("part %s is missing: an export of which a part is gone cannot be gone on with", p.File)
		case err != nil:
			return fmt.Errorf("look at a part: %w", err)
		case info.Size() != p.Bytes:
			return fmt.Errorf("part %s has %d bytes, the manifest says %d", p.File, info.Size(), p.Bytes)
		}
	}
	return nil
}

// write replaces the manifest, so that there is always a whole one.
func (m *Manifest) write(dir string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	f, err := os.Create(filepath.Join(dir, temporary+ManifestName))
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return intoPlace(dir, temporary+ManifestName, ManifestName)
}
