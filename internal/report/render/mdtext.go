package render

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Most characters of a text in a table, and of one that stands for itself.
const (
	mdCell  = 300
	mdProse = 2000
)

// md is a text as GitHub-flavoured Markdown that shows it as it is, on one line.
//
// A backslash does not keep GitHub from seeing @mentions and #references, which it
// looks for in what was rendered, so a zero-width space follows these signs (as
// Renovate and Dependabot do).
func md(s string) string {
	s = strings.TrimSpace(cut(s, mdProse))
	var b strings.Builder
	for i, r := range s {
		next, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
		before, _ := utf8.DecodeLastRuneInString(s[:i])
		switch r {
		case '\\', '`', '*', '[', ']', '~', '$':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '_': // within a word it is none
			if !letter(before) || !letter(next) {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		case ':': // of https://, of :smile:, not of 17:29:34
			if next != ' ' && next != utf8.RuneError && !inClock(s[:i], s[i+1:]) {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		case '@', '#':
			b.WriteByte('\\')
			b.WriteRune(r)
			if letter(next) {
				b.WriteString("&#8203;")
			}
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		case '|':
			b.WriteString("&#124;")
		case '\r':
			if next != '\n' {
				b.WriteString("<br>")
			}
		case '\n':
			b.WriteString("<br>")
		case '\t':
			b.WriteByte(' ')
		case '-', '+', '=', '!':
			if i == 0 || r == '!' {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		case '.', ')': // no ordered list, no link of www.example.org
			if strings.HasSuffix(strings.ToLower(s[:i]), "www") || strings.Trim(s[:i], "0123456789") == "" {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// inClock tells whether a colon stands between these as in a time of day: behind a
// digit and before just two (there are :100: and :1234:, and no such picture of two).
func inClock(before, after string) bool {
	const digits = "0123456789"
	return len(after)-len(strings.TrimLeft(after, digits)) == 2 && strings.TrimRight(before, digits) != before
}

func letter(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

// mdCode is an identifier as code, or as text where code could not hold it.
func mdCode(s string) string {
	if s == "" {
		return ""
	}
	if len(s) > mdCell || strings.ContainsAny(s, "`|\\\r\n") || strings.TrimSpace(s) != s {
		return md(cut(s, mdCell))
	}
	return "`" + s + "`"
}

// mdTable is a table. Cells are Markdown already.
type mdTable struct {
	head  []string
	right []bool // figures
	rows  [][]string
}

// mdHead begins a table; the names of columns of figures end with >.
func mdHead(columns ...string) *mdTable {
	t := &mdTable{}
	for _, c := range columns {
		name, figure := strings.CutSuffix(c, ">")
		t.head = append(t.head, name)
		t.right = append(t.right, figure)
	}
	return t
}

func (t *mdTable) add(cells ...string) { t.rows = append(t.rows, cells) }

// write pads the columns so that the source can be read, too.
func (t *mdTable) write(b *strings.Builder) {
	if len(t.rows) == 0 {
		return
	}
	const widest = 48 // of a padded column
	widths := make([]int, len(t.head))
	for i := range t.head {
		widths[i] = max(3, utf8.RuneCountInString(t.head[i]))
		for _, row := range t.rows {
			if n := utf8.RuneCountInString(row[i]); n <= widest {
				widths[i] = max(widths[i], n)
			}
		}
	}
	line := func(cells []string) {
		for i, cell := range cells {
			pad := strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(cell)))
			if t.right[i] {
				fmt.Fprintf(b, "| %s%s ", pad, cell)
			} else {
				fmt.Fprintf(b, "| %s%s ", cell, pad)
			}
		}
		b.WriteString("|\n")
	}
	line(t.head)
	rule := make([]string, len(t.head))
	for i, w := range widths {
		if t.right[i] {
			rule[i] = strings.Repeat("-", w-1) + ":"
		} else {
			rule[i] = strings.Repeat("-", w)
		}
	}
	line(rule)
	for _, row := range t.rows {
		line(row)
	}
	b.WriteByte('\n')
}

// omitted says what a list does not show.
func omitted(b *strings.Builder, shown, total int, what string) {
	if total > shown {
		fmt.Fprintf(b, "*%d of %d %s are shown; the JSON has them all.*\n\n", shown, total, what)
	}
}
