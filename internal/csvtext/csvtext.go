// Package csvtext keeps texts in CSV files from acting on a spreadsheet. It is pure.
package csvtext

import (
	"strings"
	"unicode/utf8"
)

// Disarmed puts an apostrophe before a text that a spreadsheet would compute, or hide
// the beginning of (https://owasp.org/www-community/attacks/CSV_Injection). A text that
// begins with an apostrophe gets another, so that one can be taken from every text that
// begins with one to have the texts back.
func Disarmed(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size > 0 && strings.ContainsRune("=+-@\t\r\n'＝＋－＠", first) { // those of full width are read alike by some
		return "'" + text
	}
	return text
}
