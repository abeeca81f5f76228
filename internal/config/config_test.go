package config_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
)

// env is an environment of our variables, named without their prefix.
type env map[string]string

func (e env) lookup(name string) (string, bool) {
	short, ours := strings.CutPrefix(name, config.EnvPrefix)
	value, set := e[short]
	return value, ours && set
}

// parse reads flags, environment and file as tcda does.
func parse(t *testing.T, vars env, args ...string) *config.Config {
	t.Helper()
	var line struct {
		Config config.Config `embed:""`
		Serve  struct{}      `cmd:""`
	}
	parser, err := kong.New(&line, line.Config.Sources(vars.lookup)...)
	if err != nil {
		t.Fatalf("describe command line: %v", err)
	}
	if _, err := parser.Parse(append(args, "serve")); err != nil {
		t.Fatalf("parse %q: %v", args, err)
	}
	return &line.Config
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// problems are those of a configuration that must be wrong.
func problems(t *testing.T, err error) config.Problems {
	t.Helper()
	var ps config.Problems
	if !errors.As(err, &ps) {
		t.Fatalf("got error %v, want Problems", err)
	}
	return ps
}

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	c, err := config.Load(env{}.lookup)
	if err != nil {
		t.Fatal(err)
	}
	if c.Ingest.BatchRecords != 3000 || c.Limits.RecordBytes != 1<<20 || c.Redis.Prefix != "test:" || c.Postgres.RevisionsSchema != "test_coordination" {
		t.Errorf("defaults differ from the contract: %+v", c)
	}
	if want := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); !c.Limits.TimeEarliest.Equal(want) {
		t.Errorf("earliest time is %v, want %v", c.Limits.TimeEarliest, want)
	}
	for _, role := range []string{config.RoleIngest, config.RoleReconcile, config.RoleMaintain, config.RoleOutbox} {
		if !c.Service.Plays(role) {
			t.Errorf("serve does not play %s by default", role)
		}
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := write(t, "tcda.yaml", "ingest:\n  batch-records: 20\n  batch_bytes: 2MiB\n  apply-budget: 19s\nkafka-brokers: [a:1, 'b:2']\n")
	c := parse(t, env{"CONFIG": file, "INGEST_BATCH_RECORDS": "30", "INGEST_BATCH_BYTES": "3MiB", "INGEST_WATCHDOG": ""},
		"--ingest-batch-records=40")
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	got := []any{c.Ingest.BatchRecords, c.Ingest.BatchBytes, c.Ingest.ApplyBudget, c.Ingest.Watchdog, c.Kafka.Brokers}
	want := []any{40, config.Size(3 << 20), 19 * time.Second, time.Minute, []string{"a:1", "b:2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flag, environment, file, empty variable, list in file (-want +got):\n%s", diff)
	}
}

func TestConfigFlagNamesTheFile(t *testing.T) {
	t.Parallel()
	inFlag := write(t, "flag.yaml", "log: {level: warn}")
	inEnv := write(t, "env.yaml", "log: {level: error}")
	c := parse(t, env{"CONFIG": inEnv}, "--config="+inFlag)
	if c.Log.Level != "warn" {
		t.Errorf("level is %q, want that of the flag's file", c.Log.Level)
	}
}

func TestSecretsFromFiles(t *testing.T) {
	t.Parallel()
	c, err := config.Load(env{
		"POSTGRES_URL_FILE":        write(t, "url", "postgresql+asyncpg://tcda:s3cret@db:5432/trading_ecosystem\n"),
		"KAFKA_SASL_MECHANISM":     "plain",
		"KAFKA_SASL_USER":          "tcda",
		"KAFKA_SASL_PASSWORD_FILE": write(t, "password", "pa ss\r\n"),
	}.lookup)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Postgres.URL.Reveal(), "postgresql://tcda:s3cret@db:5432/trading_ecosystem"; got != want {
		t.Errorf("URL is %q, want %q", got, want)
	}
	if got := c.Kafka.SASLPassword.Reveal(); got != "pa ss" {
		t.Errorf("password is %q, want it without the line's end", got)
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	file := write(t, "tcda.yaml", "kafka:\n  brokers: nohost\n  grup-id: x\nredis-stream-length: many\nlog: {level: info}\nlog-level: warn\n")
	_, err := config.Load(env{
		"CONFIG":                   file,
		"POSTGRES_URL":             "mysql://root:hunter2@db/x",
		"POSTGRES_POOL_SIZE":       "0",
		"INGEST_APPLY_BUDGET":      "40s",
		"SERVICE_UNKNOWN":          "other programs' variables are theirs",
		"PARTITIONS_BY":            "weekly",
		"LIMITS_RECORD_BYTES":      "1 MB",
		"KAFKA_SASL_PASSWORD":      "hunter2",
		"KAFKA_SASL_PASSWORD_FILE": "/nonexistent",
		"REDIS_URL_FILE":           "/nonexistent",
		"TRACING_ENDPOINT":         "collector:4317",
		"ROLES":                    "ingest,serve",
	}.lookup)
	if err == nil {
		t.Fatal("no problem found")
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the message shows a password:\n%v", err)
	}
	want := []string{
		"kafka-grup-id", "log-level", "redis-stream-length", "limits-record-bytes", "kafka-sasl-password", "redis-url",
		"postgres-url", "postgres-pool-size", "partitions-by", "tracing-endpoint", "roles",
		"kafka-brokers", "ingest-apply-budget", "kafka-rebalance-timeout", "shutdown-timeout",
	}
	var got []string
	for _, p := range problems(t, err) {
		got = append(got, p.Setting)
		if p.Rule == "" {
			t.Errorf("problem with %s states no rule", p.Setting)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings with problems (-want +got):\n%s\n%v", diff, err)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		vars    env
		setting string
	}{
		{env{"POSTGRES_URL": "host=db password=x"}, "postgres-url"},
		{env{"POSTGRES_LOCK_TIMEOUT": "16s"}, "postgres-lock-timeout"},
		{env{"POSTGRES_STATEMENT_TIMEOUT": "20s"}, "postgres-statement-timeout"},
		{env{"POSTGRES_IDLE_TIMEOUT": "30s"}, "postgres-idle-timeout"},
		{env{"POSTGRES_REVISIONS_SCHEMA": `x"; drop`}, "postgres-revisions-schema"},
		{env{"REDIS_URL": "http://localhost"}, "redis-url"},
		{env{"REDIS_PREFIX": "test"}, "redis-prefix"},
		{env{"KAFKA_BROKERS": "a:1,b"}, "kafka-brokers"},
		{env{"KAFKA_BROKERS": "a:99999"}, "kafka-brokers"},
		{env{"KAFKA_TOPIC_EXECUTIONS": "test-coordination.scenarios"}, "kafka-topic-executions"},
		{env{"KAFKA_TOPIC_SCENARIOS": "a/b"}, "kafka-topic-scenarios"},
		{env{"KAFKA_HEARTBEAT": "11s", "KAFKA_REBALANCE_TIMEOUT": "1m"}, "kafka-heartbeat"},
		{env{"KAFKA_TLS_CA_FILE": "ca.pem"}, "kafka-tls"},
		{env{"KAFKA_TLS": "true", "KAFKA_TLS_CERT_FILE": "c.pem"}, "kafka-tls-key-file"},
		{env{"KAFKA_SASL_MECHANISM": "plain", "KAFKA_SASL_PASSWORD": "x"}, "kafka-sasl-user"},
		{env{"KAFKA_SASL_MECHANISM": "plain", "KAFKA_SASL_USER": "x"}, "kafka-sasl-password"},
		{env{"KAFKA_SASL_MECHANISM": "kerberos", "KAFKA_SASL_USER": "x", "KAFKA_SASL_PASSWORD": "x"}, "kafka-sasl-mechanism"},
		{env{"INGEST_APPLY_BUDGET": "29s", "SHUTDOWN_TIMEOUT": "29s", "KAFKA_REBALANCE_TIMEOUT": "1m"}, "ingest-apply-budget"},
		{env{"INGEST_APPLY_BUDGET": "27s", "SHUTDOWN_TIMEOUT": "27s", "KAFKA_REBALANCE_TIMEOUT": "1m"}, "ingest-apply-budget"},
		{env{"KAFKA_REBALANCE_TIMEOUT": "26s"}, "kafka-rebalance-timeout"},
		{env{"API_GRPC_LISTEN": ":50051", "ROLES": "ingest"}, "api-grpc-listen"},
		{env{"INGEST_WATCHDOG": "19s"}, "ingest-watchdog"},
		{env{"INGEST_BATCH_BYTES": "512KiB"}, "limits-record-bytes"},
		{env{"LIMITS_DEFINITION_BYTES": "2MiB"}, "limits-definition-bytes"},
		{env{"LIMITS_STRING_BYTES": "2MiB"}, "limits-string-bytes"},
		{env{"LIMITS_JSON_TOKENS": "100001"}, "limits-json-tokens"},
		{env{"LIMITS_TIME_EARLIEST": "yesterday"}, "limits-time-earliest"},
		{env{"LIMITS_TIME_EARLIEST": "1969-12-31T23:59:59Z"}, "limits-time-earliest"},
		{env{"HTTP_LISTEN": "8080"}, "http-listen"},
		{env{"HTTP_TLS_CERT_FILE": "c.pem"}, "http-tls-key-file"},
		{env{"HTTP_TLS_KEY_FILE": "k.pem"}, "http-tls-key-file"},
		{env{"HTTP_TLS_CLIENT_CA_FILE": "ca.pem", "ACCESS_FILE": "a.yaml"}, "http-tls-client-ca-file"},
		{env{"HTTP_TLS_CLIENT_CA_FILE": "ca.pem", "HTTP_TLS_CERT_FILE": "c.pem", "HTTP_TLS_KEY_FILE": "k.pem"}, "http-tls-client-ca-file"},
		{env{"ACCESS_RELOAD_INTERVAL": "1ms"}, "access-reload-interval"},
		{env{"TRACING_RATIO": "1.5"}, "tracing-ratio"},
		{env{"LOG_LEVEL": "loud"}, "log-level"},
		{env{"INSTANCE": "a/b"}, "instance"},
		{env{"CONFIG": "/nonexistent.yaml"}, "config"},
	} {
		t.Run(tc.setting, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(tc.vars.lookup)
			ps := problems(t, err)
			if len(ps) != 1 || ps[0].Setting != tc.setting {
				t.Errorf("%v: got %v, want one problem with %s", tc.vars, err, tc.setting)
			}
		})
	}
}

// Values at the edge of a rule are accepted, and a message names both sides.
func TestRulesAtTheirEdge(t *testing.T) {
	t.Parallel()
	for _, vars := range []env{
		{"INGEST_APPLY_BUDGET": "26999ms", "SHUTDOWN_TIMEOUT": "27s", "KAFKA_REBALANCE_TIMEOUT": "1m"},
		{"KAFKA_REBALANCE_TIMEOUT": "26001ms"},
		{"LIMITS_TIME_EARLIEST": "1970-01-01T00:00:00Z"},
		{"HTTP_TLS_CERT_FILE": "c.pem", "HTTP_TLS_KEY_FILE": "k.pem"},
		{"HTTP_TLS_CERT_FILE": "c.pem", "HTTP_TLS_KEY_FILE": "k.pem", "HTTP_TLS_CLIENT_CA_FILE": "ca.pem", "ACCESS_FILE": "a.yaml"},
	} {
		if _, err := config.Load(vars.lookup); err != nil {
			t.Errorf("%v: %v", vars, err)
		}
	}
	for setting, c := range map[string]struct {
		value string
		named []string
	}{
		"INGEST_APPLY_BUDGET":     {"29s", []string{"ingest-apply-budget", "kafka-session-timeout", "3s"}},
		"KAFKA_REBALANCE_TIMEOUT": {"20s", []string{"kafka-rebalance-timeout", "ingest-apply-budget", "kafka-heartbeat", "3s"}},
		"LIMITS_TIME_EARLIEST":    {"1960-01-01T00:00:00Z", []string{"limits-time-earliest", "1970-01-01T00:00:00Z or later"}},
	} {
		_, err := config.Load(env{setting: c.value}.lookup)
		line := problems(t, err)[0].String()
		for _, word := range c.named {
			if !strings.Contains(line, word) {
				t.Errorf("%q does not name %s", line, word)
			}
		}
	}
}

func TestBrokenFile(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"not YAML":         "kafka: [a",
		"a list":           "- a",
		"nested too deep":  "log: {level: {debug: yes}}",
		"list of mappings": "kafka-brokers: [{a: 1}]",
		"names a file":     "config: other.yaml",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := write(t, "tcda.yaml", content)
			_, err := config.Load(env{"CONFIG": path}.lookup)
			if ps := problems(t, err); len(ps) != 1 || !strings.Contains(ps[0].String(), path) {
				t.Errorf("got %v, want one problem that names %s", err, path)
			}
		})
	}
}

// What Print writes can be read again, and gives the same configuration.
func TestPrintRoundTrip(t *testing.T) {
	t.Parallel()
	before := parse(t, env{
		"KAFKA_BROKERS": "a:1,b:2", "INSTANCE": "tcda-1", "REDIS_ENABLED": "false", "TRACING_RATIO": "0.25",
		"LIMITS_TIME_EARLIEST": "2001-02-03T04:05:06Z", "LIMITS_RECORD_BYTES": "1000KiB",
	})
	var printed bytes.Buffer
	if err := config.Print(&printed, before); err != nil {
		t.Fatal(err)
	}
	after, err := config.Load(env{"CONFIG": write(t, "printed.yaml", printed.String())}.lookup)
	if err != nil {
		t.Fatalf("%v\n%s", err, &printed)
	}
	if diff := cmp.Diff(before, after, cmpopts.IgnoreUnexported(config.Config{}), cmpopts.IgnoreFields(config.Config{}, "File"), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("printed and read again (-before +after):\n%s", diff)
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	c := parse(t, env{
		"POSTGRES_URL":        "postgres://tcda:hunter2@db/x?sslpassword=hunter2&application_name=a",
		"REDIS_URL":           "redis://:hunter2@cache:6379/0",
		"KAFKA_SASL_PASSWORD": "hunter2",
	})
	var out bytes.Buffer
	if err := config.Print(&out, c); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&out, "%v %+v %#v %v", c, c, c, c.Kafka)
	for _, s := range config.Settings(c) {
		out.WriteString(s.Value)
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Errorf("a password is shown:\n%s", &out)
	}
	for _, kept := range []string{"tcda:REDACTED@db", "application_name=a", "cache:6379"} {
		if !strings.Contains(out.String(), kept) {
			t.Errorf("%q is missing: only passwords are to be left out", kept)
		}
	}
}

func TestURLThatCannotBeUnderstoodIsHidden(t *testing.T) {
	t.Parallel()
	for _, u := range []config.URL{"postgres://u:hun ter2@db", "host=db password=hunter2", "postgres:hunter2", "postgres://db/x?password=hunter2;", "postgres://u:12/hunter2@db", "postgres://u:12#hunter2@db", "postgres://u:12?hunter2@db", "postgres://u:a@b/hunter2@db", "postgres://db/x?password=1#hunter2"} {
		if got := u.String(); got != config.Redacted {
			t.Errorf("URL prints as %q, want it hidden", got)
		}
	}
}

func TestDriverIsDropped(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"postgresql+asyncpg://u:p@h:1/d": "postgresql://u:p@h:1/d",
		"postgres://u:a+b://c@h/d":       "postgres://u:a+b://c@h/d",
		" redis://h ":                    "redis://h",
	} {
		var u config.URL
		if err := u.UnmarshalText([]byte(given)); err != nil || u.Reveal() != want {
			t.Errorf("%q is read as %q, %v; want %q", given, u.Reveal(), err, want)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]config.Size{"0": 0, "512": 512, "255B": 255, "64KiB": 64 << 10, " 1 MiB ": 1 << 20, "2GiB": 2 << 30} {
		var s, again config.Size
		if err := s.UnmarshalText([]byte(given)); err != nil || s != want {
			t.Errorf("%q is read as %d, %v; want %d", given, s, err, want)
		}
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%d prints as %q, which is read as %d, %v", s, s, again, err)
		}
	}
	for _, bad := range []string{"", "x", "-1", "1MB", "1.5MiB", "9223372036854775807GiB"} {
		var s config.Size
		if err := s.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is read as %d, want an error", bad, s)
		}
	}
}

func TestSettingsAreDescribed(t *testing.T) {
	t.Parallel()
	names := make(map[string]bool)
	for _, s := range config.Settings(new(config.Config)) {
		if s.Help == "" || (s.Group == "" && s.Name != "config") {
			t.Errorf("%s has no help or no group", s.Name)
		}
		if want := config.EnvPrefix + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_")); s.Env != want {
			t.Errorf("%s is read from %s, want %s", s.Name, s.Env, want)
		}
		names[s.Name] = true
	}
	for _, name := range []string{"postgres-url", "redis-url", "kafka-brokers", "ingest-batch-records", "kafka-sasl-mechanism", "limits-json-depth"} {
		if !names[name] {
			t.Errorf("no setting %s among %v", name, slices.Sorted(maps.Keys(names)))
		}
	}
}

// An operator looks for quarantined records by the reason that the help names.
func TestHelpOfALimitNamesTheReason(t *testing.T) {
	t.Parallel()
	reasons := map[string]string{
		"limits-record-bytes": "too_large", "limits-json-depth": "depth", "limits-json-tokens": "token_limit", "limits-headers": "header_limit",
		"limits-header-bytes": "header_limit", "limits-source-bytes": "too_large", "limits-correlation-bytes": "too_large",
		"limits-string-bytes": "too_large", "limits-definition-bytes": "too_large", "limits-number-chars": "number", "limits-time-earliest": "time_range",
	}
	for _, s := range config.Settings(new(config.Config)) {
		if reason, ok := reasons[s.Name]; ok && !strings.Contains(s.Help, "("+reason+")") {
			t.Errorf("help of %s is %q, want it to name the reason %s", s.Name, s.Help, reason)
		}
		delete(reasons, s.Name)
	}
	if len(reasons) > 0 {
		t.Errorf("no settings %v", slices.Sorted(maps.Keys(reasons)))
	}
}

func TestHelpNamesTheVariable(t *testing.T) {
	t.Parallel()
	var line struct {
		Config config.Config `embed:""`
		Dry    bool          `help:"Not ours."`
	}
	var out bytes.Buffer
	parser, err := kong.New(&line, append(line.Config.Sources(env{}.lookup), kong.Writers(&out, &out), kong.Exit(func(int) {}))...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"--help"}); err != nil {
		t.Fatal(err)
	}
	if help := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(help, "($TEST_COORDINATOR_ADAPTER_POSTGRES_POOL_SIZE)") || strings.Contains(help, "ADAPTER_DRY") {
		t.Errorf("help:\n%s", &out)
	}
}
