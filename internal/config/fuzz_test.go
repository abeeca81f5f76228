package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
)

// FuzzURL holds URLs to one thing: however one is printed, its password does not
// show.
func FuzzURL(f *testing.F) {
	for _, seed := range [][3]string{
		{"postgres://me:", "@host:5432/db", ""},
		{"postgresql+asyncpg://me:", "@host/db?sslmode=disable", ""},
		{"rediss://:", "@host:6379/0", ""},
		{"postgres://host/db?password=", "&x=1", ""},
		{"postgres://host/db?sslpassword=", "", ""},
		{"unix:///run/redis.sock?password=", "", ""},
		{"postgres:me:", "@host", ""},
		{"http://[::1%25", "]/", ""},
		{"", "", "%zz"},
		{"redis://a:", "@b:", "@c"},
		{"postgres://me:1#", "@host/db", ""},
		{"postgres://me@host/db#?password=", "", ""},
	} {
		f.Add(seed[0], seed[1]+seed[2])
	}
	const password = "hunter2secret"
	f.Fuzz(func(t *testing.T, before, behind string) {
		var u config.URL
		text := before + password + behind
		if err := u.UnmarshalText([]byte(text)); err != nil {
			return
		}
		encoded, err := json.Marshal(u)
		if err != nil {
			t.Fatal(err)
		}
		// Where it is a user, a host or a path, the person who wrote it has not
		// made it a password.
		ofUser := strings.HasSuffix(before, ":") && strings.HasPrefix(behind, "@")
		ofQuery := strings.HasSuffix(strings.ToLower(before), "?password=")
		if !strings.Contains(before, "://") || !ofUser && !ofQuery {
			return
		}
		for _, shown := range []string{u.String(), fmt.Sprint(u), fmt.Sprintf("%v %+v %#v %s %q", u, u, u, u, u), string(encoded)} {
			if strings.Contains(shown, password) {
				t.Fatalf("%q is shown as %q", text, shown)
			}
		}
	})
}

// FuzzSize: what is read is written so that it can be read again.
func FuzzSize(f *testing.F) {
	for _, seed := range []string{"512", "64KiB", " 1 MiB ", "8388607GiB", "9223372036854775807", "9223372036854775808", "-1", "1e3", "0x10", "1kib", "1MiBMiB", "", "B", "١"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var size, again config.Size
		if size.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(size.String())); err != nil || again != size || size < 0 {
			t.Fatalf("%q is %d, written as %q and read as %d: %v", text, size, size, again, err)
		}
	})
}

// FuzzFile gives any text as the file of settings, and as settings in the
// environment: a configuration, or problems, each with a name and a rule. The
// name is that of a setting, unless it is what the file calls one.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"postgres:\n  pool-size: 3\n", "postgres-pool-size: x\n", "{", "a: &a [*a]\n", "kafka: {brokers: [a:1, b:2]}\n", "log:\n- level\n", "? {a: b}\n: c\n", "!!binary aGk=\n", "---\na: 1\n---\nb: 2\n",
		"postgres:\n  pool-size: 3\npostgres-pool-size: 4\n", "quarantine: {soft-limit: 9GiB, hard-limit: 1GiB}\n", "limits: {time-earliest: 0000-01-01T00:00:00Z, time-ahead: 9999999h}\n", "config: other.yaml\n", "ingest: {allowed-sources: \"a,,*\"}\n", "text\n", "\"\": 1\n",
	} {
		f.Add(seed, "1MiB")
	}
	known := map[string]bool{}
	for _, s := range config.Settings(&config.Config{}) {
		known[s.Name] = true
	}
	f.Fuzz(func(t *testing.T, file, value string) {
		path := filepath.Join(t.TempDir(), "settings.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		environment := map[string]string{config.EnvPrefix + "CONFIG": path, config.EnvPrefix + "LIMITS_RECORD_BYTES": value, config.EnvPrefix + "INGEST_APPLY_BUDGET": value}
		c, err := config.Load(func(name string) (string, bool) { v, ok := environment[name]; return v, ok })
		if (c == nil) == (err == nil) {
			t.Fatalf("configuration %v, error %v", c, err)
		}
		if err == nil {
			return
		}
		var problems config.Problems
		if !errors.As(err, &problems) || len(problems) == 0 {
			t.Fatalf("%T is no list of problems: %v", err, err)
		}
		for _, p := range problems {
			inFile := strings.HasPrefix(p.From, path+":")
			if p.Setting == "" || p.Rule == "" || !known[p.Setting] && !inFile {
				t.Errorf("a problem of %q (%s): %q", p.Setting, p.From, p.Rule)
			}
		}
	})
}
