package evidence

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
)

// A ZIP can say two things at once: before and behind it, and between its entries,
// there may be bytes that its directory knows nothing of, and each entry is described
// twice, of which some programs read the one and some the other. What follows holds
// a bundle to saying one thing only (APPNOTE.TXT of PKWARE, 4.3 and 4.4).

// Lengths in bytes, and what the parts of a ZIP begin with.
const (
	endLength     = 22
	end64Length   = 56
	locatorLength = 20
	headerLength  = 30
	recordLength  = 46

	endSignature        = "PK\x05\x06"
	end64Signature      = "PK\x06\x06"
	locatorSignature    = "PK\x06\x07"
	headerSignature     = "PK\x03\x04"
	descriptorSignature = "PK\x07\x08"
	directorySignature  = "PK\x01\x02"

	mostComment   = 1<<16 - 1
	mostDirectory = 1 << 20

	encrypted     = 1 << 0 // flag
	hasDescriptor = 1 << 3 // flag: crc and sizes stand behind the data
	in64          = 1<<32 - 1
)

// Extra fields that an entry may have: what Info-ZIP, Python and jar write when they
// pack a bundle once more.
const (
	fieldWide  = 0x0001 // sizes and offset of 64 bits
	fieldTimes = 0x5455
	fieldOwner = 0x7875
	fieldJar   = 0xcafe
)

// directoryOf finds the directory of a ZIP, which must lie where its end says. It
// bounds what the directory takes in memory when it is read.
func directoryOf(r io.ReaderAt, size int64) (at, length int64, err error) {
	tail := make([]byte, min(size, end64Length+locatorLength+endLength+mostComment))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return 0, 0, err
	}
	i := bytes.LastIndex(tail, []byte(endSignature))
	if i < 0 || len(tail)-i < endLength {
		return 0, 0, zip.ErrFormat
	}
	end, le := tail[i:], binary.LittleEndian
	if behind := len(end) - endLength - int(le.Uint16(end[20:])); behind > 0 {
		return 0, 0, fmt.Errorf("%d bytes lie behind the end of the ZIP", behind)
	}
	ends := size - int64(len(end))
	count := le.Uint16(end[10:])
	length, at = int64(le.Uint32(end[12:])), int64(le.Uint32(end[16:]))
	if i >= locatorLength && string(tail[i-locatorLength:][:4]) == locatorSignature {
		if count != 1<<16-1 && length != 1<<16-1 && at != in64 { // as package zip asks: the length, too
			return 0, 0, errors.New("it has an end of 64 bits, which its end does not ask for and some programs take")
		}
		locator := tail[i-locatorLength : i]
		ends -= locatorLength + end64Length
		if i < locatorLength+end64Length || le.Uint32(locator[4:]) != 0 || int64(le.Uint64(locator[8:])) != ends || le.Uint32(locator[16:]) != 1 { //nolint:gosec // another number is as wrong when negative
			return 0, 0, zip.ErrFormat
		}
		end64 := tail[i-locatorLength-end64Length:]
		count64, length64, at64 := le.Uint64(end64[32:]), int64(le.Uint64(end64[40:])), int64(le.Uint64(end64[48:])) //nolint:gosec // so is this
		switch {
		case string(end64[:4]) != end64Signature:
			return 0, 0, zip.ErrFormat
		case count != 1<<16-1 && uint64(count) != count64, length != in64 && length != length64, at != in64 && at != at64:
			return 0, 0, errors.New("its two ends say two things of its directory")
		case count64 > mostEntries: // of which package zip compares 16 bits
			return 0, 0, fmt.Errorf("it is said to have %d entries, a bundle has at most %d", count64, mostEntries)
		}
		length, at = length64, at64
	}
	switch {
	case length < 0 || length > mostDirectory:
		return 0, 0, fmt.Errorf("its directory is of %d bytes, that of a bundle of at most %d", length, mostDirectory)
	case at != ends-length:
		return 0, 0, fmt.Errorf("its directory is said to be at byte %d and lies at byte %d: something was put before it, or is missing", at, ends-length)
	}
	return at, length, nil
}

// placed is an entry and where the directory says that it begins.
type placed struct {
	*zip.File
	begins uint64
}

// holdDirectory holds the directory against its records, one behind the other, and
// nothing behind them. What is wrong with their extra fields is found.
func holdDirectory(r io.ReaderAt, files []*zip.File, at, length int64, result *Result) ([]placed, error) {
	b := make([]byte, length)
	if _, err := r.ReadAt(b, at); err != nil {
		return nil, err
	}
	entries := make([]placed, len(files))
	for i, f := range files {
		n := recordLength + len(f.Name) + len(f.Extra) + len(f.Comment)
		if n > len(b) {
			return nil, fmt.Errorf("the record of %.100q does not end in its directory", f.Name)
		}
		begins, wide := beginOf(b, f.Extra)
		if wrong := wrongExtra(f.Extra, wide); wrong != "" {
			result.find(Finding{Check: CheckArchive, Entry: f.Name, Problem: "in the directory, " + wrong})
		}
		entries[i], b = placed{f, begins}, b[n:]
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%d bytes lie behind the records of its directory", len(b))
	}
	return entries, nil
}

// beginOf is where the entry of a record begins, and how many bytes of sizes and
// offset stand in an extra field.
func beginOf(record, extra []byte) (begins uint64, wide int) {
	le := binary.LittleEndian
	for _, at := range []int{20, 24, 42} { // sizes, and the offset
		if le.Uint32(record[at:]) == in64 {
			wide += 8
		}
	}
	begins = uint64(le.Uint32(record[42:]))
	fields, _ := fieldsOf(extra)
	i := slices.IndexFunc(fields, func(f field) bool { return f.id == fieldWide })
	if i < 0 {
		return begins, wide
	}
	switch v := fields[i].value; {
	case begins == in64 && len(v) >= wide:
		begins = le.Uint64(v[wide-8:])
	case begins != in64 && wide == 16 && len(v) == 24 && le.Uint64(v[16:]) == begins: // as package zip writes it
		wide = 24
	}
	return begins, wide
}

// holdLayout holds entries, one behind the other from the first byte to the
// directory, against it. The error says that there is something else between them;
// where both describe an entry differently, that is found.
func holdLayout(r io.ReaderAt, entries []placed, directory int64, result *Result) error {
	slices.SortStableFunc(entries, func(a, b placed) int { return cmp.Compare(a.begins, b.begins) })
	at := int64(0)
	for _, f := range entries {
		h, err := readHeader(r, at)
		data, failed := f.DataOffset()
		if err != nil || failed != nil || f.begins != uint64(at) || data != at+h.length { //nolint:gosec // at lies in the file
			return fmt.Errorf("%.100q does not begin at byte %d, where what is before it ends", f.Name, at)
		}
		differs := func(what string) {
			result.find(Finding{Check: CheckArchive, Entry: f.Name, Problem: "the ZIP says two things of its " + what})
		}
		for what, same := range map[string]bool{
			"name":  h.name == f.Name,
			"flags": h.flags == f.Flags, "method": h.method == f.Method,
			"CRC": h.crc == f.CRC32 || h.crc == 0 && f.Flags&hasDescriptor != 0, "size": h.sized(f.File),
		} {
			if !same {
				differs(what)
			}
		}
		if wrong := wrongExtra(h.extra, h.wide); wrong != "" {
			result.find(Finding{Check: CheckArchive, Entry: f.Name, Problem: "before its data, " + wrong})
		}
		if left := directory - data; left < 0 || f.CompressedSize64 > uint64(left) {
			return fmt.Errorf("%.100q ends behind byte %d, where the directory begins", f.Name, directory)
		}
		at = data + int64(f.CompressedSize64) //nolint:gosec // it lies in the file
		if f.Flags&hasDescriptor != 0 {
			length, same := descriptorAt(r, at, f.File, h)
			if length == 0 {
				return fmt.Errorf("behind the data of %.100q, at byte %d, are not its CRC and its size, and the next entry behind them", f.Name, at)
			}
			if !same {
				differs("CRC, or its size")
			}
			at += length
		}
	}
	if at != directory {
		return fmt.Errorf("its entries end at byte %d, its directory begins at byte %d", at, directory)
	}
	return nil
}

// header is what stands before the data of an entry.
type header struct {
	flags, method uint16
	crc           uint32
	packed, size  uint64
	name          string
	extra         []byte
	wide          int // bytes of the sizes that stand in an extra field, there alone or once more
	length        int64
}

func readHeader(r io.ReaderAt, at int64) (*header, error) {
	var b [headerLength]byte
	if _, err := r.ReadAt(b[:], at); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	named := int(le.Uint16(b[26:]))
	rest := make([]byte, named+int(le.Uint16(b[28:])))
	if string(b[:4]) != headerSignature {
		return nil, zip.ErrFormat
	}
	if _, err := r.ReadAt(rest, at+headerLength); err != nil {
		return nil, err
	}
	h := &header{
		flags: le.Uint16(b[6:]), method: le.Uint16(b[8:]), crc: le.Uint32(b[14:]), packed: uint64(le.Uint32(b[18:])), size: uint64(le.Uint32(b[22:])),
		name: string(rest[:named]), extra: rest[named:], length: headerLength + int64(len(rest)),
	}
	if h.packed == in64 && h.size == in64 { // both or none, 4.5.3
		h.wide = 16
	}
	fields, _ := fieldsOf(h.extra)
	for _, f := range fields {
		if f.id != fieldWide || len(f.value) != 16 {
			continue
		}
		switch size, packed := le.Uint64(f.value), le.Uint64(f.value[8:]); {
		case h.wide > 0:
			h.size, h.packed = size, packed
		case h.size == size && h.packed == packed && max(size, packed) < in64: // as Python before 3.11.4 writes it
			h.wide = 16
		}
	}
	return h, nil
}

// sized tells whether the sizes are those of the directory; they may stand behind
// the data.
func (h *header) sized(f *zip.File) bool {
	same := func(said, is uint64) bool { return said == is || said == 0 && f.Flags&hasDescriptor != 0 }
	return same(h.packed, f.CompressedSize64) && same(h.size, f.UncompressedSize64)
}

// field is an extra field of an entry.
type field struct {
	id    uint16
	value []byte
}

// fieldsOf takes extra fields apart; the rest is no field.
func fieldsOf(extra []byte) (fields []field, rest []byte) {
	for le := binary.LittleEndian; len(extra) >= 4; {
		n := 4 + int(le.Uint16(extra[2:]))
		if n > len(extra) {
			break
		}
		fields = append(fields, field{le.Uint16(extra), extra[4:n]})
		extra = extra[n:]
	}
	return fields, extra
}

// wrongExtra is what is wrong with the extra fields of an entry, of whose sizes and
// offset so many bytes stand in one; "" if nothing is. There is no room in them for
// anything but times, owners and sizes.
func wrongExtra(extra []byte, wide int) string {
	fields, rest := fieldsOf(extra)
	for i, f := range fields {
		rule, holds := "a bundle has none of this kind", false
		switch v := f.value; f.id {
		case fieldWide:
			rule, holds = "it is the sizes and the offset that are said to be there, and nothing else", wide > 0 && len(v) == wide
		case fieldTimes: // in the directory, and where Python copies that, only the first
			rule = "it is flags and the times that they name, and nothing else"
			holds = len(v) > 0 && v[0] < 8 && (len(v) == 1+4*bits.OnesCount8(v[0]) || len(v) == 5 && v[0]&1 != 0)
		case fieldOwner:
			rule, holds = "it is version 1, a user and a group of at most 8 bytes each, and nothing else", isOwner(v)
		case fieldJar:
			rule, holds = "it is empty", len(v) == 0
		}
		if slices.ContainsFunc(fields[:i], func(other field) bool { return other.id == f.id }) {
			rule, holds = "it is there once", false
		}
		if !holds {
			return fmt.Sprintf("extra field 0x%04x of %d bytes: %s", f.id, len(f.value), rule)
		}
	}
	if len(rest) > 0 {
		return fmt.Sprintf("%d bytes behind its extra fields: there is nothing", len(rest))
	}
	return ""
}

// isOwner tells whether an extra field is a user and a group of Unix.
func isOwner(v []byte) bool {
	if len(v) == 0 || v[0] != 1 {
		return false
	}
	v = v[1:]
	for range 2 {
		if len(v) == 0 || v[0] > 8 || len(v) <= int(v[0]) {
			return false
		}
		v = v[1+int(v[0]):]
	}
	return len(v) == 0
}

// descriptorAt is the length of what stands behind the data of an entry, and tells
// whether it says what the directory does; 0 where there is something else, or no
// part of a ZIP behind it. Its sizes are as wide as those before the data, 4.3.9.2, for
// who reads it as a stream takes them so; but those of 4 GiB and more are always wide,
// as package zip writes them, which does not know them before.
func descriptorAt(r io.ReaderAt, at int64, f *zip.File, before *header) (length int64, same bool) {
	le := binary.LittleEndian
	said := le.AppendUint32([]byte(descriptorSignature), f.CRC32)
	for _, size := range []uint64{f.CompressedSize64, f.UncompressedSize64} {
		if before.wide > 0 || max(f.CompressedSize64, f.UncompressedSize64) >= in64 {
			said = le.AppendUint64(said, size)
		} else {
			said = le.AppendUint32(said, uint32(size)) //nolint:gosec // it is smaller
		}
	}
	b := make([]byte, len(said)+4)
	if _, err := r.ReadAt(b, at); err != nil || string(b[:4]) != descriptorSignature {
		return 0, false
	}
	if next := string(b[len(said):]); next != headerSignature && next != directorySignature {
		return 0, false
	}
	return int64(len(said)), bytes.Equal(b[:len(said)], said)
}
