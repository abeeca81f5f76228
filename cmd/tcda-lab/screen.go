package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/screen"
)

// display shows pictures of what happens, and lines between them.
type display interface {
	io.Writer // whole lines
	show(picture)
	done() // nothing more is shown
}

// newDisplay is a live one on a terminal, and plain lines elsewhere.
func newDisplay(out io.Writer) (d display, live bool) {
	if size := screen.Of(out); size != nil {
		return terminal{screen.New(out, size)}, true
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

// terminal redraws the picture in its place.
type terminal struct{ *screen.Screen }

func (t terminal) show(p picture) { t.Show(func(width int) string { return draw(p, width) }) }

func (t terminal) done() { t.Clear() }

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
				words = append(words, screen.Colour(s).Sprint(string(s)))
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
