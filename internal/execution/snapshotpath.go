package execution

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// pathStep is one step into a JSON value: a key of an object, or the index of
// an item.
type pathStep struct {
	key   string
	index int // -1 for a key
}

func keyStep(key string) pathStep { return pathStep{key: key, index: -1} }
func itemStep(index int) pathStep { return pathStep{index: index} }

// plainStep is a key that needs no quotes in a path.
var plainStep = regexp.MustCompile(`^[A-Za-z0-9_:/-]{1,80}$`)

// pathText is a path as in state.services[2].latency_ms or state["odd key"].
// Rules take paths in the same form.
func pathText(path []pathStep) string {
	var b strings.Builder
	for i, step := range path {
		switch {
		case step.index >= 0:
			fmt.Fprintf(&b, "[%d]", step.index)
		case !plainStep.MatchString(step.key):
			fmt.Fprintf(&b, "[%q]", fact.Cut(step.key))
		case i == 0:
			b.WriteString(step.key)
		default:
			b.WriteString("." + step.key)
		}
	}
	return b.String()
}

// pathPattern is a path with wildcards.
type pathPattern []patternStep

type patternStep struct {
	pathStep
	anyRun   bool // **: any number of steps, also none
	anyIndex bool // [*]
	wild     bool // key holds *, each for any characters, also none
}

// Bounds of a pattern.
const (
	longestPattern = 1000 // bytes
	indexDigits    = 6
)

// parsePattern reads a path as pathText writes it, with wildcards: * within a
// key stands for any characters, [*] for any item, and ** between dots for any
// number of keys and items. A key in quotes has no wildcards.
func parsePattern(text string) (pathPattern, error) {
	if len(text) > longestPattern {
		return nil, fmt.Errorf("longer than %d bytes", longestPattern)
	}
	var p pathPattern
	for rest := text; rest != "" || len(p) == 0; {
		var step patternStep
		var err error
		switch {
		case strings.HasPrefix(rest, "["):
			step, rest, err = bracketStep(rest)
		case len(p) > 0 && !strings.HasPrefix(rest, "."):
			err = errors.New("want . or [ after ]")
		default:
			step, rest, err = bareStep(strings.TrimPrefix(rest, "."), len(p) == 0 && strings.HasPrefix(rest, "."))
		}
		if err != nil {
			return nil, err
		}
		p = append(p, step)
	}
	return p, nil
}

func bracketStep(text string) (step patternStep, rest string, err error) {
	inside := text[1:]
	if strings.HasPrefix(inside, `"`) {
		quoted, err := strconv.QuotedPrefix(inside)
		if err != nil || !strings.HasPrefix(inside[len(quoted):], "]") {
			return step, "", errors.New(`want ["key"]`)
		}
		key, err := strconv.Unquote(quoted)
		return patternStep{pathStep: keyStep(key)}, inside[len(quoted)+1:], err
	}
	number, rest, closed := strings.Cut(inside, "]")
	if number == "*" && closed {
		return patternStep{pathStep: itemStep(0), anyIndex: true}, rest, nil
	}
	index, err := strconv.ParseUint(number, 10, 31)
	if err != nil || !closed || len(number) > indexDigits {
		return step, "", errors.New(`want [index], [*] or ["key"]`)
	}
	return patternStep{pathStep: itemStep(int(index))}, rest, nil
}

func bareStep(text string, dotFirst bool) (step patternStep, rest string, err error) {
	end := strings.IndexAny(text, ".[")
	if end < 0 {
		end = len(text)
	}
	key := text[:end]
	switch {
	case key == "" || dotFirst:
		return step, "", errors.New("empty key")
	case strings.ContainsAny(key, `]"`):
		return step, "", errors.New(`a key with ] or " must stand in ["..."]`)
	case key == "**":
		return patternStep{anyRun: true}, text[end:], nil
	}
	return patternStep{pathStep: keyStep(key), wild: strings.Contains(key, "*")}, text[end:], nil
}

func (p pathPattern) matches(path []pathStep) bool {
	return glob(len(p), len(path), func(i int) bool { return p[i].anyRun }, func(i, j int) bool { return p[i].takes(path[j]) })
}

func (s patternStep) takes(step pathStep) bool {
	switch {
	case s.anyRun || s.index >= 0 != (step.index >= 0):
		return false
	case s.index >= 0:
		return s.anyIndex || s.index == step.index
	case s.wild:
		return glob(len(s.key), len(step.key), func(i int) bool { return s.key[i] == '*' }, func(i, j int) bool { return s.key[i] == step.key[j] })
	}
	return s.key == step.key
}

// glob matches a pattern of some length against a text of some length: where
// star says so, the pattern takes any number of elements, and else one that
// takes agrees to. It goes back only to the last star, which is enough, and
// keeps the time within the product of the lengths.
func glob(pattern, text int, star func(i int) bool, takes func(i, j int) bool) bool {
	i, j := 0, 0
	lastStar, taken := -1, 0
	for j < text {
		switch {
		case i < pattern && star(i):
			lastStar, taken = i, j
			i++
		case i < pattern && takes(i, j):
			i, j = i+1, j+1
		case lastStar >= 0:
			taken++
			i, j = lastStar+1, taken
		default:
			return false
		}
	}
	for i < pattern && star(i) {
		i++
	}
	return i == pattern
}
