package evidence_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/evidence"
)

// packed is a ZIP of the same content, in which one entry has these extra fields in
// the directory and before its data, and this comment.
func packed(t testing.TB, f *files, of string, directory, header []byte, comment string) []byte {
	t.Helper()
	return packedBy(t, zip.Deflate, f, of, directory, header, comment)
}

// packedBy is packed, by a method of package zip.
func packedBy(t testing.TB, method uint16, f *files, of string, directory, header []byte, comment string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range f.names {
		h := &zip.FileHeader{Name: name, Method: method}
		if name == of {
			h.Extra, h.Comment = header, comment
		}
		to, err := z.CreateHeader(h)
		if err == nil {
			_, err = to.Write(f.content[name])
		}
		if err != nil {
			t.Fatal(err)
		}
		if name == of {
			h.Extra = directory
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// extra is an extra field.
func extra(id uint16, value string) string {
	le := binary.LittleEndian
	return string(le.AppendUint16(le.AppendUint16(nil, id), uint16(len(value)))) + value //nolint:gosec // a short one
}

// Extra fields have no room for anything that nobody looks at.
func TestExtraFieldsHideNothing(t *testing.T) {
	t.Parallel()
	good, _ := write(t, sourceOf(t, crash(t)))
	f := unpack(t, good)
	owner := extra(0x7875, "\x01\x04\xe8\x03\x00\x00\x04\xe8\x03\x00\x00")
	for name, c := range map[string]struct{ extra, says string }{
		"a time":               {extra(0x5455, "\x01time"), ""},
		"another time":         {extra(0x5455, "\x02time"), ""},
		"three times":          {extra(0x5455, "\x07time"+"time"+"time"), ""},
		"the first of three":   {extra(0x5455, "\x07time"), ""},
		"no time":              {extra(0x5455, "\x00"), ""},
		"an owner":             {owner, ""},
		"an owner of nothing":  {extra(0x7875, "\x01\x00\x00"), ""},
		"an owner of 64 bits":  {extra(0x7875, "\x01\x0812345678\x0812345678"), ""},
		"a mark of jar":        {extra(0xcafe, ""), ""},
		"all of them":          {extra(0xcafe, "") + owner + extra(0x5455, "\x03time"+"time"), ""},
		"an unknown one":       {extra(0x000a, "x"), "extra field 0x000a of 1 bytes: a bundle has none of this kind"},
		"an empty unknown one": {extra(0x4141, ""), "extra field 0x4141 of 0 bytes: a bundle has none"},
		"another name":         {extra(0x7075, "\x01crc.evil"), "extra field 0x7075 of 9 bytes: a bundle has none"},
		"behind a known one":   {owner + extra(0x4141, "evil"), "extra field 0x4141 of 4 bytes: a bundle has none"},
		"times of no flags":    {extra(0x5455, ""), "extra field 0x5455 of 0 bytes: it is flags and the times"},
		"a time too many":      {extra(0x5455, "\x01time"+"evil"), "extra field 0x5455 of 9 bytes: it is flags"},
		"a time too few":       {extra(0x5455, "\x07time"+"time"), "extra field 0x5455 of 9 bytes: it is flags"},
		"a part of a time":     {extra(0x5455, "\x01tim"), "extra field 0x5455 of 4 bytes: it is flags"},
		"a time of no flag":    {extra(0x5455, "\x00evil"), "extra field 0x5455 of 5 bytes: it is flags"},
		"not the first":        {extra(0x5455, "\x06evil"), "extra field 0x5455 of 5 bytes: it is flags"},
		"an unknown flag":      {extra(0x5455, "\x09time"+"evil"), "extra field 0x5455 of 9 bytes: it is flags"},
		"times twice":          {extra(0x5455, "\x01time") + extra(0x5455, "\x01evil"), "extra field 0x5455 of 5 bytes: it is there once"},
		"no owner":             {extra(0x7875, ""), "extra field 0x7875 of 0 bytes: it is version 1"},
		"owner, version 2":     {extra(0x7875, "\x02\x01e\x01v"), "extra field 0x7875 of 5 bytes: it is version 1"},
		"an owner of 9 bytes":  {extra(0x7875, "\x01\x09evil evil\x00"), "extra field 0x7875 of 12 bytes: it is version 1"},
		"an owner, and more":   {extra(0x7875, "\x01\x01e\x01vil"), "extra field 0x7875 of 7 bytes: it is version 1"},
		"an owner cut off":     {extra(0x7875, "\x01\x01e\x04vil"), "extra field 0x7875 of 7 bytes: it is version 1"},
		"a user only":          {extra(0x7875, "\x01\x04evil"), "extra field 0x7875 of 6 bytes: it is version 1"},
		"an owner twice":       {owner + owner, "extra field 0x7875 of 11 bytes: it is there once"},
		"a mark that says so":  {extra(0xcafe, "evil"), "extra field 0xcafe of 4 bytes: it is empty"},
		"a mark twice":         {extra(0xcafe, "") + extra(0xcafe, ""), "extra field 0xcafe of 0 bytes: it is there once"},
		"bytes of no field":    {owner + "evl", "3 bytes behind its extra fields: there is nothing"},
		"a field cut off":      {owner + extra(0x5455, "\x01evil")[:8], "8 bytes behind its extra fields: there is nothing"},
		"sizes not asked for":  {extra(0x0001, "evilevil"), "extra field 0x0001 of 8 bytes: it is the sizes and the offset"},
		"no sizes":             {extra(0x0001, ""), "extra field 0x0001 of 0 bytes: it is the sizes and the offset"},
	} {
		for place, b := range map[string][]byte{
			"in the directory, ": packed(t, f, "report.json", []byte(c.extra), nil, ""),
			"before its data, ":  packed(t, f, "report.json", nil, []byte(c.extra), ""),
		} {
			holdsExtra(t, place+name, verify(t, b, evidence.Expected{}), place, c.says)
		}
	}
}

// holdsExtra: nothing is found, or that this is wrong with report.json.
func holdsExtra(t testing.TB, name string, r *evidence.Result, place, says string) {
	t.Helper()
	switch {
	case says == "" && r.Verified:
	case says != "" && len(r.Findings) == 1 && strings.HasPrefix(r.Findings[0].String(), "archive: report.json: "+place+says):
	default:
		t.Errorf("%s: findings %v", name, r.Findings)
	}
}

// Sizes and offset stand in an extra field where they are said to, and nothing else;
// and there they are those of the directory, too.
func TestSizesOf64Bits(t *testing.T) {
	t.Parallel()
	good, _ := write(t, sourceOf(t, crash(t)))
	f := unpack(t, good)
	le := binary.LittleEndian
	places := []int{24, 20, 42} // of the size, that of what is packed, and the offset
	for asked := range 8 {
		for name, more := range map[string]func(offset uint32) uint64{
			"": nil, "and more": func(uint32) uint64 { return 0x6c6976656c697665 },
			"and the offset": func(offset uint32) uint64 { return uint64(offset) }, "and another offset": func(offset uint32) uint64 { return uint64(offset) + 1<<32 },
		} {
			var at []int
			for i, place := range places {
				if asked>>i&1 == 1 {
					at = append(at, place)
				}
			}
			value := make([]byte, 8*len(at), 32)
			if more != nil {
				value = value[:8*len(at)+8]
			}
			b := packed(t, f, "report.json", []byte(extra(0x0001, string(value))), nil, "")
			record := directory(t, b, "report.json")
			value = record[46+len("report.json")+4:]
			if more != nil {
				le.PutUint64(value[8*len(at):], more(le.Uint32(record[42:])))
			}
			for i, place := range at {
				le.PutUint64(value[8*i:], uint64(le.Uint32(record[place:])))
				le.PutUint32(record[place:], 1<<32-1)
			}
			says := "extra field 0x0001"
			if len(at) > 0 && more == nil || asked == 3 && name == "and the offset" { // as package zip writes it of large entries
				says = ""
			}
			holdsExtra(t, fmt.Sprintf("%b %s", asked, name), verify(t, b, evidence.Expected{}), "in the directory, ", says)
		}
	}

	const unknown = "\xff\xff\xff\xff"
	none := strings.Repeat("\x00", 8)
	record := directory(t, good, "report.json")
	size := string(le.AppendUint64(nil, uint64(le.Uint32(record[24:]))))
	small := string(le.AppendUint64(nil, uint64(le.Uint32(record[20:]))))
	for name, c := range map[string]struct{ sizes, extra, says string }{ // before the data: that of what is packed, and the size
		"behind the data":   {unknown + unknown, extra(0x0001, none+none), ""},
		"nothing twice":     {none, extra(0x0001, none+none), ""},
		"the sizes":         {unknown + unknown, extra(0x0001, size+small), ""},
		"other sizes":       {unknown + unknown, extra(0x0001, "evilevil"+small), "the ZIP says two things of its size"},
		"the other way":     {unknown + unknown, extra(0x0001, small+size), "the ZIP says two things of its size"},
		"no field":          {unknown + unknown, "", "the ZIP says two things of its size"},
		"one of them":       {unknown + unknown, extra(0x0001, size), "before its data, extra field 0x0001 of 8 bytes"},
		"and more":          {unknown + unknown, extra(0x0001, size+small+"evilevil"), "before its data, extra field 0x0001 of 24 bytes"},
		"only one asked":    {none[:4] + unknown, extra(0x0001, size), "before its data, extra field 0x0001 of 8 bytes"},
		"said twice":        {small[:4] + size[:4], extra(0x0001, size+small), ""},
		"twice, otherwise":  {small[:4] + size[:4], extra(0x0001, "evilevil"+small), "before its data, extra field 0x0001 of 16 bytes"},
		"twice, and packed": {small[:4] + size[:4], extra(0x0001, size+"evilevil"), "before its data, extra field 0x0001 of 16 bytes"},
		"one of them twice": {small[:4] + size[:4], extra(0x0001, size), "before its data, extra field 0x0001 of 8 bytes"},
		"twice, and more":   {small[:4] + size[:4], extra(0x0001, size+small+"evilevil"), "before its data, extra field 0x0001 of 24 bytes"},
		"only one, no more": {none[:4] + unknown, "", "the ZIP says two things of its size"},
	} {
		b := packed(t, f, "report.json", nil, []byte(c.extra), "")
		if c.sizes == unknown+unknown || c.says == "" { // they have 64 bits
			b = widened(t, b, "report.json")
		}
		copy(b[le.Uint32(directory(t, b, "report.json")[42:])+18:], c.sizes)
		r := verify(t, b, evidence.Expected{})
		if r.Verified != (c.says == "") || c.says != "" && !slices.ContainsFunc(r.Findings, func(f evidence.Finding) bool {
			return f.Check == evidence.CheckArchive && f.Entry == "report.json" && strings.HasPrefix(f.Problem, c.says)
		}) {
			t.Errorf("%s: findings %v", name, r.Findings)
		}
	}
}

// widened is a ZIP in which the sizes behind the data of an entry have 64 bits.
func widened(t testing.TB, b []byte, of string) []byte {
	t.Helper()
	le := binary.LittleEndian
	record := directory(t, b, of)
	begins, small, size := le.Uint32(record[42:]), le.Uint32(record[20:]), le.Uint32(record[24:])
	at := int(begins) + 30 + int(le.Uint16(b[begins+26:])) + int(le.Uint16(b[begins+28:])) + int(small) + 8
	b = inserted(t, b, at, "8 bytes.")
	le.PutUint64(b[at:], uint64(small))
	le.PutUint64(b[at+8:], uint64(size))
	return b
}

// The sizes behind the data have 64 bits where those in an extra field before it do,
// and only there: who reads the file as a stream would take a part of the next entry
// otherwise, or what is left of the sizes for it.
func TestSizesBehindTheDataAreAsWide(t *testing.T) {
	t.Parallel()
	good, _ := write(t, sourceOf(t, crash(t)))
	f := unpack(t, good)
	none := strings.Repeat("\x00", 8)
	narrow := packed(t, f, "report.json", nil, []byte(extra(0x0001, none+none)), "")
	inField := bytes.Clone(narrow)
	copy(inField[binary.LittleEndian.Uint32(directory(t, narrow, "report.json")[42:])+18:], strings.Repeat("\xff", 8))
	for name, b := range map[string][]byte{
		"wide before, narrow behind":  inField,
		"said twice, narrow behind":   narrow,
		"narrow before, wide behind":  widened(t, f.pack(t), "report.json"),
		"narrow, wide in other field": widened(t, packed(t, f, "report.json", nil, []byte(extra(0x5455, "\x01four")), ""), "report.json"),
	} {
		if r, err := evidence.Verify(t.Context(), bytes.NewReader(b), int64(len(b)), evidence.Expected{}); err == nil || !strings.Contains(err.Error(), `behind the data of "report.json"`) {
			t.Errorf("%s: result %+v, error %v", name, r, err)
		}
	}
}

// sparse is a file that was written with holes in it.
type sparse struct {
	parts []part
	size  int64
}

type part struct {
	at int64
	b  []byte // nil: zeros
	n  int64
}

var hole [1 << 20]byte

func (s *sparse) Write(b []byte) (int, error) {
	p := part{at: s.size, n: int64(len(b))}
	if len(b) != len(hole) {
		p.b = bytes.Clone(b)
	}
	s.parts, s.size = append(s.parts, p), s.size+p.n
	return len(b), nil
}

func (s *sparse) ReadAt(b []byte, at int64) (int, error) {
	n := 0
	for i := sort.Search(len(s.parts), func(i int) bool { return s.parts[i].at+s.parts[i].n > at }); n < len(b); i++ {
		if i >= len(s.parts) {
			return n, io.EOF
		}
		p := s.parts[i]
		from := at + int64(n) - p.at
		read := int(min(int64(len(b)-n), p.n-from))
		if clear(b[n : n+read]); p.b != nil {
			copy(b[n:n+read], p.b[from:])
		}
		n += read
	}
	return n, nil
}

// Package zip, which writes bundles, says in its own way how large entries of 4 GiB
// and more are, and where those behind them begin: there is nothing odd in that.
func TestEntriesOf4GiB(t *testing.T) {
	t.Parallel()
	good, _ := write(t, sourceOf(t, crash(t)))
	f := unpack(t, good)
	file := &sparse{}
	z := zip.NewWriter(file)
	for _, name := range f.names {
		content, times := f.content[name], 1
		h := &zip.FileHeader{Name: name, Method: zip.Store, Flags: 8, CRC32: crc32.ChecksumIEEE(content)}
		if name == "report.html" {
			content, times = hole[:], 4<<10+1
		}
		h.UncompressedSize64 = uint64(len(content) * times)
		h.CompressedSize64 = h.UncompressedSize64
		to, err := z.CreateRaw(h)
		for range times {
			if err == nil {
				_, err = to.Write(content)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := evidence.Verify(t.Context(), file, file.size, evidence.Expected{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) != 1 || r.Findings[0].Check != evidence.CheckEntries || r.Findings[0].Found != "more" {
		t.Errorf("findings %v, want only that report.html is larger than the manifest says", r.Findings)
	}
}
