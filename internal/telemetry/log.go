package telemetry

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
)

// LogFormat says how log lines look.
type LogFormat string

// Formats of log lines.
const (
	LogAuto    LogFormat = "auto"    // console on a terminal, JSON elsewhere
	LogJSON    LogFormat = "json"    // one object a line
	LogConsole LogFormat = "console" // for a person to read
)

// NewLogger writes lines of at least the given level (a name that zerolog
// knows, such as "info") to w. Whatever text a line carries, it stays one line
// without terminal sequences: control and other unprintable characters are
// escaped. Times are UTC, to the millisecond.
func NewLogger(w io.Writer, level string, format LogFormat) (zerolog.Logger, error) {
	least, err := zerolog.ParseLevel(level)
	if err != nil {
		return zerolog.Nop(), fmt.Errorf("read log level: %w", err)
	}
	if format == LogConsole || (format == LogAuto && isTerminal(w)) {
		w = console(w)
	} else {
		w = escaper{w}
	}
	return zerolog.New(w).Level(least).Hook(timestamp{}), nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

func console(w io.Writer) io.Writer {
	return zerolog.ConsoleWriter{
		Out:        escaper{w},
		NoColor:    !isTerminal(w) || os.Getenv("NO_COLOR") != "",
		TimeFormat: "15:04:05.000",
		FormatMessage: func(message any) string { // zerolog quotes fields by itself, but not the message
			text, _ := message.(string)
			if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
				return strconv.Quote(text)
			}
			return text
		},
	}
}

// timestamp is a hook, because zerolog's own format of times is a global.
type timestamp struct{}

func (timestamp) Run(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str(zerolog.TimestampFieldName, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
}

// escaper escapes what zerolog's JSON leaves as it is: unprintable characters
// beyond ASCII, such as the C1 controls that some terminals obey and the marks
// that reverse the direction of text.
type escaper struct{ w io.Writer }

func (e escaper) Write(line []byte) (int, error) {
	escaped := line
	if bytes.ContainsFunc(line, unprintable) {
		escaped = make([]byte, 0, len(line)+64)
		for rest := line; len(rest) > 0; {
			r, size := utf8.DecodeRune(rest)
			if unprintable(r) {
				for _, unit := range utf16.Encode([]rune{r}) {
					escaped = fmt.Appendf(escaped, `\u%04x`, unit)
				}
			} else {
				escaped = append(escaped, rest[:size]...)
			}
			rest = rest[size:]
		}
	}
	if _, err := e.w.Write(escaped); err != nil {
		return 0, err //nolint:wrapcheck // a Writer passes the error on
	}
	return len(line), nil
}

func unprintable(r rune) bool { return r >= utf8.RuneSelf && !unicode.IsPrint(r) }
