package service

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/access"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/api"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/ingest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/liveness"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/outbox"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/reporting"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/rollup"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

// Instance is the name of this process: the configured one, or the host's.
func Instance(cfg *config.Config) (string, error) {
	if cfg.Service.Instance != "" {
		return cfg.Service.Instance, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("name this instance after its host (set instance instead): %w", err)
	}
	return host, nil
}

// Postgres is what the configuration says to the store.
func Postgres(cfg *config.Config) pgstore.Config {
	c := cfg.Postgres
	return pgstore.Config{
		URL:              c.URL.Reveal(),
		MaxConns:         int32(c.PoolSize), //nolint:gosec // at most 1,000
		ConnectTimeout:   c.ConnectTimeout,
		StatementTimeout: c.StatementTimeout,
		LockTimeout:      c.LockTimeout,
		IdleTimeout:      c.IdleTimeout,
		ApplicationName:  "tcda",
		Quarantine: pgstore.QuarantineLimits{
			Soft: int64(cfg.Quarantine.SoftLimit),
			Hard: int64(cfg.Quarantine.HardLimit),
		},
		DeadLetters: cfg.Quarantine.DeadLetters,
	}
}

// PostgresOfAPI is the same for the connections of the API.
func PostgresOfAPI(cfg *config.Config) pgstore.Config {
	c := Postgres(cfg)
	c.MaxConns = int32(cfg.API.PoolSize) //nolint:gosec // at most 1,000
	return c
}

// Migrations is what the configuration says to the migrations.
func Migrations(cfg *config.Config) pgmigrate.Options {
	return pgmigrate.Options{
		RevisionsSchema: cfg.Postgres.RevisionsSchema,
		Operator:        "tcda " + telemetry.ThisBuild().Version,
	}
}

// Redis is what the configuration says to the live store.
func Redis(cfg *config.Config) redisstore.Config {
	c := cfg.Redis
	return redisstore.Config{
		URL:          c.URL.Reveal(),
		Cluster:      c.Cluster,
		Prefix:       c.Prefix,
		TerminalTTL:  c.TerminalTTL,
		HintTTL:      c.IdempotencyTTL,
		StreamMaxLen: c.StreamLength,
		Budget:       c.Timeout,
		HintBudget:   c.HintTimeout,
		DialTimeout:  c.ConnectTimeout,
	}
}

// Kafka is what the configuration says to the client that reads. It reads the
// files that certificates are in.
func Kafka(cfg *config.Config) (kafkalog.Config, error) {
	c := cfg.Kafka
	secured, err := kafkaTLS(c)
	if err != nil {
		return kafkalog.Config{}, err
	}
	return kafkalog.Config{
		Brokers:        c.Brokers,
		ClientID:       c.ClientID,
		TLS:            secured,
		SASL:           kafkaSASL(c),
		Topics:         inputTopics(cfg),
		Written:        []string{cfg.Kafka.TopicCommands, cfg.Kafka.TopicReports, cfg.Kafka.TopicDeadLetters},
		DialTimeout:    c.DialTimeout,
		RequestTimeout: c.RequestTimeout,
	}, nil
}

func inputTopics(cfg *config.Config) []string {
	return []string{cfg.Kafka.TopicScenarios, cfg.Kafka.TopicExecutions}
}

// outputTopics are the names of the topics that are written, and how those that do
// not exist are made: with the brokers' defaults, but a dead letter is larger than
// its record, which may be as large as the limit.
func outputTopics(cfg *config.Config) map[pgstore.OutboxTopic]kafkalog.TopicSpec {
	const besides = 64 << 10 // headers of our own, and what a batch takes
	largest := int(cfg.Limits.RecordBytes) + int(cfg.Limits.HeaderBytes) + besides
	return map[pgstore.OutboxTopic]kafkalog.TopicSpec{
		pgstore.OutboxCommands: {Name: cfg.Kafka.TopicCommands},
		pgstore.OutboxReports:  {Name: cfg.Kafka.TopicReports},
		pgstore.OutboxDeadLetters: {
			Name: cfg.Kafka.TopicDeadLetters, Settings: map[string]string{"max.message.bytes": strconv.Itoa(largest)},
		},
	}
}

// Outbox is what the configuration says to the publisher of an instance.
func Outbox(cfg *config.Config, instance string) outbox.Config {
	return outbox.Config{
		Instance:     instance,
		Connector:    cfg.Kafka.GroupID,
		DeadLetters:  cfg.Quarantine.DeadLetters,
		Topics:       outputTopics(cfg),
		CreateTopics: cfg.Kafka.CreateTopics,
		Poll:         cfg.Outbox.Poll,
		// The session waits in its transaction meanwhile.
		ProduceTimeout: min(cfg.Kafka.RequestTimeout, cfg.Postgres.IdleTimeout/2),
		SettledAfter:   cfg.Outbox.SettledAfter,
		Retention:      cfg.Outbox.Retention,
	}
}

// Report is what the configuration says to the loop that builds reports.
func Report(cfg *config.Config) reporting.Config {
	return reporting.Config{Workers: cfg.Report.Workers}
}

func kafkaTLS(c config.Kafka) (*tls.Config, error) {
	if !c.TLS {
		return nil, nil //nolint:nilnil // no TLS
	}
	secured := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLSCAFile != "" {
		certificates, err := os.ReadFile(c.TLSCAFile)
		if err != nil {
			return nil, fmt.Errorf("read kafka-tls-ca-file: %w", err)
		}
		secured.RootCAs = x509.NewCertPool()
		if !secured.RootCAs.AppendCertsFromPEM(certificates) {
			return nil, errors.New("kafka-tls-ca-file holds no PEM certificate")
		}
	}
	if c.TLSCertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.TLSCertFile, c.TLSKeyFile)
		if err != nil {
			return nil, fmt.Errorf("read kafka-tls-cert-file and kafka-tls-key-file: %w", err)
		}
		secured.Certificates = []tls.Certificate{pair}
	}
	return secured, nil
}

// mechanisms are the names in the configuration.
var mechanisms = map[string]kafkalog.Mechanism{
	"plain":         kafkalog.Plain,
	"scram-sha-256": kafkalog.ScramSHA256,
	"scram-sha-512": kafkalog.ScramSHA512,
}

func kafkaSASL(c config.Kafka) *kafkalog.SASL {
	mechanism, ok := mechanisms[c.SASLMechanism]
	if !ok { // none
		return nil
	}
	return &kafkalog.SASL{Mechanism: mechanism, User: c.SASLUser, Password: c.SASLPassword.Reveal()}
}

// Access is what the configuration says to the guard of the API.
func Access(cfg *config.Config) access.Config {
	return access.Config{
		File:         cfg.Access.File,
		CertFile:     cfg.HTTP.TLSCertFile,
		KeyFile:      cfg.HTTP.TLSKeyFile,
		ClientCAFile: cfg.HTTP.TLSClientCAFile,
		Every:        cfg.Access.ReloadInterval,
	}
}

// API is what the configuration says to the API.
func API(cfg *config.Config) api.Parts {
	return api.Parts{Limits: DefinitionLimits(cfg), Deadline: cfg.API.Deadline, RequestBytes: int(cfg.API.RequestBytes)}
}

// Liveness is what the configuration says to the loop that looks after runs.
func Liveness(cfg *config.Config) liveness.Config {
	return liveness.Config{Every: cfg.Liveness.Interval, Silence: cfg.Liveness.Silence, Grace: cfg.Liveness.Grace}
}

// Rollups is what the configuration says to the roller.
func Rollups(cfg *config.Config) rollup.Config {
	return rollup.Config{Every: cfg.Analytics.Interval}
}

// EventLimits is what the configuration says to the decoder.
func EventLimits(cfg *config.Config) event.Limits {
	c, limits := cfg.Limits, event.DefaultLimits()
	limits.Record = int(c.RecordBytes)
	limits.Headers = c.Headers
	limits.HeaderBytes = int(c.HeaderBytes)
	limits.Depth = c.JSONDepth
	limits.Tokens = c.JSONTokens
	limits.BulkTokens = c.BulkJSONTokens
	limits.String = int(c.StringBytes)
	limits.Definition = int(c.DefinitionBytes)
	limits.Source = int(c.SourceBytes)
	limits.Correlation = int(c.CorrelationBytes)
	limits.Number = c.NumberChars
	limits.Earliest = c.TimeEarliest
	limits.AcceptedFuture = c.TimeAhead
	limits.AllowedSources = cfg.Ingest.AllowedSources
	return limits
}

// DefinitionLimits is what the configuration says about definitions.
func DefinitionLimits(cfg *config.Config) scenario.Limits {
	limits := scenario.DefaultLimits()
	limits.DefinitionBytes = int(cfg.Limits.DefinitionBytes)
	return limits
}

// grains are the words of the configuration for the widths of partitions.
var grains = map[string]string{"monthly": "month", "daily": "day"}

// Ingest is what the configuration says to the engine of an instance.
func Ingest(cfg *config.Config, instance string) ingest.Config {
	return ingest.Config{
		Instance: instance,
		Read: kafkalog.ReadConfig{
			MaxWait:      cfg.Kafka.FetchMaxWait,
			FetchBytes:   int32(cfg.Kafka.FetchBytes), //nolint:gosec // at most 50 MiB
			BatchRecords: cfg.Ingest.BatchRecords,
			BatchBytes:   int(cfg.Ingest.BatchBytes),
			RecordBytes:  int(cfg.Limits.RecordBytes),
		},
		Group: kafkalog.GroupConfig{
			ID:                cfg.Kafka.GroupID,
			Topics:            inputTopics(cfg),
			SessionTimeout:    cfg.Kafka.SessionTimeout,
			HeartbeatInterval: cfg.Kafka.Heartbeat,
			RebalanceTimeout:  cfg.Kafka.RebalanceTimeout,
		},
		Limits:          DefinitionLimits(cfg),
		InFlight:        int64(cfg.Ingest.InFlightBytes),
		Gather:          cfg.Ingest.Gather,
		ApplyBudget:     cfg.Ingest.ApplyBudget,
		ReleaseBudget:   config.ReleaseBudget,
		StallLimit:      cfg.Ingest.Watchdog,
		OffsetInterval:  cfg.Kafka.CommitInterval,
		ReconcileEvery:  cfg.Reconcile.Interval,
		SettledHorizon:  cfg.Redis.TerminalTTL,
		PartitionGrain:  grains[cfg.Partitions.By],
		PartitionsAhead: cfg.Partitions.Ahead,
	}
}
