package devstack_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// playFlag makes this binary play a demo: it starts a stack on that data
// directory, prints it and waits to be killed.
const playFlag = "DEVSTACK_TEST_PLAY"

func TestMain(m *testing.M) {
	dir := os.Getenv(playFlag)
	if dir == "" {
		os.Exit(m.Run())
	}
	stack, err := devstack.Start(context.Background(), devstack.Options{DataDir: dir})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(stack.PostgresURL, stack.RedisURL, stack.KafkaBrokers[0])
	<-make(chan struct{})
	runtime.KeepAlive(stack) // or its lock would be closed as garbage
}

func TestDataSurvivesClose(t *testing.T) {
	t.Parallel()
	dir := testenv.DataDir(t)
	first := start(t, dir)
	store(t, first, "a")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := start(t, dir)
	store(t, second, "b")
	wantStored(t, second, "a", "b")
	if n, err := testenv.RedisClient(t, second.RedisURL).Exists(t.Context(), "a").Result(); err != nil || n != 0 {
		t.Errorf("Redis of the second start has %d keys of the first, %v", n, err)
	}
}

func TestDataSurvivesSIGKILL(t *testing.T) {
	t.Parallel()
	dir := testenv.DataDir(t)
	demo := exec.CommandContext(t.Context(), os.Args[0])
	demo.Env = append(os.Environ(), playFlag+"="+dir)
	out, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	killed := devstack.Stack{KafkaBrokers: make([]string, 1)}
	if _, err := fmt.Fscanln(out, &killed.PostgresURL, &killed.RedisURL, &killed.KafkaBrokers[0]); err != nil {
		t.Fatal(err)
	}
	store(t, &killed, "a")

	// A second demo is turned away while the first one runs, with its id.
	_, err = devstack.Start(t.Context(), devstack.Options{DataDir: dir})
	if !errors.Is(err, devstack.ErrInUse) || !strings.Contains(err.Error(), strconv.Itoa(demo.Process.Pid)) {
		t.Errorf("a second stack: got %v, want %v by process %d", err, devstack.ErrInUse, demo.Process.Pid)
	}

	if err := demo.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = demo.Wait() // "signal: killed"
	wantStored(t, start(t, dir), "a")
}

func TestOneStackPerDirectory(t *testing.T) {
	t.Parallel()
	dir := testenv.DataDir(t)
	first := start(t, dir)
	if _, err := devstack.Start(t.Context(), devstack.Options{DataDir: dir}); !errors.Is(err, devstack.ErrInUse) {
		t.Errorf("got %v, want %v", err, devstack.ErrInUse)
	}
	store(t, first, "a")
	wantStored(t, first, "a")
}

func TestRedisKeysExpire(t *testing.T) {
	t.Parallel()
	client := testenv.RedisClient(t, start(t, testenv.DataDir(t)).RedisURL)
	if err := client.Set(t.Context(), "short", "x", 200*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "the key expires", func() bool {
		n, err := client.Exists(t.Context(), "short").Result()
		if err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
}

func TestNothingOpenToOthers(t *testing.T) {
	t.Parallel()
	dir := testenv.DataDir(t)
	start(t, dir)
	for name, want := range map[string]os.FileMode{"postgres": 0o700, "kafka": 0o700, "lock": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", name, info.Mode().Perm(), want)
		}
	}
}

func TestStartNeedsADirectory(t *testing.T) {
	t.Parallel()
	if _, err := devstack.Start(t.Context(), devstack.Options{}); err == nil {
		t.Error("started without a data directory")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := devstack.Start(t.Context(), devstack.Options{DataDir: file}); err == nil {
		t.Error("started with a file for a data directory")
	}
}

func TestDefaultDataDirIsAbsolute(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", "relative")
	dir, err := devstack.DefaultDataDir()
	if err != nil || !filepath.IsAbs(dir) {
		t.Errorf("got %q, %v", dir, err)
	}
	if home, _ := os.UserHomeDir(); os.Geteuid() == 0 && strings.HasPrefix(dir, home+"/") {
		t.Errorf("root's data %s lies in its home, which PostgreSQL's user cannot enter", dir)
	}
}

func start(t *testing.T, dir string) *devstack.Stack {
	t.Helper()
	stack, err := devstack.Start(t.Context(), devstack.Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	return stack
}

const topic = "words"

// store puts a word into each of the three servers.
func store(t *testing.T, stack *devstack.Stack, word string) {
	t.Helper()
	pool := (&testenv.DB{URL: stack.PostgresURL}).Pool(t)
	for _, statement := range []string{
		"CREATE TABLE IF NOT EXISTS words (word text)",
		"INSERT INTO words VALUES ('" + word + "')",
	} {
		if _, err := pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	kafka := &testenv.KafkaCluster{Brokers: stack.KafkaBrokers}
	if word == "a" { // the first start; later ones find the topic
		kafka.CreateTopic(t, topic, 1, nil)
	}
	if err := kafka.Client(t).ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(word)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := testenv.RedisClient(t, stack.RedisURL).Set(t.Context(), word, word, 0).Err(); err != nil {
		t.Fatal(err)
	}
}

// wantStored looks for words in the two servers that keep them.
func wantStored(t *testing.T, stack *devstack.Stack, want ...string) {
	t.Helper()
	var inPostgres []string
	pool := (&testenv.DB{URL: stack.PostgresURL}).Pool(t)
	row := pool.QueryRow(t.Context(), "SELECT array_agg(word ORDER BY word) FROM words")
	if err := row.Scan(&inPostgres); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, inPostgres); diff != "" {
		t.Errorf("PostgreSQL (-want +got):\n%s", diff)
	}

	kafka := &testenv.KafkaCluster{Brokers: stack.KafkaBrokers}
	client := kafka.Client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var inKafka []string
	for len(inKafka) < len(want) {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) { inKafka = append(inKafka, string(r.Value)) })
	}
	if diff := cmp.Diff(want, inKafka); diff != "" {
		t.Errorf("Kafka (-want +got):\n%s", diff)
	}
}
