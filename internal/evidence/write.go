package evidence

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// Source is what a bundle is made from.
type Source struct {
	Revision   int32  // of the report; 0: it is not frozen, but built for this bundle
	Report     []byte // as report.Report.Encode gave it
	HTML       []byte // the same for people; nil: left out
	Definition []byte // text of the version that was run; nil: no content is known

	// Compared gives the frozen report of that digest; nil bytes where it is no
	// longer kept. It may be nil.
	Compared func(ctx context.Context, sha256 string) ([]byte, error)

	// Events are all accepted events of the run in their order (fact.Order). Pins,
	// which say nothing of the run, are passed over.
	Events iter.Seq2[*Event, error]
}

// ChangedError says that the events are not, or no longer, those that the report
// was made from: what was written is no bundle.
type ChangedError struct {
	Reported, Found ManifestEvents
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("the report is of %d events with chain %.12s, there are %d with chain %.12s", e.Reported.Count, e.Reported.Chain, e.Found.Count, e.Found.Chain)
}

// mostLine bounds a line of events.jsonl, in bytes. A record of 1 MiB, which is the
// default limit, is at most six times as long here.
const mostLine = 128 << 20

//go:embed readme.txt
var readme []byte

// Write writes the bundle of a run. The source is read once, an event at a time.
// The manifest is what was written last; without it a file is no bundle.
func Write(ctx context.Context, w io.Writer, s Source) (*Manifest, error) {
	r, err := report.Decode(s.Report)
	if err != nil {
		return nil, fmt.Errorf("read the report: %w", err)
	}
	b := &bundle{zip: zip.NewWriter(w), manifest: Manifest{
		Schema: Schema, ExecutionID: r.Run.ExecutionID, Run: r.Run.Number, RunID: r.Run.RunID,
		Report: ManifestReport{Revision: s.Revision, SHA256: r.SHA256, Builder: r.Builder}, Definition: r.Inputs.DefinitionSHA256,
	}}
	if err := b.bytes(readmeName, readme); err != nil {
		return nil, err
	}
	if s.Definition != nil {
		if found := digestOf(s.Definition); found != r.Inputs.DefinitionSHA256 {
			return nil, fmt.Errorf("the definition has sha256 %s, the report names %s", found, r.Inputs.DefinitionSHA256)
		}
		if err := b.bytes(definitionName(s.Definition, r.Definition.Opaque), s.Definition); err != nil {
			return nil, err
		}
	}
	if err := b.bytes(reportName, s.Report); err != nil {
		return nil, err
	}
	if s.HTML != nil {
		if err := b.bytes(htmlName, s.HTML); err != nil {
			return nil, err
		}
	}
	if err := b.compared(ctx, s, r.Inputs.Compared); err != nil {
		return nil, err
	}
	if err := b.events(ctx, s.Events); err != nil {
		return nil, err
	}
	if found := b.manifest.Events; found.Count != r.Inputs.Events || found.Chain != r.Inputs.Chain {
		return nil, &ChangedError{ManifestEvents{Count: r.Inputs.Events, Chain: r.Inputs.Chain}, found}
	}
	return b.close()
}

// definitionName tells by its ending what a definition is written in.
func definitionName(text []byte, opaque bool) string {
	switch {
	case json.Valid(text):
		return definitionPrefix + "json"
	case opaque:
		return definitionPrefix + "txt"
	default:
		return definitionPrefix + "yaml"
	}
}

// bundle is a bundle that is being written.
type bundle struct {
	zip      *zip.Writer
	manifest Manifest
}

// entry is an entry that is being written.
type entry struct {
	to   io.Writer
	hash hash.Hash
	size int64
}

// Write passes on and counts.
func (e *entry) Write(b []byte) (int, error) {
	n, err := e.to.Write(b)
	e.hash.Write(b[:n])
	e.size += int64(n)
	return n, err
}

// open begins an entry. All are of the same time: when a bundle was made is not
// part of it.
func (b *bundle) open(name string) (*entry, error) {
	to, err := b.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return &entry{to: to, hash: sha256.New()}, nil
}

func (b *bundle) list(name string, e *entry) {
	b.manifest.Entries = append(b.manifest.Entries, Entry{Name: name, Size: e.size, SHA256: hex.EncodeToString(e.hash.Sum(nil))})
}

func (b *bundle) bytes(name string, content []byte) error {
	e, err := b.open(name)
	if err != nil {
		return err
	}
	if _, err := e.Write(content); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	b.list(name, e)
	return nil
}

func (b *bundle) compared(ctx context.Context, s Source, digests []string) error {
	if s.Compared == nil {
		return nil
	}
	for i, sha256 := range digests {
		if slices.Contains(digests[:i], sha256) { // an earlier attempt may be an earlier run, too
			continue
		}
		other, err := s.Compared(ctx, sha256)
		if err != nil {
			return fmt.Errorf("read the report %s: %w", sha256, err)
		}
		if other == nil {
			continue
		}
		if err := b.bytes(comparedName(sha256), other); err != nil {
			return err
		}
	}
	return nil
}

func (b *bundle) events(ctx context.Context, events iter.Seq2[*Event, error]) error {
	to, err := b.open(eventsName)
	if err != nil {
		return err
	}
	var head chain
	var line []byte
	for e, err := range events {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("read events: %w", err)
		}
		if e.Type == fact.TypePinned {
			continue
		}
		head = head.next(e.Key, e.Digest)
		var inexact bool
		if line, inexact, err = appendLine(line[:0], e, head); err != nil {
			return fmt.Errorf("write event %s: %w", e.Key, err)
		}
		if len(line) > mostLine {
			return fmt.Errorf("write event %s: it takes %d bytes, at most are %d", e.Key, len(line), mostLine)
		}
		if _, err := to.Write(line); err != nil {
			return fmt.Errorf("write event %s: %w", e.Key, err)
		}
		b.manifest.Events.Count++
		if inexact {
			b.manifest.Events.Inexact++
		}
		if cap(line) > 1<<20 { // one that is so large is rare
			line = nil
		}
	}
	b.manifest.Events.Chain = head.String()
	b.list(eventsName, to)
	return nil
}

func (b *bundle) close() (*Manifest, error) {
	text, err := b.manifest.encode()
	if err != nil {
		return nil, err
	}
	to, err := b.open(manifestName)
	if err != nil {
		return nil, err
	}
	if _, err := to.Write(text); err != nil {
		return nil, fmt.Errorf("write the manifest: %w", err)
	}
	if err := b.zip.Close(); err != nil {
		return nil, fmt.Errorf("write the end of the file: %w", err)
	}
	return &b.manifest, nil
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
