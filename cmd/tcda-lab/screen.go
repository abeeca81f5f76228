package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/mattn/go-isatty"
	"golang.org/x/term"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// display shows pictures of what happens, and lines between them.
type display interface {
	io.Writer // whole lines
	show(picture)
	done() // nothing more is shown
}

// newDisplay is a live one on a terminal, and plain lines elsewhere.
func newDisplay(out io.Writer) (d display, live bool) {
	if file, ok := out.(*os.File); ok && isatty.IsTerminal(file.Fd()) && os.Getenv("TERM") != "dumb" {
		return &screen{out: file}, true
	}
	return &lines{out: out}, false
}

// lines is for pipes and log files.
type lines struct {
	out  io.Writer
	last time.Time
}

// lineEvery keeps a log readable.
const lineEvery = 2 * time.Second

func (l *lines) Write(p []byte) (int, error) { return l.out.Write(p) }

func (l *lines) show(p picture) {
	if now := time.Now(); now.Sub(l.last) >= lineEvery {
		l.last = now
		fmt.Fprintln(l.out, p.line())
	}
}

func (l *lines) done() {}

// screen redraws a picture in its place.
type screen struct {
	out  *os.File
	tall int // lines of the picture that is shown
}

// Write puts lines in the place of the picture, which is drawn again below.
func (s *screen) Write(p []byte) (int, error) {
	s.erase()
	return s.out.Write(p)
}

func (s *screen) erase() {
	if s.tall > 0 {
		// One write, so that nothing flickers between.
		fmt.Fprint(s.out, strings.Repeat(text.CursorUp.Sprint()+text.EraseLine.Sprint(), s.tall)+"\r")
		s.tall = 0
	}
}

func (s *screen) show(p picture) {
	width, height, err := term.GetSize(int(s.out.Fd())) //nolint:gosec // a descriptor is a small number
	if err != nil || width < 2 || height < 2 {          // a terminal may not know its size, and says 0
		width, height = 80, 24
	}
	rows := lastRows(strings.Split(draw(p, width), "\n"), height)
	for i := range rows { // nor could one that wraps
		rows[i] = text.Trim(rows[i], width-1) + text.Reset.EscapeSeq() + clearRest
	}
	moves := ""
	if s.tall > 0 {
		moves = text.CursorUp.Sprintn(s.tall) + "\r"
	}
	fmt.Fprint(s.out, moves+strings.Join(rows, "\n")+"\n")
	s.tall = len(rows)
}

func (s *screen) done() { s.erase() }

// lastRows are those that fit above the cursor: a line that has left the screen
// could not be redrawn. The sums are the last lines.
func lastRows(rows []string, height int) []string { return rows[max(0, len(rows)-max(0, height-1)):] }

// clearRest removes what the picture before has left in a line.
const clearRest = "\x1b[K"

// widthOfAbout is from where on there is room to say what each play shows.
const widthOfAbout = 140

// draw is a picture as text: one line a play, and the sums.
func draw(p picture, width int) string {
	t := table.NewWriter()
	t.SetStyle(plainStyle())
	t.SetColumnConfigs([]table.ColumnConfig{
		{Number: 1, WidthMin: 19}, {Number: 2, WidthMin: barWidth}, {Number: 3, WidthMin: 15, Align: text.AlignRight}, {Number: 4, WidthMin: 26},
	})
	for _, play := range p.plays {
		if len(play.runs) == 0 {
			continue
		}
		have, want := 0, 0
		words := make([]string, 0, len(play.runs))
		for _, r := range play.runs {
			have, want = have+r.events(), want+r.Events
			if s := r.status(); s != "" {
				words = append(words, colour(s).Sprint(string(s)))
			}
		}
		row := table.Row{play.Name, bar(have, want), count(int64(have)) + text.Faint.Sprint("/"+count(int64(want))), strings.Join(words, " ")}
		if width >= widthOfAbout {
			row = append(row, text.Faint.Sprint(play.About))
		}
		t.AppendRow(row)
	}
	return fmt.Sprintf("\n%s\n\n %s  %s\n %s applied  %s duplicates  %s quarantined  %s waiting  %s/s",
		render(t),
		bar(int(p.sent), int(p.of)), text.Bold.Sprintf("%s of %s records sent", count(p.sent), count(p.of))+text.Faint.Sprint("  "+p.clock),
		text.FgGreen.Sprint(count(p.Applied)), text.FgCyan.Sprint(count(p.Duplicates)), text.FgYellow.Sprint(count(p.Quarantined)),
		count(p.Lag), count(int64(p.rate)))
}

// barWidth is in columns.
const barWidth = 24

// bar is how much of something there is.
func bar(have, want int) string {
	filled := 0
	if want > 0 {
		filled = min(barWidth, have*barWidth/want)
	}
	colours := text.FgBlue
	if have >= want {
		colours = text.FgGreen
	}
	return colours.Sprint(strings.Repeat("━", filled)) + text.Faint.Sprint(strings.Repeat("─", barWidth-filled))
}

func colour(s execution.Status) text.Color {
	switch s {
	case execution.StatusPassed:
		return text.FgGreen
	case execution.StatusFailed, execution.StatusError:
		return text.FgRed
	case execution.StatusCancelled, execution.StatusTimeout, execution.StatusInterrupted:
		return text.FgYellow
	case execution.StatusRunning:
		return text.FgBlue
	case execution.StatusPaused:
		return text.FgMagenta
	case execution.StatusPending:
		return text.FgHiBlack
	default:
		return text.Reset
	}
}

// render is a table without spaces at the ends of its lines.
func render(t table.Writer) string {
	rows := strings.Split(t.Render(), "\n")
	for i := range rows {
		rows[i] = strings.TrimRight(rows[i], " ")
	}
	return strings.Join(rows, "\n")
}

// plainStyle is a table without lines.
func plainStyle() table.Style {
	style := table.StyleDefault
	style.Name = "plain"
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = " ", " "
	style.Format.Header = text.FormatDefault
	return style
}
