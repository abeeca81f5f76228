package config

import (
	"cmp"
	"net"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// Validate checks every setting alone, then those that depend on each other,
// and returns all that is wrong as Problems, or nil.
func (c *Config) Validate() error {
	r := rules{problems: slices.Clone(c.unread), settings: make(map[string]Setting)}
	for _, s := range Settings(c) {
		r.settings[s.Name] = s
		r.checkAlone(s)
	}
	r.checkTogether(c)
	if len(r.problems) == 0 {
		return nil
	}
	return r.problems
}

// ReleaseBudget is how long a worker may take, after the apply budget, to give
// its partition back. It is no setting; the rules about budgets count it in.
const ReleaseBudget = 3 * time.Second

type rules struct {
	settings map[string]Setting
	problems Problems
}

// must adds a problem with the named setting unless ok.
func (r *rules) must(ok bool, name, rule string) {
	if !ok {
		r.problems = append(r.problems, Problem{Setting: name, Value: r.settings[name].Value, Rule: rule})
	}
}

// checkTogether holds the rules that no tag can say.
func (r *rules) checkTogether(c *Config) {
	r.must(isPostgresURL(c.Postgres.URL), "postgres-url", "must be a URL like postgres://user:password@host:5432/database")
	if c.Redis.Enabled {
		r.must(isRedisURL(c.Redis.URL), "redis-url", "must be a redis://, rediss:// or unix:// URL, or redis-enabled must be false")
	}

	// The chain of deadlines: a statement ends before the batch must, the batch
	// before the group gives the partition to another member.
	r.must(c.Postgres.LockTimeout <= c.Postgres.StatementTimeout, "postgres-lock-timeout", "must not exceed postgres-statement-timeout")
	r.must(c.Postgres.StatementTimeout < c.Ingest.ApplyBudget, "postgres-statement-timeout", "must be below ingest-apply-budget")
	r.must(c.Postgres.IdleTimeout < c.Kafka.SessionTimeout, "postgres-idle-timeout", "must be below kafka-session-timeout")
	// No heartbeat is sent between the word of a rebalance, which comes with the
	// answer to one, and the moment when the partition has been given back.
	drain := c.Ingest.ApplyBudget + ReleaseBudget
	r.must(drain < c.Kafka.SessionTimeout, "ingest-apply-budget",
		"must be more than "+ReleaseBudget.String()+" below kafka-session-timeout: so long may giving the partition back take")
	r.must(c.Kafka.Heartbeat+drain < c.Kafka.RebalanceTimeout, "kafka-rebalance-timeout",
		"must exceed kafka-heartbeat and ingest-apply-budget together by more than "+ReleaseBudget.String()+": members rejoin only after that")
	r.must(3*c.Kafka.Heartbeat <= c.Kafka.SessionTimeout, "kafka-heartbeat", "must be at most a third of kafka-session-timeout")
	r.must(c.Ingest.ApplyBudget <= c.Service.ShutdownTimeout, "shutdown-timeout", "must be at least ingest-apply-budget")
	r.must(c.Ingest.ApplyBudget <= c.Ingest.Watchdog, "ingest-watchdog", "must be at least ingest-apply-budget")

	for _, broker := range c.Kafka.Brokers {
		r.must(isHostPort(broker), "kafka-brokers", "must be a list of host:port")
	}
	r.checkTopics(c)
	r.must((c.Kafka.TLSCertFile == "") == (c.Kafka.TLSKeyFile == ""), "kafka-tls-key-file", "must be given together with kafka-tls-cert-file")
	r.must(c.Kafka.TLS || c.Kafka.TLSCAFile+c.Kafka.TLSCertFile == "", "kafka-tls", "must be true when certificates are given")
	if c.Kafka.SASLMechanism != "none" {
		r.must(c.Kafka.SASLUser != "", "kafka-sasl-user", "must be given for kafka-sasl-mechanism")
		r.must(c.Kafka.SASLPassword != "", "kafka-sasl-password", "must be given for kafka-sasl-mechanism")
	}

	r.must((c.HTTP.TLSCertFile == "") == (c.HTTP.TLSKeyFile == ""), "http-tls-key-file", "must be given together with http-tls-cert-file")
	if c.HTTP.TLSClientCAFile != "" {
		r.must(c.HTTP.TLSCertFile != "", "http-tls-client-ca-file", "must be given together with http-tls-cert-file: client certificates are shown in TLS")
		r.must(c.Access.File != "", "http-tls-client-ca-file", "must be given together with access-file: it says which certificate has which role")
	}

	r.must(c.Outbox.SettledAfter < c.Retention.Quiet, "retention-quiet", "must exceed outbox-settled-after: a run is reported before it goes")
	for _, of := range []struct {
		setting string
		days    int
	}{
		{"logs-retention-days", c.Retention.LogsDays},
		{"snapshots-retention-days", c.Retention.SnapshotsDays},
		{"events-retention-days", c.Retention.EventsDays},
		{"results-retention-days", c.Retention.ResultsDays},
		{"reports-retention-days", c.Retention.ReportsDays},
	} {
		r.must(c.Retention.Days <= 0 || of.days <= c.Retention.Days, of.setting, "must not exceed retention-days: a run goes with everything of it")
	}

	r.must(c.Retention.ResultsDays == 0 || c.Retention.EventsDays > 0 && c.Retention.EventsDays <= c.Retention.ResultsDays, "results-retention-days",
		"must be at least events-retention-days, which must be given, too: late events are merged into results")

	if c.API.GRPCListen != "" {
		r.must(c.Service.Plays(RoleAPI), "api-grpc-listen", "must be left out, or roles must have api")
	}

	r.must(c.Quarantine.SoftLimit <= c.Quarantine.HardLimit, "quarantine-soft-limit", "must not exceed quarantine-hard-limit")
	r.must(c.Limits.RecordBytes <= c.Ingest.BatchBytes, "limits-record-bytes", "must not exceed ingest-batch-bytes")
	r.must(c.Limits.DefinitionBytes <= c.Limits.RecordBytes, "limits-definition-bytes", "must not exceed limits-record-bytes")
	r.must(c.Limits.StringBytes <= c.Limits.RecordBytes, "limits-string-bytes", "must not exceed limits-record-bytes")
	r.must(c.Limits.JSONTokens <= c.Limits.BulkJSONTokens, "limits-json-tokens", "must not exceed limits-bulk-json-tokens")
	r.must(c.Limits.TimeEarliest.Unix() >= 0, "limits-time-earliest", "must be 1970-01-01T00:00:00Z or later: stored order keys count from there")
}

// checkTopics wants each topic to be another one: what is published must not come
// back in as input.
func (r *rules) checkTopics(c *Config) {
	taken := map[string]string{}
	for _, t := range []struct{ setting, topic string }{
		{"kafka-topic-scenarios", c.Kafka.TopicScenarios},
		{"kafka-topic-executions", c.Kafka.TopicExecutions},
		{"kafka-topic-commands", c.Kafka.TopicCommands},
		{"kafka-topic-reports", c.Kafka.TopicReports},
		{"kafka-topic-dead-letters", c.Kafka.TopicDeadLetters},
	} {
		other, isTaken := taken[t.topic]
		r.must(!isTaken, t.setting, "must be another topic than "+other)
		taken[t.topic] = t.setting
	}
}

// checkAlone holds a setting against the rules in its tags.
func (r *rules) checkAlone(s Setting) {
	for _, tag := range []string{"min", "max"} {
		if !s.tag.Has(tag) {
			continue
		}
		order := compare(s.target, s.tag.Get(tag))
		r.must(tag != "min" || order >= 0, s.Name, "must be at least "+s.tag.Get(tag))
		r.must(tag != "max" || order <= 0, s.Name, "must be at most "+s.tag.Get(tag))
	}
	if s.tag.Has("nonempty") {
		r.must(s.target.Len() > 0, s.Name, "must not be empty")
	}
	if s.tag.Has("oneof") {
		for _, word := range words(s.target) {
			r.must(slices.Contains(strings.Split(s.tag.Get("oneof"), ","), word), s.Name, "must be one of "+s.tag.Get("oneof"))
		}
	}
	if s.tag.Has("form") {
		form := forms[s.tag.Get("form")]
		r.must(form.matches(s.target.String()), s.Name, form.rule)
	}
}

// compare orders a value and a bound that is written as the value would be.
func compare(value reflect.Value, bound string) int {
	limit := reflect.New(value.Type()).Elem()
	mapper := kong.NewRegistry().RegisterDefaults().ForValue(limit)
	scan := kong.Scan().PushTyped(bound, kong.FlagValueToken)
	if err := mapper.Decode(&kong.DecodeContext{Value: &kong.Value{Tag: &kong.Tag{}}, Scan: scan}, limit); err != nil {
		panic("config: bound " + bound + " in a tag cannot be read: " + err.Error()) // a test checks every tag
	}
	if value.CanFloat() {
		return cmp.Compare(value.Float(), limit.Float())
	}
	return cmp.Compare(value.Int(), limit.Int())
}

func words(value reflect.Value) []string {
	if list, ok := value.Interface().([]string); ok {
		return list
	}
	return []string{value.String()}
}

type form struct {
	matches func(string) bool
	rule    string
}

// forms are the texts that a form tag names.
var forms = map[string]form{
	"identifier": {
		regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`).MatchString,
		"must be a plain PostgreSQL identifier: a-z, 0-9 and _, at most 63 characters",
	},
	"keyprefix": {
		regexp.MustCompile(`^[A-Za-z0-9_.-]+:$`).MatchString,
		"must be letters, digits, _, . or - and end with a colon",
	},
	"topic": {
		regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,248}$`).MatchString,
		"must be a Kafka topic: letters, digits, ., _ and -, at most 249 characters",
	},
	"instance": {
		regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]{0,99})?$`).MatchString,
		"must be letters, digits, ., _ and -, at most 100 characters",
	},
	"listen":          {isListen, "must be host:port or :port"},
	"optional-listen": {func(s string) bool { return s == "" || isListen(s) }, "must be empty, host:port or :port"},
	"otlp":            {isOTLP, "must be empty or a URL: http, https, grpc or grpcs"},
}

func isListen(s string) bool {
	_, port, err := net.SplitHostPort(s)
	return err == nil && isPort(port)
}

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	return err == nil && host != "" && isPort(port)
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && strconv.FormatUint(n, 10) == s
}

func isOTLP(s string) bool {
	if s == "" {
		return true
	}
	u, err := url.Parse(s)
	return err == nil && slices.Contains([]string{"http", "https", "grpc", "grpcs"}, u.Scheme) && u.Host != ""
}

// isPostgresURL accepts an empty host, which means the default socket or one
// that the query names.
func isPostgresURL(u URL) bool {
	parsed, err := url.Parse(u.Reveal())
	return err == nil && slices.Contains([]string{"postgres", "postgresql"}, parsed.Scheme) && parsed.Opaque == ""
}

func isRedisURL(u URL) bool {
	parsed, err := url.Parse(u.Reveal())
	if err != nil {
		return false
	}
	switch parsed.Scheme {
	case "redis", "rediss":
		return parsed.Host != ""
	case "unix":
		return parsed.Path != ""
	default:
		return false
	}
}
