package evidence

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// archiveDecoder compiles the rules of the contract once.
var archiveDecoder = sync.OnceValues(event.NewArchiveDecoder)

// events reads the events once: their lines, the chain over them, and the report
// that is built of them. The error is that of ctx.
func (v *verification) events(ctx context.Context) error {
	r := v.result
	r.begin(CheckEvents)
	r.begin(CheckChain)
	decoder, err := archiveDecoder()
	if err != nil {
		return err
	}
	read := &eventReading{verification: v, decoder: decoder}
	var listed *Entry
	for i := range v.manifest.Entries {
		if v.manifest.Entries[i].Name == eventsName {
			listed = &v.manifest.Entries[i]
		}
	}
	if listed == nil || v.archive.files[eventsName] == nil {
		r.find(Finding{Check: CheckEvents, Entry: eventsName, Problem: "it is missing"})
		v.doNotBuild("the events are missing")
	} else {
		v.archive.read(ctx, listed, func(from io.Reader) error { return read.lines(ctx, from) }, r)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	r.Chain = read.head.String()
	r.tell(CheckEvents, "%d events, %d whose digest cannot be computed again", r.Events, r.Inexact)
	r.tell(CheckChain, "head %s", r.Chain)
	for _, c := range []struct {
		check           Check
		what            string
		expected, found string
	}{
		{CheckEvents, "number of events", strconv.FormatInt(v.manifest.Events.Count, 10), strconv.FormatInt(r.Events, 10)},
		{CheckEvents, "number of events whose digest cannot be computed again", strconv.FormatInt(v.manifest.Events.Inexact, 10), strconv.FormatInt(r.Inexact, 10)},
		{CheckChain, "the head is not that of the manifest", v.manifest.Events.Chain, r.Chain},
	} {
		if c.expected != c.found {
			r.find(Finding{Check: c.check, Entry: eventsName, Problem: c.what, Expected: c.expected, Found: c.found})
		}
	}
	if v.reported != nil && v.reported.Inputs.Chain != r.Chain {
		r.find(Finding{Check: CheckChain, Entry: eventsName, Problem: "the head is not that of the report", Expected: v.reported.Inputs.Chain, Found: r.Chain})
	}
	return nil
}

// doNotBuild says why the report is not built again.
func (v *verification) doNotBuild(why string) {
	if v.builder != nil {
		v.builder, v.unbuilt = nil, why
	}
}

// eventReading is how far the events were read.
type eventReading struct {
	*verification
	decoder *event.Decoder
	line    int64
	head    chain
	last    fact.Order
}

var errLongLine = errors.New("a line is too long")

// lines reads line by line. An error is one of the reader.
func (r *eventReading) lines(ctx context.Context, from io.Reader) error {
	lines := bufio.NewReaderSize(from, 64<<10)
	var long []byte // what of a line does not fit in the buffer
	for {
		part, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			if long = append(long, part...); len(long) > mostLine {
				r.line++
				r.find(Finding{Check: CheckEvents, Entry: eventsName, Line: r.line, Problem: "the line is too long"})
				r.doNotBuild("an event cannot be read")
				return errLongLine
			}
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			r.doNotBuild("the events cannot be read")
			return err
		}
		if len(long) > 0 {
			long = append(long, part...)
			part = long
		}
		text, ended := bytes.CutSuffix(part, []byte{'\n'})
		if !ended && len(part) == 0 {
			return nil
		}
		r.line++
		r.one(text)
		if !ended {
			r.found(nil, "the last line has no end", "", "")
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if cap(long) > 1<<20 {
			long = nil
		}
		long = long[:0]
	}
}

func (r *eventReading) find(f Finding) { r.result.find(f) }

// found is something that is wrong with the event of the present line.
func (r *eventReading) found(e *execution.Event, problem, expected, found string) {
	f := Finding{Check: CheckEvents, Entry: eventsName, Line: r.line, Problem: problem, Expected: expected, Found: found}
	if e != nil {
		f.Event = e.Source + " " + e.ID
	}
	r.find(f)
}

// one checks the event of a line.
func (r *eventReading) one(text []byte) {
	l, err := parseLine(text)
	if err != nil {
		r.found(nil, "the line cannot be read: "+err.Error(), "", "")
		r.doNotBuild("an event cannot be read")
		return
	}
	key, keyed := hash32[fact.Key](l.Record.Key)
	digest, digested := hash32[fact.Digest](l.Record.Digest)
	if !keyed || !digested {
		r.found(nil, "key and digest are 64 digits of lower-case hex", "", l.Record.Key+" "+l.Record.Digest)
	}
	r.head = r.head.next(key, digest)
	r.result.Events++
	if l.Chain != r.head.String() {
		r.find(Finding{Check: CheckChain, Entry: eventsName, Line: r.line, Problem: "the link is not that of the events up to here", Expected: r.head.String(), Found: l.Chain})
	}
	e, rejection := r.decoder.DecodeArchived(l.Event)
	if rejection != nil {
		r.found(nil, "the event cannot be read: "+rejection.Error(), "", "")
		r.doNotBuild("an event cannot be read")
		return
	}
	r.identity(e, l, key, digest)
	if o := e.Order(); !o.After(r.last) {
		r.found(e, "it is out of order", "", "")
		r.doNotBuild("the events are out of order")
	} else {
		r.last = o
	}
	if r.builder == nil {
		return
	}
	if err := addTo(r.builder, asStored(e, &l.Record, digest)); err != nil {
		r.found(e, "no report can be built of it: "+err.Error(), "", "")
		r.doNotBuild("an event is none that a report can be built of")
	}
}

// identity holds an event to the key and the digest that it was accepted with.
func (r *eventReading) identity(e *execution.Event, l *Line, key fact.Key, digest fact.Digest) {
	if e.Key != key {
		r.found(e, "source, id and subject do not give the key", key.String(), e.Key.String())
	}
	if e.ExecutionID() != r.manifest.ExecutionID {
		r.found(e, "it is of another execution", string(r.manifest.ExecutionID), e.Subject)
	}
	if e.Type == fact.TypePinned {
		r.found(e, "it is a pin, which is no part of a bundle", "", "")
	}
	_, hasLines := e.Payload.(*execution.LogAppended)
	switch {
	case l.Record.DigestVersion != fact.DigestVersion:
		r.found(e, "its digest is of another version", strconv.Itoa(fact.DigestVersion), strconv.Itoa(int(l.Record.DigestVersion)))
	case l.Record.Inexact && hasLines:
		r.result.Inexact++
	case l.Record.Inexact:
		r.found(e, fmt.Sprintf("its digest can be computed, although it is marked as inexact; only %s may be", fact.TypeLogAppended), "", "")
	case e.Digest != digest:
		r.found(e, "what it states does not give the digest", digest.String(), e.Digest.String())
	}
}
