package screen

import (
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// Colour is that of a status, the same wherever one is shown; Reset for a word
// that is no status of an execution.
func Colour(s execution.Status) text.Color {
	switch s {
	case execution.StatusPassed:
		return text.FgGreen
	case execution.StatusFailed, execution.StatusError:
		return text.FgRed
	case execution.StatusCancelled, execution.StatusTimeout, execution.StatusInterrupted:
		return text.FgYellow
	case execution.StatusRunning:
		return text.FgBlue
	case execution.StatusPaused:
		return text.FgMagenta
	case execution.StatusPending:
		return text.FgHiBlack
	default:
		return text.Reset
	}
}
