package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
)

// prefix begins the names of the service's settings in an environment.
const prefix = "TEST_COORDINATOR_ADAPTER_"

// adapter is a running tcda serve.
type adapter struct {
	process *childproc.Process
	http    string // where it answers
	log     string // its file
}

// listening is what the service's first line of log says of its port.
var listening = regexp.MustCompile(`"http":"([^"]+)"`)

// serve starts the service with these settings beside those of --set, and
// waits until it answers.
func (b *bench) serve(ctx context.Context, settings map[string]string) (*adapter, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	all := map[string]string{
		"INSTANCE": "bench", "KAFKA_BROKERS": b.servers.brokers, "KAFKA_TOPIC_SCENARIOS": scenarioTopic,
		"KAFKA_CREATE_TOPICS": "true", // those of the outbox
		"HTTP_LISTEN":         "127.0.0.1:0", "LOG_FORMAT": "json", "LOG_LEVEL": "info",
	}
	maps.Copy(all, b.Settings)
	maps.Copy(all, settings)
	env := b.environment()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		env = append(env, prefix+name+"="+all[name])
	}
	a := &adapter{log: filepath.Join(b.dir, "tcda.log")}
	if err := os.WriteFile(a.log, nil, 0o600); err != nil {
		return nil, fmt.Errorf("begin the service's log: %w", err)
	}
	var err error
	a.process, err = childproc.Start(childproc.Spec{Path: b.TCDA, Args: []string{"serve"}, Env: env, LogFile: a.log, OnParentDeath: syscall.SIGKILL})
	if err != nil {
		return nil, fmt.Errorf("start the service: %w", err)
	}
	err = childproc.AwaitAnswer(ctx, a.process, func(ctx context.Context) bool {
		text, err := os.ReadFile(a.log)
		said := listening.FindSubmatch(text)
		if err != nil || said == nil {
			return false
		}
		a.http = "http://" + string(said[1])
		_, err = get(ctx, web, a.http+"/livez")
		return err == nil
	})
	if err != nil {
		return nil, errors.Join(a.failed(err), a.process.Kill())
	}
	return a, nil
}

// failed is an error with what the service said last.
func (a *adapter) failed(err error) error {
	return fmt.Errorf("tcda serve: %w; it said:\n%s", err, childproc.LastLines(a.log))
}

// stop ends the service in order.
func (a *adapter) stop() error {
	if err := a.process.Stop(syscall.SIGTERM, time.Minute); err != nil {
		return a.failed(err)
	}
	return nil
}

// profile has the service write a profile of its processor time to a file; it
// returns when that is done.
func (a *adapter) profile(ctx context.Context, took time.Duration, file string) error {
	client := &http.Client{Timeout: took + time.Minute}
	profile, err := get(ctx, client, a.http+"/debug/pprof/profile?seconds="+strconv.Itoa(max(1, int(took.Seconds()))))
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, profile, 0o600); err != nil {
		return fmt.Errorf("write the profile: %w", err)
	}
	return nil
}
