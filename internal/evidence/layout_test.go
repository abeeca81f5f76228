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

// both is a ZIP with an end of 64 bits, and an end that says some of it, too, or more.
func both(b []byte, at, length int, more byte) []byte {
	e := b[end(b)+at:]
	b = in64(b)
	copy(b[end(b)+at:], e[:length])
	b[end(b)+at] += more
	return b
}

// asking is a ZIP whose directory has a length for which package zip looks for an end
// of 64 bits, that of the directory with that end; a byte beside the end is another.
func asking(b []byte, at int, other byte) []byte {
	const length = 1<<16 - 1
	b = inDirectory(b, strings.Repeat("x", length-76-(end(b)-directoryAt(b))))
	b = both(b, 8, 12, 0)
	binary.LittleEndian.PutUint32(b[end(b)+12:], length)
	b[end(b)+at] ^= other
	return b
}

// inDirectory is a ZIP with text behind the records of its directory.
func inDirectory(b []byte, text string) []byte {
	b = slices.Insert(bytes.Clone(b), end(b), []byte(text)...)
	length := b[end(b)+12:]
	binary.LittleEndian.PutUint32(length, binary.LittleEndian.Uint32(length)+uint32(len(text))) //nolint:gosec // a short one
	return b
}

// recordBehind is a ZIP most of whose end lies in an extra field of the last record.
func recordBehind(t testing.TB, b []byte) []byte {
	t.Helper()
	b = bytes.Clone(b)
	directory(t, b, "manifest.json")[30] += 20
	return b
}

// What a ZIP holds beside its entries, and what its directory does not know of, is
// no part of a bundle.
func TestABundleIsNothingElse(t *testing.T) {
	t.Parallel()
	good, _ := write(t, sourceOf(t, crash(t)))
	second := bytes.Index(good[4:], []byte("PK\x03\x04")) + 4
	other := zipOf(t, "evil.txt", "evil")
	other64 := string(in64(good)[end(good) : end(good)+76])
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
		"text in the directory":       {inDirectory(good, "evil"), "4 bytes lie behind the records of its directory"},
		"a record that ends behind":   {recordBehind(t, good), `the record of "manifest.json" does not end in its directory`},
		"an end of 64 bits, unasked":  {inDirectory(good, other64), "an end of 64 bits, which its end does not ask for"},
		"the same, in a field":        {packed(t, unpack(t, good), "manifest.json", []byte(extra(0x4141, other64)), nil, ""), "an end of 64 bits, which its end does not ask for"},
		"an end that asks by length":  {asking(good, 0, 0), "its two ends say two things"},
		"an end on another disk":      {asking(good, -16, 1), "not a valid zip"},
		"an end of two disks":         {asking(good, -4, 3), "not a valid zip"},
		"an end that is none":         {asking(good, -76, 1), "not a valid zip"},
		"two counts":                  {both(good, 10, 2, 1), "its two ends say two things"},
		"two lengths":                 {both(good, 12, 4, 1), "its two ends say two things"},
		"two directories":             {both(good, 16, 4, 1), "its two ends say two things"},
		"a comment cut off":           {slices.Concat(good[:len(good)-2], []byte{1, 0}), "not a valid zip"},
		"a comment that is too short": {slices.Concat(good[:len(good)-2], []byte("\x03\x00evil")), "1 bytes lie behind the end"},
		"an end in a comment":         {slices.Concat(good[:len(good)-2], []byte("\x16\x00PK\x05\x06"), make([]byte, 18)), "its directory is said to be at byte 0"},
	} {
		var unreadable *evidence.UnreadableError
		r, err := evidence.Verify(t.Context(), bytes.NewReader(c.file), int64(len(c.file)), evidence.Expected{})
		if !errors.As(err, &unreadable) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: result %+v, error %v", name, r, err)
		}
	}
	for name, b := range map[string][]byte{
		"in 64 bits": in64(good), "count in both": both(good, 10, 2, 0), "length in both": both(good, 12, 4, 0), "place in both": both(good, 16, 4, 0),
	} {
		if r := verify(t, b, evidence.Expected{}); !r.Verified {
			t.Errorf("%s: %v", name, r.Findings)
		}
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

// A record may not name another beginning of an entry, in the content of the one
// before it, from which the same data is reached.
func TestEntriesBeginWhereTheyAreSaidTo(t *testing.T) {
	t.Parallel()
	good, _ := write(t, sourceOf(t, crash(t)))
	f := unpack(t, good)
	const first, second = "README.txt", "definition.yaml"
	if f.names[0] != first || f.names[1] != second {
		t.Fatalf("the entries are %v", f.names)
	}
	le := binary.LittleEndian
	fake := slices.Concat([]byte("PK\x03\x04\x14\x00\x08\x00\x08\x00"), make([]byte, 20))
	le.PutUint16(fake[26:], 16+30+uint16(len(second))) // its name is the descriptor and the true header
	f.content[first] = append(f.content[first], fake...)
	f.relist(t)
	for in, field := range map[string]string{"32": "", "64": extra(0x0001, "12345678")} {
		file := packedBy(t, zip.Store, f, second, []byte(field), nil, "")
		record := directory(t, file, second)
		begins := le.Uint32(record[42:])
		for _, before := range []uint32{0, 16 + 30} {
			if field == "" {
				le.PutUint32(record[42:], begins-before)
			} else {
				le.PutUint32(record[42:], 1<<32-1)
				le.PutUint64(record[46+len(second)+4:], uint64(begins-before))
			}
			r, err := evidence.Verify(t.Context(), bytes.NewReader(file), int64(len(file)), evidence.Expected{})
			if before == 0 && (err != nil || !r.Verified) || before > 0 && (err == nil || !strings.Contains(err.Error(), `"definition.yaml" does not begin at byte`)) {
				t.Errorf("in %s bits, %d bytes before: result %+v, error %v", in, before, r, err)
			}
		}
	}
}
