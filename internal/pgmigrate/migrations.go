package pgmigrate

import (
	"fmt"
	"io/fs"
	"path"
	"slices"

	"ariga.io/atlas/sql/migrate"
)

// loadDir reads a migration directory (its .sql files and atlas.sum) into the
// form of Atlas, and refuses one whose atlas.sum does not fit its files.
func loadDir(files fs.FS) (*migrate.MemDir, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	dir := new(migrate.MemDir)
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() || (path.Ext(name) != ".sql" && name != migrate.HashFileName) {
			continue
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read migration %s: %w", name, err)
		}
		if err := dir.WriteFile(name, text); err != nil {
			return nil, fmt.Errorf("load migration %s: %w", name, err)
		}
	}
	if err := migrate.Validate(dir); err != nil {
		return nil, checksumError(err)
	}
	return dir, nil
}

// history is a migration directory beside what a database says was applied.
type history struct {
	files   []migrate.File
	sums    migrate.HashFile
	applied []*migrate.Revision
}

func readHistory(dir migrate.Dir, applied []*migrate.Revision) (history, error) {
	files, err := dir.Files()
	if err != nil {
		return history{}, fmt.Errorf("list migrations: %w", err)
	}
	sums, err := dir.Checksum()
	if err != nil {
		return history{}, fmt.Errorf("sum migrations: %w", err)
	}
	return history{files: files, sums: sums, applied: applied}, nil
}

// unknown lists the applied versions for which there is no file.
func (h history) unknown() []string {
	var versions []string
	for _, rev := range h.applied {
		if h.file(rev.Version) == nil {
			versions = append(versions, rev.Version)
		}
	}
	return versions
}

// late lists the files that are not applied although a later one is: written
// on another branch, they came too late.
func (h history) late() []string {
	if len(h.applied) == 0 {
		return nil
	}
	last := h.applied[len(h.applied)-1].Version
	var versions []string
	for _, file := range h.pending() {
		if file.Version() < last {
			versions = append(versions, file.Version())
		}
	}
	return versions
}

// edited lists the applied versions whose file is not what was applied. Sums
// are cumulative (each counts the files before it), so an edit shows in all
// later files too; only the first is named. Baselines carry no hash.
//
// Atlas's executor does not look at this.
func (h history) edited() []string {
	if len(h.late()) > 0 { // its bytes are in the sums of all files after it
		return nil
	}
	for _, rev := range h.applied {
		file := h.file(rev.Version)
		if file == nil || rev.Hash == "" {
			continue
		}
		if sum, err := h.sums.SumByName(file.Name()); err != nil || sum != rev.Hash {
			return []string{rev.Version}
		}
	}
	return nil
}

// partial lists the applied versions of which only some statements ran.
func (h history) partial() []string {
	var versions []string
	for _, rev := range h.applied {
		if rev.Applied < rev.Total {
			versions = append(versions, rev.Version)
		}
	}
	return versions
}

// pending lists the files that are not, or not wholly, applied. Files before a
// baseline count as applied.
func (h history) pending() []migrate.File {
	var files []migrate.File
	for _, file := range h.files {
		at := slices.IndexFunc(h.applied, func(rev *migrate.Revision) bool { return rev.Version == file.Version() })
		switch {
		case at >= 0 && h.applied[at].Applied == h.applied[at].Total:
		case at < 0 && h.beforeBaseline(file):
		default:
			files = append(files, file)
		}
	}
	return files
}

func (h history) beforeBaseline(file migrate.File) bool {
	return slices.ContainsFunc(h.applied, func(rev *migrate.Revision) bool {
		return rev.Type.Has(migrate.RevisionTypeBaseline) && file.Version() < rev.Version
	})
}

func (h history) file(version string) migrate.File {
	for _, file := range h.files {
		if file.Version() == version {
			return file
		}
	}
	return nil
}
