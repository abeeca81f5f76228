package childproc

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// AwaitAnswer waits until a server answers, or has ended.
func AwaitAnswer(ctx context.Context, process *Process, answers func(context.Context) bool) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !answers(ctx) {
		select {
		case <-process.Done():
			return fmt.Errorf("the server ended: %w", process.Err())
		case <-ctx.Done():
			return fmt.Errorf("wait until the server answers: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
	if process.Exited() { // so another program answered on its port
		return fmt.Errorf("the server ended: %w", process.Err())
	}
	return nil
}

// LastLines is the end of a server's log, for an error.
func LastLines(file string) string {
	text, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return err.Error()
	}
	const enough = 2000
	return string(text[max(0, len(text)-enough):])
}
