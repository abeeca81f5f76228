//go:build interop

package e2e_test

import (
	"context"
	"os/exec"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// A coordinator in Python goes the whole way over plain JSON and Kafka: publish,
// readiness, request, events, watch, timeline, cancel. See asker.py.
func TestPythonCoordinatorAsksTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, testenv.Kafka(t))
	service := w.serve()
	python, err := pythonEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), python, "asker.py", "--api", w.http,
		"--brokers", w.kafka.Brokers[0], "--executions", w.topics.Executions, "--commands", w.env[config.EnvPrefix+"KAFKA_TOPIC_COMMANDS"])
	run(w, cmd, nil).wantSuccess()
	w.verify()
	service.interrupt()
	service.wantSuccess()
}
