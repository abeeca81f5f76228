package liveness

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// What is about one run alone keeps nobody else waiting; that retention has removed it
// since it was listed is nothing to tell of.
func TestErrorsOfOneRun(t *testing.T) {
	t.Parallel()
	away := errors.New("connection refused")
	for name, c := range map[string]struct {
		err, want error
		told      bool
	}{
		"none":             {},
		"run removed":      {err: fmt.Errorf("read run: %w", pgstore.ErrNotFound)},
		"rejected":         {err: &command.Rejected{Rejection: &fact.Rejection{Field: "fault_id", Rule: "is too long"}}, told: true},
		"database is away": {err: away, want: away},
	} {
		var log bytes.Buffer
		l := &Loop{Parts: Parts{Log: zerolog.New(&log)}}
		if err := l.only(pgstore.RunKey{ID: "a", Number: 1}, c.err); !errors.Is(err, c.want) || (log.Len() > 0) != c.told {
			t.Errorf("%s: error %v, log %q", name, err, log.String())
		}
	}
}
