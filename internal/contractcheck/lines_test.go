package contractcheck_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/contractcheck"
)

func TestLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 200_000)
	type got struct {
		line     int64
		value    string
		oversize int64
	}
	for name, c := range map[string]struct {
		text string
		most int
		want []got
	}{
		"nothing":                  {"", 10, nil},
		"empty lines are counted":  {"\n \r\n{}\n\n", 10, []got{{3, "{}", 0}}},
		"no end of the last line":  {"{}\r\n[]", 10, []got{{1, "{}", 0}, {2, "[]", 0}}},
		"as long as may be":        {"1234567890\r\n1234567890\n1234567890", 10, []got{{1, "1234567890", 0}, {2, "1234567890", 0}, {3, "1234567890", 0}}},
		"one byte too long":        {"12345678901\n{}\n", 10, []got{{1, "12345678901", 11}, {2, "{}", 0}}},
		"longer than the buffer":   {long + "\n{}", 1 << 20, []got{{1, long, 0}, {2, "{}", 0}}},
		"much longer than allowed": {long + "\n{}", 100_000, []got{{1, long[:64<<10], 200_000}, {2, "{}", 0}}},
	} {
		for which, from := range map[string]io.Reader{"whole": strings.NewReader(c.text), "byte by byte": iotest.OneByteReader(strings.NewReader(c.text))} {
			var all []got
			for line, err := range contractcheck.Lines(from, c.most) {
				if err != nil {
					t.Fatal(err)
				}
				g := got{line: line.Place.Line, value: string(line.Record.Value)}
				if line.Record.Oversize != nil {
					g.oversize = line.Record.Oversize.Length
				}
				all = append(all, g)
			}
			equal := len(all) == len(c.want)
			for i := range all {
				equal = equal && all[i] == c.want[i]
			}
			if !equal {
				t.Errorf("%s, %s: %.300s", name, which, fmt.Sprintf("%+v, want %+v", all, c.want))
			}
		}
	}
}

func TestLinesNameWhereReadingFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken pipe")
	n := 0
	var last error
	for _, err := range contractcheck.Lines(io.MultiReader(strings.NewReader("{}\n{}\n{"), iotest.ErrReader(broken)), 100) {
		n++
		last = err
	}
	if n != 3 || !errors.Is(last, broken) || last.Error() != "read line 3: broken pipe" {
		t.Errorf("%d lines, then %v", n, last)
	}
}
