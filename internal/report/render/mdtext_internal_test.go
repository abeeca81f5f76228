package render

import "testing"

// Colons are escaped where Markdown, or GitHub, could make something of them.
func TestColonsOfClocksAreNotEscaped(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-11-27T17:29:34.277Z": "2026-11-27T17:29:34.277Z",
		"at 7:05":                  "at 7:05",
		"https://x.example":        `https\://x.example`,
		":smile:":                  `\:smile:`,
		"5:100:":                   `5\:100:`,
		"5:1234:":                  `5\:1234:`,
		":29:":                     `\:29:`,
		"a: b":                     "a: b",
	} {
		if got := md(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
