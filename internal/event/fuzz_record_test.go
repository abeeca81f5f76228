package event_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event/eventtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// A fuzz target takes no list: headers lie in one text, each behind the first of
// these characters, its value behind the second.
const nextHeader, itsValue = "\x1e", "\x1f"

func joined(headers []kafkarecord.Header) string {
	var b strings.Builder
	for _, h := range headers {
		b.WriteString(nextHeader + h.Key + itsValue + string(h.Value))
	}
	return b.String()
}

func split(text string) []kafkarecord.Header {
	var headers []kafkarecord.Header
	for i, one := range strings.Split(text, nextHeader) {
		if i == 0 {
			continue
		}
		name, value, set := strings.Cut(one, itsValue)
		h := kafkarecord.Header{Key: name}
		if set {
			h.Value = []byte(value)
		}
		headers = append(headers, h)
	}
	return headers
}

// FuzzRecord gives any key, headers and value. It holds the decoder to all that
// it promises: an answer at a bounded cost; an event that is the same however it
// is written, and whose stored form proves its digest; or a reason of the closed
// list in one printable line.
func FuzzRecord(f *testing.F) {
	for _, typ := range fact.Types() {
		for _, form := range forms {
			r := encode(f, outgoing(f, typ), form.mode, form.encoding)
			f.Add(r.Key, joined(r.Headers), r.Value)
		}
	}
	for _, line := range eventtest.Hostiles(f) {
		if r := line.Record; len(r.Value)+len(r.Key) <= 10_000 {
			f.Add(r.Key, joined(r.Headers), r.Value)
		}
	}
	d := newDecoder(f)
	f.Fuzz(func(t *testing.T, key []byte, headers string, value []byte) {
		record := kafkarecord.Record{Key: key, Headers: split(headers), Value: value}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		decoded, rejection := judge(d, record, sampleNow)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(mostMemory+200*(len(value)+len(headers)+len(key))) {
			t.Fatalf("%d KiB allocated", used>>10)
		}
		if rejection != nil {
			checkAnswer(t, event.Decoded{}, rejection)
			checkLine(t, rejection)
			return
		}
		checkAnswer(t, decoded, nil)
		checkProven(t, d, decoded)
	})
}

// checkLine wants a message that a person can read and a log can hold.
func checkLine(t *testing.T, rejection *fact.Rejection) {
	t.Helper()
	said := rejection.Error()
	if at := strings.IndexFunc(said, func(r rune) bool { return !unicode.IsPrint(r) }); at >= 0 || said == "" {
		t.Fatalf("not one printable line: %q", said)
	}
	for part, most := range map[string]int{rejection.Value: 80, rejection.Field: 200, rejection.Rule: 400} {
		if len([]rune(part)) > most+1 {
			t.Fatalf("not cut to %d characters: %q", most, part)
		}
	}
}

// checkProven wants the digest of an event from what is stored of it, and the
// same event from that, written in any form.
func checkProven(t *testing.T, d *event.Decoder, decoded event.Decoded) {
	t.Helper()
	h := decoded.Header()
	digest, whole, err := event.RestoreDigest(h)
	if err != nil {
		t.Fatal(err)
	}
	if !whole {
		return // FuzzData has those, from their data
	}
	if digest != h.Digest {
		t.Fatalf("what is stored has another digest: %s", h.Data)
	}
	m := message(t, h.Type, string(h.Data))
	for _, form := range forms {
		o := event.Outgoing{
			Source: h.Source, ID: h.ID, Subject: h.Subject, Time: h.Time, Sequence: h.Sequence,
			RunID: h.RunID, TraceParent: h.TraceParent, CorrelationID: h.CorrelationID, Message: m,
		}
		again, rejection := judge(d, encode(t, o, form.mode, form.encoding), sampleNow)
		if rejection != nil {
			t.Fatalf("accepted, but not when written as %s: %v", form, rejection)
		}
		got := *again.Header()
		got.Extensions, got.Unknown = h.Extensions, h.Unknown
		if diff := cmp.Diff(fmt.Sprintf("%+v", *h), fmt.Sprintf("%+v", got)); diff != "" {
			t.Fatalf("another event when written as %s:\n%s", form, diff)
		}
	}
}
