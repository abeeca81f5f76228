package coordsim

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"sync"
	"time"
)

// Entry is one line of a ledger: a record that Kafka has acknowledged.
type Entry struct {
	Kind Kind `json:"kind"`
	Identity
	EventKey string `json:"event_key,omitempty"` // in hex; empty for a record that is no event
	Form     string `json:"form,omitempty"`
	Address
}

// syncEvery is how much of a ledger the death of the machine may cost. That of
// the process costs as much: entries wait for it in memory.
const syncEvery = 50 * time.Millisecond

// Ledger writes down what was acknowledged, as JSON lines in that order. What
// it holds is true whenever the writer dies: an entry is written only after the
// acknowledgement, and a line that was cut off is no entry.
type Ledger struct {
	mu    sync.Mutex
	file  *os.File
	out   *bufio.Writer
	dirty bool
	err   error // the first; nothing is written after it

	stop, stopped chan struct{}
}

// OpenLedger opens a ledger to be continued, or begins one. A last line that
// was cut off by a crash is removed.
func OpenLedger(name string) (*Ledger, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	whole, err := wholeLines(file)
	if err == nil {
		err = file.Truncate(whole)
	}
	if err == nil {
		_, err = file.Seek(whole, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("continue ledger: %w", err), file.Close())
	}
	l := &Ledger{file: file, out: bufio.NewWriterSize(file, 1<<16), stop: make(chan struct{}), stopped: make(chan struct{})}
	go l.keepSynced()
	return l, nil
}

// wholeLines is the length of a file up to its last line break.
func wholeLines(file io.Reader) (int64, error) {
	var whole int64
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadSlice('\n')
		switch {
		case err == nil:
			whole += int64(len(line))
		case errors.Is(err, io.EOF):
			return whole, nil
		default: // longer than any entry, too: no ledger
			return 0, err
		}
	}
}

// Add notes an acknowledged record.
func (l *Ledger) Add(r *Record, at Address) error {
	entry := Entry{Kind: r.Kind, Identity: r.Identity, Form: r.Form, Address: at}
	if r.ID != "" {
		entry.EventKey = r.EventKey().String()
	}
	line, err := json.Marshal(entry)
	if err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		_, l.err = l.out.Write(append(line, '\n'))
		l.dirty = true
	}
	return l.failure()
}

func (l *Ledger) failure() error {
	if l.err != nil {
		return fmt.Errorf("write ledger: %w", l.err)
	}
	return nil
}

func (l *Ledger) keepSynced() {
	defer close(l.stopped)
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			l.sync()
		}
	}
}

// sync makes all entries so far last.
func (l *Ledger) sync() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dirty || l.err != nil {
		return
	}
	if l.err = l.out.Flush(); l.err == nil {
		l.err = l.file.Sync()
	}
	l.dirty = false
}

// Close makes all entries last and closes the file.
func (l *Ledger) Close() error {
	close(l.stop)
	<-l.stopped
	l.sync()
	return errors.Join(l.failure(), l.file.Close())
}

// ReadLedger reads the entries of a ledger. A last line that was cut off is
// left out.
func ReadLedger(from io.Reader) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		lines := bufio.NewReader(from)
		for n := 1; ; n++ {
			line, err := lines.ReadBytes('\n')
			if errors.Is(err, io.EOF) {
				return
			}
			var entry Entry
			if err == nil {
				err = json.Unmarshal(line, &entry)
			}
			if err != nil {
				err = fmt.Errorf("read line %d of the ledger: %w", n, err)
			}
			if !yield(entry, err) || err != nil {
				return
			}
		}
	}
}
