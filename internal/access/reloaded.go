package access

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/yamlfile"
)

// reloaded is what was read from files that may change while it is in use. The
// files are read whole each time: they are small, and size and time of
// modification are the same for one that was changed twice at once, or was
// copied with its times.
type reloaded[T any] struct {
	what  string // for messages: the setting
	paths []string
	parse func(contents [][]byte) (T, error)

	mu      sync.Mutex // one refresh at a time
	seen    [sha256.Size]byte
	value   atomic.Pointer[T]
	failure atomic.Pointer[error] // of the last refresh; nil: it is current
}

// load reads files for the first time.
func load[T any](what string, paths []string, parse func([][]byte) (T, error)) (*reloaded[T], error) {
	r := &reloaded[T]{what: what, paths: paths, parse: parse}
	if _, err := r.refresh(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *reloaded[T]) current() T { return *r.value.Load() }

// refresh reads the files again and tells whether there is a new value. After
// an error the old one stays.
func (r *reloaded[T]) refresh() (changed bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() {
		if err == nil {
			r.failure.Store(nil)
			return
		}
		err = fmt.Errorf("%s: %w", r.what, err)
		r.failure.Store(&err)
	}()
	contents, sum := make([][]byte, len(r.paths)), sha256.New()
	for i, path := range r.paths {
		if contents[i], err = yamlfile.Read(path); err != nil {
			return false, err
		}
		each := sha256.Sum256(contents[i])
		sum.Write(each[:])
	}
	seen := [sha256.Size]byte(sum.Sum(nil))
	if r.value.Load() != nil && seen == r.seen {
		return false, nil
	}
	value, err := r.parse(contents)
	if err != nil {
		return false, err
	}
	r.value.Store(&value)
	r.seen = seen
	return true, nil
}

// failed is the error of the last refresh, or nil.
func (r *reloaded[T]) failed() error {
	if err := r.failure.Load(); err != nil {
		return *err
	}
	return nil
}
