package evidence

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
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
	unicodePath   = 0x7075 // extra field: another name, which some programs take
)

// directoryOf finds the directory of a ZIP, which must lie where its end says. It
// bounds what the directory takes in memory when it is read.
func directoryOf(r io.ReaderAt, size int64) (at int64, err error) {
	tail := make([]byte, min(size, endLength+mostComment))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return 0, err
	}
	i := bytes.LastIndex(tail, []byte(endSignature))
	if i < 0 || len(tail)-i < endLength {
		return 0, zip.ErrFormat
	}
	end, le := tail[i:], binary.LittleEndian
	if behind := len(end) - endLength - int(le.Uint16(end[20:])); behind > 0 {
		return 0, fmt.Errorf("%d bytes lie behind the end of the ZIP", behind)
	}
	ends := size - int64(len(end))
	length, at := int64(le.Uint32(end[12:])), int64(le.Uint32(end[16:]))
	if le.Uint16(end[10:]) == 1<<16-1 || length == 1<<16-1 || at == in64 { // as package zip asks: the length, too
		if i >= locatorLength+end64Length && string(tail[i-locatorLength:][:4]) == locatorSignature {
			ends -= locatorLength + end64Length
			end64 := tail[i-locatorLength-end64Length:]
			if string(end64[:4]) != end64Signature || int64(le.Uint64(tail[i-locatorLength+8:])) != ends { //nolint:gosec // another number is as wrong when negative
				return 0, zip.ErrFormat
			}
			length, at = int64(le.Uint64(end64[40:])), int64(le.Uint64(end64[48:])) //nolint:gosec // so is this
		}
	}
	switch {
	case length < 0 || length > mostDirectory:
		return 0, fmt.Errorf("its directory is of %d bytes, that of a bundle of at most %d", length, mostDirectory)
	case at != ends-length:
		return 0, fmt.Errorf("its directory is said to be at byte %d and lies at byte %d: something was put before it, or is missing", at, ends-length)
	}
	return at, nil
}

// holdLayout holds entries, one behind the other from the first byte to the
// directory, against it. The error says that there is something else between them;
// where both describe an entry differently, that is found.
func holdLayout(r io.ReaderAt, files []*zip.File, directory int64, result *Result) error {
	type placed struct {
		*zip.File
		data int64 // where its data begin
	}
	all := make([]placed, len(files))
	for i, f := range files {
		data, err := f.DataOffset()
		if err != nil {
			return fmt.Errorf("%.100q: %w", f.Name, err)
		}
		all[i] = placed{f, data}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return int(min(max(a.data-b.data, -1), 1)) })
	at := int64(0)
	for _, f := range all {
		h, err := readHeader(r, at)
		if err != nil || f.data != at+h.length {
			return fmt.Errorf("%.100q does not begin at byte %d, where what is before it ends", f.Name, at)
		}
		differs := func(what string) {
			result.find(Finding{Check: CheckArchive, Entry: f.Name, Problem: "the ZIP says two things of its " + what})
		}
		for what, same := range map[string]bool{
			"name":  h.name == f.Name && !has(h.extra, unicodePath) && !has(f.Extra, unicodePath),
			"flags": h.flags == f.Flags, "method": h.method == f.Method,
			"CRC": h.crc == f.CRC32 || h.crc == 0 && f.Flags&hasDescriptor != 0, "size": h.sized(f.File),
		} {
			if !same {
				differs(what)
			}
		}
		at = f.data + int64(f.CompressedSize64) //nolint:gosec // what is negative does not begin there
		if f.Flags&hasDescriptor != 0 {
			length, same := descriptorAt(r, at, f.File)
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
	packed, size  uint32
	name          string
	extra         []byte
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
	return &header{
		flags: le.Uint16(b[6:]), method: le.Uint16(b[8:]), crc: le.Uint32(b[14:]), packed: le.Uint32(b[18:]), size: le.Uint32(b[22:]),
		name: string(rest[:named]), extra: rest[named:], length: headerLength + int64(len(rest)),
	}, nil
}

// sized tells whether the sizes are those of the directory; they may stand in an
// extra field, or behind the data.
func (h *header) sized(f *zip.File) bool {
	same := func(said uint32, is uint64) bool {
		return uint64(said) == is || said == in64 || said == 0 && f.Flags&hasDescriptor != 0
	}
	return same(h.packed, f.CompressedSize64) && same(h.size, f.UncompressedSize64)
}

// has tells whether extra fields have one of an id.
func has(extra []byte, id uint16) bool {
	for le := binary.LittleEndian; len(extra) >= 4; {
		if le.Uint16(extra) == id {
			return true
		}
		extra = extra[min(len(extra), 4+int(le.Uint16(extra[2:]))):]
	}
	return false
}

// descriptorAt is the length of what stands behind the data of an entry, and tells
// whether it says what the directory does; 0 where there is something else, or no
// part of a ZIP behind it.
func descriptorAt(r io.ReaderAt, at int64, f *zip.File) (length int64, same bool) {
	le := binary.LittleEndian
	said := le.AppendUint32([]byte(descriptorSignature), f.CRC32)
	wide := le.AppendUint64(le.AppendUint64(bytes.Clone(said), f.CompressedSize64), f.UncompressedSize64)
	narrow := le.AppendUint32(le.AppendUint32(said, uint32(f.CompressedSize64)), uint32(f.UncompressedSize64)) //nolint:gosec // larger ones are written wide
	for _, said := range [][]byte{wide, narrow} {
		b := make([]byte, len(said)+4)
		if _, err := r.ReadAt(b, at); err != nil || string(b[:4]) != descriptorSignature {
			continue
		}
		if next := string(b[len(said):]); next == headerSignature || next == directorySignature {
			return int64(len(said)), bytes.Equal(b[:len(said)], said)
		}
	}
	return 0, false
}
