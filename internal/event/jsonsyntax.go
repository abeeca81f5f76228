package event

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// checkText looks for what no JSON text may hold, whatever its syntax.
func checkText(text []byte, field string) *fact.Rejection {
	if at := bytes.IndexByte(text, 0); at >= 0 {
		return fact.Reject(fact.ReasonNUL, field, string(around(text, at)), "text without the byte NUL; found at byte "+strconv.Itoa(at))
	}
	if !utf8.Valid(text) {
		at := invalidUTF8(text)
		return fact.Reject(fact.ReasonUTF8, field, string(around(text, at)), "valid UTF-8; broken at byte "+strconv.Itoa(at))
	}
	return nil
}

func invalidUTF8(text []byte) int {
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return len(text)
}

// around is a piece of a text that shows a place in it.
func around(text []byte, at int) []byte { return text[max(0, at-20):min(len(text), at+20)] }

// syntax says which reason a syntactic error of the JSON reader is.
func (r *jsonReader) syntax(err error) *fact.Rejection {
	var syntactic *jsontext.SyntacticError
	if !errors.As(err, &syntactic) {
		return fact.Reject(fact.ReasonJSON, within(r.root, r.path.String()), "", "complete JSON: "+err.Error())
	}
	at := int(min(max(syntactic.ByteOffset, 0), int64(len(r.text))))
	field := within(r.root, pointerPath(syntactic.JSONPointer).String())
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fact.Reject(fact.ReasonDuplicateKey, field, syntactic.JSONPointer.LastToken(), "a name given once in its object")
	case isSurrogate(r.text[at:]):
		return fact.Reject(fact.ReasonUTF8, field, string(around(r.text, at)), "surrogates in pairs")
	case deeper(r.text, r.limits.Depth):
		return fact.Reject(fact.ReasonDepth, r.root, "", "at most "+strconv.Itoa(r.limits.Depth)+" levels of nesting")
	default:
		return fact.Reject(fact.ReasonJSON, field, string(around(r.text, at)), "JSON: "+syntactic.Err.Error()+" at byte "+strconv.Itoa(at))
	}
}

// isSurrogate tells whether text begins with the escape of half a character.
func isSurrogate(text []byte) bool {
	if len(text) < 4 || text[0] != '\\' || text[1] != 'u' || text[2]|0x20 != 'd' {
		return false
	}
	c := text[3] | 0x20
	return text[3] == '8' || text[3] == '9' || 'a' <= c && c <= 'f'
}

// deeper tells whether text opens more than limit levels. It is asked only
// after the JSON reader gave up, which it also does over depth.
func deeper(text []byte, limit int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// pointerPath is an RFC 6901 pointer as a path. A number may be the index of
// an element or a name; it is taken for an index, which only matters to a
// person's eye.
func pointerPath(pointer jsontext.Pointer) *path {
	p := new(path)
	for token := range pointer.Tokens() {
		if i, err := strconv.Atoi(token); err == nil && i >= 0 {
			p.element(i)
		} else {
			p.enter(token)
		}
	}
	return p
}
