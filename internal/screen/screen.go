// Package screen draws a picture again and again in its place on a terminal.
// It knows terminals; what is drawn is its caller's.
package screen

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/mattn/go-isatty"
	"golang.org/x/term"
)

// Size is how many columns and rows a terminal has at the moment.
type Size func() (width, height int)

// Of is the size of the terminal that out writes to. It is nil where out is
// none, or one that cannot move its cursor (TERM is dumb).
func Of(out io.Writer) Size {
	file, ok := out.(*os.File)
	if !ok || !isatty.IsTerminal(file.Fd()) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return func() (width, height int) {
		width, height, err := term.GetSize(int(file.Fd())) //nolint:gosec // a descriptor is a small number
		if err != nil || width < 2 || height < 2 {         // a terminal may not know its size, and says 0
			return 80, 24
		}
		return width, height
	}
}

// Screen redraws a picture in its place.
type Screen struct {
	out  io.Writer
	size Size
	tall int // lines of the picture that is shown
}

// New is a screen that has shown nothing yet.
func New(out io.Writer, size Size) *Screen { return &Screen{out: out, size: size} }

// Write puts whole lines in the place of the picture, which is drawn again below
// them by the next Show.
func (s *Screen) Write(p []byte) (int, error) {
	s.Clear()
	return s.out.Write(p)
}

// Clear takes the picture away.
func (s *Screen) Clear() {
	if s.tall > 0 {
		// One write, so that nothing flickers between.
		fmt.Fprint(s.out, strings.Repeat(text.CursorUp.Sprint()+text.EraseLine.Sprint(), s.tall)+"\r")
		s.tall = 0
	}
}

// Show draws a picture over the one before. Of lines that are too long the
// beginning is shown, of too many the last ones: those that have left the screen
// could not be drawn over.
func (s *Screen) Show(draw func(width int) string) {
	width, height := s.size()
	rows := lastRows(strings.Split(draw(width), "\n"), height)
	for i := range rows { // nor could one that wraps
		rows[i] = text.Trim(rows[i], width-1) + text.Reset.EscapeSeq() + clearRest
	}
	moves, clearBelow := "", ""
	if s.tall > 0 {
		moves = text.CursorUp.Sprintn(s.tall) + "\r"
	}
	if len(rows) < s.tall {
		clearBelow = "\x1b[J"
	}
	fmt.Fprint(s.out, moves+strings.Join(rows, "\n")+"\n"+clearBelow)
	s.tall = len(rows)
}

// lastRows are those that fit above the cursor.
func lastRows(rows []string, height int) []string { return rows[max(0, len(rows)-max(0, height-1)):] }

// clearRest removes what the picture before has left in a line.
const clearRest = "\x1b[K"
