package schemadiff

import (
	"fmt"
	"strings"
)

// Difference is an object that two catalogs do not agree on.
type Difference struct {
	Key
	Added   bool // only in the second catalog
	Removed bool // only in the first
	Lines   []Line
}

// Line is a line of the object in either catalog.
type Line struct {
	Sign byte // ' ' in both, '-' in the first only, '+' in the second only
	Text string
}

// Compare returns what differs, in the order of the second catalog, then what
// only the first has. Equal catalogs give nothing.
func Compare(from, to Catalog) []Difference {
	var differences []Difference
	for _, after := range to {
		before, known := from.find(after.Key)
		lines, same := compareLines(before.Lines, after.Lines)
		if known && same {
			continue
		}
		differences = append(differences, Difference{Key: after.Key, Added: !known, Lines: lines})
	}
	for _, before := range from {
		if _, known := to.find(before.Key); !known {
			lines, _ := compareLines(before.Lines, nil)
			differences = append(differences, Difference{Key: before.Key, Removed: true, Lines: lines})
		}
	}
	return differences
}

// compareLines aligns two lists by their longest common subsequence. Objects
// have some hundred lines at most, so the square of that is nothing.
func compareLines(from, to []string) (lines []Line, same bool) {
	common := make([][]int, len(from)+1)
	for i := range common {
		common[i] = make([]int, len(to)+1)
	}
	for i := len(from) - 1; i >= 0; i-- {
		for j := len(to) - 1; j >= 0; j-- {
			if from[i] == to[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	same = true
	i, j := 0, 0
	for i < len(from) || j < len(to) {
		switch {
		case i < len(from) && j < len(to) && from[i] == to[j]:
			lines = append(lines, Line{' ', from[i]})
			i, j = i+1, j+1
			continue
		case i < len(from) && (j == len(to) || common[i+1][j] >= common[i][j+1]):
			lines = append(lines, Line{'-', from[i]})
			i++
		default:
			lines = append(lines, Line{'+', to[j]})
			j++
		}
		same = false
	}
	return lines, same
}

// contextLines is how many equal lines are shown around a changed one.
const contextLines = 2

// Text returns the differences as a plain text of one block an object.
func Text(differences []Difference) string {
	var text strings.Builder
	for _, difference := range differences {
		fmt.Fprintf(&text, "%s (%s)\n", difference.Key, difference.verb())
		difference.write(&text)
	}
	return text.String()
}

// Markdown returns the differences as a section of a comment on a change:
// one diff block an object. It is empty if there are none.
func Markdown(differences []Difference) string {
	var text strings.Builder
	for _, difference := range differences {
		var body strings.Builder
		difference.write(&body)
		fmt.Fprintf(&text, "**%s** `%s` %s\n\n", difference.Kind, difference.Name, difference.verb())
		if body.Len() > 0 {
			fmt.Fprintf(&text, "%s\n", Fenced("diff", body.String()))
		}
	}
	return text.String()
}

func (d Difference) verb() string {
	switch {
	case d.Added:
		return "added"
	case d.Removed:
		return "removed"
	default:
		return "changed"
	}
}

// write puts the changed lines with some context around them.
func (d Difference) write(text *strings.Builder) {
	skipped := false
	for i, line := range d.Lines {
		if !d.nearChange(i) {
			if !skipped {
				text.WriteString("  ...\n")
			}
			skipped = true
			continue
		}
		skipped = false
		fmt.Fprintf(text, "%c %s\n", line.Sign, line.Text)
	}
}

func (d Difference) nearChange(i int) bool {
	for j := max(0, i-contextLines); j < min(len(d.Lines), i+contextLines+1); j++ {
		if d.Lines[j].Sign != ' ' {
			return true
		}
	}
	return false
}

// Fenced returns a text as a code block of Markdown. The fence is longer than
// any run of backticks inside, so that a comment or a function body cannot end
// the block.
func Fenced(language, text string) string {
	longest, run := 2, 0
	for _, r := range text {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	return fmt.Sprintf("%s%s\n%s%s\n", fence, language, text, fence)
}
