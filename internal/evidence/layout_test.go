package evidence_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/evidence"
)

// end is where the end of a ZIP begins, and directoryAt where its directory does.
func end(b []byte) int { return bytes.LastIndex(b, []byte("PK\x05\x06")) }

func directoryAt(b []byte) int { return int(binary.LittleEndian.Uint32(b[end(b)+16:])) }

// moved is a ZIP whose directory is said to be n bytes further on.
func moved(b []byte, n int) []byte {
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint32(b[end(b)+16:], uint32(directoryAt(b)+n)) //nolint:gosec // a few bytes
	return b
}

// inserted is a ZIP with text at a place before its directory, whose offsets agree.
func inserted(t testing.TB, b []byte, at int, text string) []byte {
	t.Helper()
	le := binary.LittleEndian
	var old []int // of the records of the directory
	for i := directoryAt(b); i < end(b); i += 46 + int(le.Uint16(b[i+28:])) + int(le.Uint16(b[i+30:])) + int(le.Uint16(b[i+32:])) {
		old = append(old, i)
	}
	b = slices.Insert(moved(b, len(text)), at, []byte(text)...)
	for _, i := range old {
		offset := b[i+len(text)+42:]
		if le.Uint32(offset) >= uint32(at) { //nolint:gosec // a small file
			le.PutUint32(offset, le.Uint32(offset)+uint32(len(text))) //nolint:gosec // a small file
		}
	}
	return b
}

// in64 is a ZIP with the end that one of more than 4 GiB has.
func in64(b []byte) []byte {
	le := binary.LittleEndian
	e := bytes.Clone(b[end(b):])
	count, length, at := le.Uint16(e[10:]), le.Uint32(e[12:]), le.Uint32(e[16:])
	large := le.AppendUint64([]byte("PK\x06\x06"), 44)
	large = append(large, 45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	for _, n := range []uint64{uint64(count), uint64(count), uint64(length), uint64(at)} {
		large = le.AppendUint64(large, n)
	}
	large = append(large, "PK\x06\x07\x00\x00\x00\x00"...)
	large = le.AppendUint64(large, uint64(end(b))) //nolint:gosec // a small file
	large = append(large, 1, 0, 0, 0)
	for i := 8; i < 20; i++ {
		e[i] = 0xff
	}
	return slices.Concat(b[:end(b)], large, e)
}

// What a ZIP holds beside its entries, and what its directory does not know of, is
// no part of a bundle.
func TestABundleIsNothingElse(t *testing.T) {
	t.Parallel()
	good, _ := write(t, sourceOf(t, crash(t)))
	second := bytes.Index(good[4:], []byte("PK\x03\x04")) + 4
	other := zipOf(t, "evil.txt", "evil")
	for name, c := range map[string]struct {
		file []byte
		says string
	}{
		"a script before it":          {slices.Concat([]byte("#!/bin/sh\nevil\n"), good), "something was put before it"},
		"a script that is known of":   {inserted(t, good, 0, "#!/bin/sh\nevil\n"), `"README.txt" does not begin at byte 0`},
		"another ZIP before it":       {slices.Concat(other, good), "something was put before it"},
		"another ZIP behind it":       {slices.Concat(good, other), "something was put before it"},
		"itself behind it":            {slices.Concat(good, good), "something was put before it"},
		"text behind it":              {slices.Concat(good, []byte("evil")), "4 bytes lie behind the end"},
		"much behind it":              {slices.Concat(good, make([]byte, 70_000)), "not a valid zip"},
		"text between entries":        {inserted(t, good, second, "evil"), `behind the data of "README.txt"`},
		"a file of no directory":      {inserted(t, good, second, string(other[:bytes.Index(other, []byte("PK\x01\x02"))])), "does not begin at byte"},
		"text before the directory":   {inserted(t, good, directoryAt(good), "evil"), "are not its CRC and its size"},
		"a file before the directory": {inserted(t, good, directoryAt(good), string(other[:bytes.Index(other, []byte("PK\x01\x02"))])), "its directory begins at byte"},
		"text behind the directory":   {slices.Insert(bytes.Clone(good), end(good), []byte("evil")...), "its directory is said to be at byte"},
		"a directory elsewhere":       {moved(good, -1), "its directory is said to be at byte"},
		"overlapping entries":         {overlapping(t, good), "does not begin at byte"},
		"a huge directory":            {hugeDirectory(good), "its directory is of 4294967295 bytes"},
		"an end of 64 bits elsewhere": {slices.Insert(in64(good), end(good), []byte("evil")...), "not a valid zip"},
	} {
		var unreadable *evidence.UnreadableError
		r, err := evidence.Verify(t.Context(), bytes.NewReader(c.file), int64(len(c.file)), evidence.Expected{})
		if !errors.As(err, &unreadable) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: result %+v, error %v", name, r, err)
		}
	}
	if r := verify(t, in64(good), evidence.Expected{}); !r.Verified {
		t.Errorf("with an end of 64 bits: %v", r.Findings)
	}
}

// overlapping is a ZIP whose last entry is the first one once more.
func overlapping(t testing.TB, b []byte) []byte {
	t.Helper()
	b = bytes.Clone(b)
	record := directory(t, b, "manifest.json")
	clear(record[42:46])
	return b
}

func hugeDirectory(b []byte) []byte {
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint32(b[end(b)+12:], 1<<32-1)
	return b
}

// A ZIP describes each entry twice; some programs read the one, some the other.
func TestEntriesAreDescribedOnce(t *testing.T) {
	t.Parallel()
	good, _ := write(t, sourceOf(t, crash(t)))
	local := bytes.Index(good, []byte("PK\x03\x04\x14\x00\x08\x00\x08\x00"))
	report := bytes.LastIndex(good[:bytes.Index(good, []byte("report.json"))+1], []byte("PK\x03\x04"))
	if local != 0 || report < 0 {
		t.Fatal("the entries are not where they are looked for")
	}
	for name, c := range map[string]struct {
		at       int // beside report.json's header, or in the record of the directory
		to       []byte
		recorded bool
		says     string
	}{
		"name":           {30, []byte("REPORT"), false, "two things of its name"},
		"method":         {8, []byte{0, 0}, false, "two things of its method"},
		"no descriptor":  {6, []byte{0, 0}, false, "two things of its flags"},
		"another CRC":    {14, []byte{1}, false, "two things of its CRC"},
		"another size":   {22, []byte{1}, false, "two things of its size"},
		"a packed size":  {18, []byte{1}, false, "two things of its size"},
		"CRC behind it":  {16, []byte{1, 2, 3, 4}, true, "two things of its CRC, or its size"},
		"size behind it": {24, []byte{1, 2, 3, 4}, true, "two things of its CRC, or its size"},
		"encrypted":      {8, []byte{9}, true, "marked as encrypted"},
		"a link":         {38, []byte{0, 0, 0xff, 0xa1}, true, "something else than a file"},
	} {
		b := bytes.Clone(good)
		place := b[report:]
		if c.recorded {
			place = directory(t, b, "report.json")
			place[5] = 3 // by Unix
		}
		copy(place[c.at:], c.to)
		r := verify(t, b, evidence.Expected{})
		if !slices.ContainsFunc(r.Findings, func(f evidence.Finding) bool {
			return f.Check == evidence.CheckArchive && f.Entry == "report.json" && strings.Contains(f.Problem, c.says)
		}) {
			t.Errorf("%s: findings %v", name, r.Findings)
		}
	}

	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f := unpack(t, good)
	for _, name := range f.names {
		h := &zip.FileHeader{Name: name, Extra: []byte{0x0a, 0, 1, 0, 0}} // one that says nothing
		if name == "report.json" {
			h.Extra = append(h.Extra, 0x75, 0x70, 9, 0, 1, 0, 0, 0, 0, 'e', 'v', 'i', 'l')
		}
		to, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(f.content[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, b.Bytes(), evidence.Expected{}); len(r.Findings) != 1 || !strings.Contains(r.Findings[0].String(), "report.json: the ZIP says two things of its name") {
		t.Errorf("another name in an extra field: %v", r.Findings)
	}
}

// Whichever byte of the file is another one: it is found, or it is one that says
// nothing of the content (when, by which version, on which disk). Each run of the test
// looks at one byte in 23, from another one on.
func TestEveryByteOfTheFileIsHeld(t *testing.T) {
	t.Parallel()
	b, manifest := write(t, sourceOf(t, crash(t)))
	const step = 23
	whole := unpack(t, b)
	for at := rand.IntN(step); at < len(b); at += step {
		altered := bytes.Clone(b)
		altered[at] ^= 0x41
		r, err := evidence.Verify(t.Context(), bytes.NewReader(altered), int64(len(altered)), evidence.Expected{Manifest: manifest.SHA256()})
		if err != nil || !r.Verified {
			continue
		}
		f := unpack(t, altered)
		if !slices.Equal(f.names, whole.names) {
			t.Errorf("byte %d: the entries are %q", at, f.names)
		}
		for name, content := range whole.content {
			if !bytes.Equal(f.content[name], content) || !bytes.Contains(altered, []byte(name)) {
				t.Errorf("byte %d: %s is another", at, name)
			}
		}
	}
}

// Whoever waits for a file that unpacks to very much can end it.
func TestUnpackingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := bomb(t, "report.html", 64<<20)
	f := unpack(t, b)
	f.relist(t)
	p := f.pack(t)
	ctx, cancel := context.WithCancel(t.Context())
	from := &ending{from: bytes.NewReader(p), cancel: cancel, after: bytes.Index(p, []byte("report.html")) + 100}
	if r, err := evidence.Verify(ctx, from, int64(len(p)), evidence.Expected{}); !errors.Is(err, context.Canceled) {
		t.Errorf("result %+v, error %v", r, err)
	}
	if !from.ended || from.last > int64(from.after)+32<<10 {
		t.Errorf("byte %d was read, the context ended at %d", from.last, from.after)
	}
}

// ending ends a context when content is read behind a place, a buffer at a time.
type ending struct {
	from   io.ReaderAt
	cancel context.CancelFunc
	after  int
	last   int64
	ended  bool
}

func (e *ending) ReadAt(b []byte, at int64) (int, error) {
	if len(b) == 4096 {
		if at > int64(e.after) && at < int64(e.after)+20<<10 {
			e.ended = true
			e.cancel()
		}
		e.last = max(e.last, at)
	}
	return e.from.ReadAt(b, at)
}
