package contractcheck

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// Line is one record of a file, as tcda-lab emit would send it, but for the key.
type Line struct {
	Place  Place
	Record kafkarecord.Record // valid until the next line
}

// wholeValue is how much of a value there is in an oversize record.
const wholeValue = 64 << 10

// Lines reads JSON lines, each a CloudEvent in structured mode. Empty lines are
// left out, but counted. A line of more than most bytes becomes an oversize
// record, whatever its length, and takes no more memory than one of most bytes.
// An error is that of the reader, and the last thing to come.
func Lines(from io.Reader, most int) iter.Seq2[Line, error] {
	headers := []kafkarecord.Header{{Key: "content-type", Value: []byte("application/cloudevents+json")}}
	return func(yield func(Line, error) bool) {
		in := bufio.NewReaderSize(from, 64<<10)
		var line []byte
		for n := int64(1); ; n++ {
			var length int64
			var err error
			line, length, err = readLine(in, line[:0], most)
			if err != nil && !errors.Is(err, io.EOF) {
				yield(Line{Place: Place{Line: n}}, fmt.Errorf("read line %d: %w", n, err))
				return
			}
			if value := bytes.TrimSpace(line); len(value) > 0 {
				record := kafkarecord.Record{Value: value, Headers: headers}
				if length > int64(most) {
					record.Value = value[:min(len(value), wholeValue)]
					record.Oversize = &kafkarecord.Oversize{Length: length} // nobody asks for its sum
				}
				if !yield(Line{Place{Line: n}, record}, nil) {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
}

// readLine appends at most most bytes of a line to b, and gives the line's length
// without its end. The error is io.EOF at the end of the last line.
func readLine(in *bufio.Reader, b []byte, most int) (line []byte, length int64, err error) {
	for {
		part, err := in.ReadSlice('\n')
		length += int64(len(part))
		b = append(b, part[:min(len(part), max(0, most+2-len(b)))]...) // with a line's end of two characters
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		for _, end := range []byte("\n\r") {
			if len(part) > 0 && part[len(part)-1] == end {
				part = part[:len(part)-1]
				length--
			}
		}
		return b, length, err
	}
}
