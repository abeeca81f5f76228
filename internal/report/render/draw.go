package render

import (
	"strconv"
	"time"
)

// Pictures are drawn here as numbers and put into SVG by the templates, which
// escape each text for its place. A chart library was weighed: those that write
// SVG bring their own colours and fonts, so their pictures do not follow the
// reader's colour scheme, and have no names for those who do not see them.

// px is a length in a picture.
type px float64

func (p px) String() string { return trimZeros(strconv.FormatFloat(float64(p), 'f', 1, 64)) }

// scale puts moments on an axis.
type scale struct {
	from, to    time.Time
	left, right px
}

func (s scale) at(t time.Time) px {
	span := s.to.Sub(s.from)
	if span <= 0 {
		return s.left
	}
	x := s.left + (s.right-s.left)*px(float64(t.Sub(s.from))/float64(span))
	return min(max(x, s.left), s.right) // wrong clocks end at the edge
}

// tick is a mark on an axis of time.
type tick struct {
	X     px
	Label string
}

// ticks are round distances from the start, at most nine.
func (s scale) ticks() []tick {
	span := s.to.Sub(s.from)
	all := []tick{{s.left, "0"}}
	if span <= 0 {
		return all
	}
	step := 7 * 24 * time.Hour
	for span/step > 8 {
		step *= 2
	}
	for _, nice := range []time.Duration{
		time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
		100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
		time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour,
	} {
		if span/nice <= 8 {
			step = nice
			break
		}
	}
	for at := step; at <= span; at += step {
		after := at.Seconds()
		all = append(all, tick{s.at(s.from.Add(at)), "+" + seconds(&after)})
	}
	return all
}

// bar is a span of time on a lane.
type bar struct {
	X, Y, W, H px
	Class      string
	Title      string
	Label      string
	LabelX     px
	Anchor     string // start or end
	Inside     bool
}

// label puts a text into its bar where it fits, beside it else.
func (b *bar) label(text string, left, right px) {
	const letter = 6.6 // width of one at this size, generously
	b.Label = short(text, 40)
	need := px(letter * float64(len([]rune(b.Label))))
	switch {
	case need+14 <= b.W:
		b.LabelX, b.Anchor, b.Inside = b.X+7, "start", true
	case b.X+b.W+6+need <= right:
		b.LabelX, b.Anchor = b.X+b.W+6, "start"
	case b.X-6-need >= left:
		b.LabelX, b.Anchor = b.X-6, "end"
	default:
		b.Label = ""
	}
}

// sign is a moment on a lane. Path draws it around its own middle.
type sign struct {
	X, Y  px
	Class string
	Path  string
	Title string
}

// The shapes of signs differ, so that they need no colour.
var shapes = map[string]string{
	"passed":  "M0-5.5A5.5 5.5 0 1 1 0 5.5A5.5 5.5 0 1 1 0-5.5Z",
	"failed":  "M0-7L7 0L0 7L-7 0Z",
	"error":   "M0-7L6.5 5L-6.5 5Z",
	"skipped": "M-4.5-4.5H4.5V4.5H-4.5Z",
	"alert":   "M0-7L6.5 5L-6.5 5Z",
	"breaker": "M1.5-8L-5 1.5H-0.5L-1.5 8L5-1.5H0.5Z",
	"note":    "M-5-6H5V3H0L-3 7V3H-5Z",
	"odd":     "M-2-7H2V2H-2ZM-2 4H2V7H-2Z",
}
