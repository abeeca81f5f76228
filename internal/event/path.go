package event

import (
	"strconv"
	"strings"
)

// path is where in the data the reader stands. It is kept as steps and becomes
// text only when there is something to say.
type path []step

type step struct {
	name  string // of a member
	index int    // of an element; -1 for a member
}

func (p *path) enter(name string) { *p = append(*p, step{name: name, index: -1}) }
func (p *path) element(i int)     { *p = append(*p, step{index: i}) }
func (p *path) leave()            { *p = (*p)[:len(*p)-1] }

// String is the path as people write it: lines[3].attributes.colour. Names
// that could be mistaken for syntax are quoted: ["a.b"].
func (p *path) String() string {
	var b strings.Builder
	for _, s := range *p {
		switch {
		case s.index >= 0:
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(s.index))
			b.WriteByte(']')
		case plain(s.name):
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.name)
		default:
			b.WriteByte('[')
			b.WriteString(strconv.Quote(s.name))
			b.WriteByte(']')
		}
	}
	return b.String()
}

func plain(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return name != ""
}
