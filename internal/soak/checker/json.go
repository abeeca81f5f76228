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
	if reason := scanObject(tokens, deepest); reason != "" {
		return reason
	}
	if _, err := tokens.Token(); !errors.Is(err, io.EOF) {
		return "json"
	}
	return ""
}

func scanObject(tokens *json.Decoder, deepest int) string {
	seen := map[string]bool{}
	for tokens.More() {
		name, err := tokens.Token()
		if err != nil {
			return "json"
		}
		text, _ := name.(string)
		if strings.ContainsRune(text, 0) {
			return "nul"
		}
		if seen[text] {
			return "duplicate_key"
		}
		seen[text] = true
		if reason := scanValue(tokens, deepest); reason != "" {
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

func scanValue(tokens *json.Decoder, deepest int) string {
	token, err := tokens.Token()
	if err != nil {
		return "json"
	}
	switch v := token.(type) {
	case json.Delim:
		if deepest <= 1 {
			return "depth"
		}
		if v == '{' {
			return scanObject(tokens, deepest-1)
		}
		for tokens.More() {
			if reason := scanValue(tokens, deepest-1); reason != "" {
				return reason
			}
		}
		if _, err := tokens.Token(); err != nil {
			return "json"
		}
	case json.Number:
		if _, err := strconv.ParseFloat(v.String(), 64); err != nil || len(v) > 32 {
			return "number"
		}
	case string:
		if strings.ContainsRune(v, 0) {
			return "nul"
		}
	}
	return ""
}
