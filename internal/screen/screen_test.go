package screen_test

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/screen"
)

// terminal is as much of a terminal as a Screen makes use of.
type terminal struct {
	rows     []string
	row, col int
}

var control = regexp.MustCompile(`^\x1b\[([0-9]*)([A-Za-z])`)

func (t *terminal) Write(p []byte) (int, error) {
	for text := string(p); text != ""; {
		for t.row >= len(t.rows) {
			t.rows = append(t.rows, "")
		}
		line := t.rows[t.row]
		if found := control.FindStringSubmatch(text); found != nil {
			n, _ := strconv.Atoi(found[1])
			switch found[2] {
			case "A":
				t.row -= max(1, n)
			case "K": // 2: the whole line
				if n == 2 {
					line = ""
				}
				t.rows[t.row] = line[:min(t.col, len(line))]
			case "J":
				t.rows = t.rows[:t.row]
			}
			text = text[len(found[0]):]
			continue
		}
		switch text[0] {
		case '\n':
			t.row, t.col = t.row+1, 0
		case '\r':
			t.col = 0
		default:
			t.rows[t.row] = line[:t.col] + text[:1] + line[min(t.col+1, len(line)):]
			t.col++
		}
		text = text[1:]
	}
	return len(p), nil
}

func (t *terminal) text() string { return strings.TrimRight(strings.Join(t.rows, "\n"), "\n") }

func TestPicturesAreDrawnInOnePlace(t *testing.T) {
	t.Parallel()
	var on terminal
	s := screen.New(&on, func() (int, int) { return 10, 4 })
	draw := func(text string) { s.Show(func(int) string { return text }) }
	steps := []struct {
		do   func()
		want string
	}{
		{func() { draw("one\ntwo") }, "one\ntwo"},
		{func() { draw("ONE\nTWO") }, "ONE\nTWO"},
		{func() { draw("a\nb\nc\nd\ne") }, "c\nd\ne"},
		{func() { draw("0123456789abc") }, "012345678"},
		{func() { s.Clear() }, ""},
		{func() { draw("last") }, "last"},
	}
	for i, step := range steps {
		step.do()
		if diff := cmp.Diff(step.want, on.text()); diff != "" {
			t.Fatalf("step %d (-want +got):\n%s", i, diff)
		}
	}
	if _, err := s.Write([]byte("a line\n")); err != nil {
		t.Fatal(err)
	}
	draw("below")
	if got := on.text(); got != "a line\nbelow" {
		t.Errorf("on the terminal is %q, want the line and the picture below it", got)
	}
}

func TestNoTerminalHasNoSize(t *testing.T) {
	t.Parallel()
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if screen.Of(&bytes.Buffer{}) != nil || screen.Of(file) != nil {
		t.Error("a buffer or a file counts as a terminal")
	}
}
