package opshttp

import (
	"log" //nolint:depguard // net/http and promhttp know no other
	"strings"

	"github.com/rs/zerolog"
)

// logWriter carries what net/http and promhttp have to complain of into
// our log.
type logWriter struct{ log zerolog.Logger }

// Println is promhttp's interface of a log.
func (w logWriter) Println(v ...any) { w.standard().Println(v...) }

func (w logWriter) Write(line []byte) (int, error) {
	w.log.Warn().Str("component", "http").Msg(strings.TrimSuffix(string(line), "\n"))
	return len(line), nil
}

func (w logWriter) standard() *log.Logger { return log.New(w, "", 0) }
