package checker

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scan holds a text to the strict JSON of the contract: one object, valid
// UTF-8, no name twice, no NUL, at most so deep, numbers that are finite.
func scan(text []byte, deepest int) (reason string) {
	return scanMembers(text, deepest, func(string, json.Token, []byte) string { return "" })
}

// scanMembers is scan, and gives each member of the object: its name, its first
// token and its text.
func scanMembers(text []byte, deepest int, member func(name string, value json.Token, raw []byte) (reason string)) (reason string) {
	if !utf8.Valid(text) {
		return "utf8"
	}
	tokens := json.NewDecoder(bytes.NewReader(text))
	tokens.UseNumber()
	first, err := tokens.Token()
	switch {
	case err != nil:
		return "json"
	case first != json.Delim('{'):
		if !json.Valid(text) {
			return "json"
		}
		return "not_object"
	}
	if reason := scanObject(tokens, deepest, text, member); reason != "" {
		return reason
	}
	if _, err := tokens.Token(); !errors.Is(err, io.EOF) {
		return "json"
	}
	return ""
}

func scanObject(tokens *json.Decoder, deepest int, text []byte, member func(string, json.Token, []byte) string) string {
	seen := map[string]bool{}
	for tokens.More() {
		token, err := tokens.Token()
		if err != nil {
			return "json"
		}
		name, _ := token.(string)
		if strings.ContainsRune(name, 0) {
			return "nul"
		}
		if seen[name] {
			return "duplicate_key"
		}
		seen[name] = true
		begin := tokens.InputOffset()
		value, reason := scanValue(tokens, deepest)
		if reason == "" && member != nil {
			reason = member(name, value, bytes.TrimLeft(text[begin:tokens.InputOffset()], ": \t\r\n"))
		}
		if reason != "" {
			return reason
		}
	}
	if _, err := tokens.Token(); err != nil {
		return "json"
	}
	return ""
}

// maxDepth is how deep objects and arrays may lie in one another.
const maxDepth = 32

// scanValue gives the first token of a value.
func scanValue(tokens *json.Decoder, deepest int) (json.Token, string) {
	token, err := tokens.Token()
	if err != nil {
		return nil, "json"
	}
	switch v := token.(type) {
	case json.Delim:
		if deepest <= 1 {
			return nil, "depth"
		}
		if v == '{' {
			return token, scanObject(tokens, deepest-1, nil, nil)
		}
		for tokens.More() {
			if _, reason := scanValue(tokens, deepest-1); reason != "" {
				return nil, reason
			}
		}
		if _, err := tokens.Token(); err != nil {
			return nil, "json"
		}
	case json.Number:
		if _, err := strconv.ParseFloat(v.String(), 64); err != nil || len(v) > 32 {
			return nil, "number"
		}
	case string:
		if strings.ContainsRune(v, 0) {
			return nil, "nul"
		}
	}
	return token, ""
}
