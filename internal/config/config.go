// Package config is the configuration of tcda: one struct, read from flags,
// then the environment, then a YAML file, then defaults, and validated as a
// whole.
//
// The struct's tags are the single source of truth. A field's place gives the
// flag (--postgres-pool-size), the environment variable
// (TEST_COORDINATOR_ADAPTER_POSTGRES_POOL_SIZE) and the key in the file
// (postgres-pool-size, or pool-size under postgres); help and default are the
// tags of that name; min, max, oneof and nonempty are rules. What depends on
// more than one setting is in rules.go.
//
// The package opens no connection and reads no file but those that hold
// settings. It knows nothing of the packages that it configures: the
// composition root hands each of them its part.
package config

import (
	"slices"
	"time"
)

// EnvPrefix begins the name of every environment variable that tcda reads.
const EnvPrefix = "TEST_COORDINATOR_ADAPTER_"

// Config is the whole configuration. Take it from Load, or embed it in a
// command line and give kong what Sources returns; call Validate before use.
type Config struct {
	File string `name:"config" placeholder:"PATH" help:"YAML file with settings."`

	Service    Service    `embed:"" group:"Service"`
	Postgres   Postgres   `embed:"" prefix:"postgres-" group:"PostgreSQL"`
	Redis      Redis      `embed:"" prefix:"redis-" group:"Redis"`
	Kafka      Kafka      `embed:"" prefix:"kafka-" group:"Kafka"`
	Ingest     Ingest     `embed:"" prefix:"ingest-" group:"Ingest"`
	Limits     Limits     `embed:"" prefix:"limits-" group:"Limits on records"`
	Quarantine Quarantine `embed:"" prefix:"quarantine-" group:"Quarantine"`
	Reconcile  Reconcile  `embed:"" prefix:"reconcile-" group:"Reconcile"`
	Liveness   Liveness   `embed:"" prefix:"liveness-" group:"Liveness"`
	Occurrence Occurrence `embed:"" prefix:"occurrence-" group:"Occurrences of schedules"`
	Partitions Partitions `embed:"" prefix:"partitions-" group:"Partitions"`
	Retention  Retention  `embed:"" group:"Retention"`
	Outbox     Outbox     `embed:"" prefix:"outbox-" group:"Outbox"`
	Report     Report     `embed:"" prefix:"report-" group:"Reports"`
	Analytics  Analytics  `embed:"" prefix:"analytics-" group:"Analytics"`
	HTTP       HTTP       `embed:"" prefix:"http-" group:"HTTP"`
	API        API        `embed:"" prefix:"api-" group:"API"`
	Access     Access     `embed:"" prefix:"access-" group:"Access"`
	Log        Log        `embed:"" prefix:"log-" group:"Log"`
	Tracing    Tracing    `embed:"" prefix:"tracing-" group:"Tracing"`

	unread []Problem // values that could not be read; Validate reports them with the rest
}

// Service is what concerns the process as a whole.
type Service struct {
	Instance        string        `form:"instance" help:"Name of this process, unique among those running; the host's name if empty. It owns partitions and signs events under this name."`
	Roles           []string      `default:"ingest,reconcile,maintain,outbox,report,api" oneof:"ingest,reconcile,maintain,outbox,report,api" nonempty:"" help:"What serve does: ingest (Kafka to PostgreSQL and Redis), reconcile (make Redis right again, look after silent runs and orphaned faults), maintain (make partitions ahead, plan schedules, make rollups for analysts, forget old answers and occurrences, remove what the policies of retention say), outbox (publish to Kafka what other programs are to know), report (build the reports of runs that have settled), api (serve scenarios, executions, schedules, locks and reports). Health and metrics are always served."`
	ShutdownTimeout time.Duration `default:"25s" min:"1s" max:"10m" help:"How long a graceful stop may take."`
}

// Roles that serve can play.
const (
	RoleIngest    = "ingest"
	RoleReconcile = "reconcile"
	RoleMaintain  = "maintain"
	RoleOutbox    = "outbox"
	RoleReport    = "report"
	RoleAPI       = "api"
)

// Plays tells whether serve was given the role.
func (s Service) Plays(role string) bool {
	return slices.Contains(s.Roles, role)
}

// Postgres is the store, the only truth.
type Postgres struct {
	URL              URL           `default:"postgres://localhost:5432/trading_ecosystem" help:"postgres://user:password@host:port/database; a driver in the scheme (postgresql+asyncpg://) is dropped."`
	PoolSize         int           `default:"8" min:"2" max:"1000" help:"Most connections at once; api-pool-size has those of the API."`
	ConnectTimeout   time.Duration `default:"5s" min:"100ms" max:"1m" help:"How long opening a connection may take."`
	StatementTimeout time.Duration `default:"15s" min:"100ms" max:"10m" help:"How long one statement may run; below ingest-apply-budget."`
	LockTimeout      time.Duration `default:"5s" min:"10ms" max:"10m" help:"How long a statement waits for a lock."`
	IdleTimeout      time.Duration `default:"10s" min:"100ms" max:"10m" help:"How long a transaction may sit idle before the server ends it, or, in the middle of a COPY, the successor of its frozen process."`
	RevisionsSchema  string        `default:"test_coordination" form:"identifier" help:"Schema of Atlas's table of applied migrations."`
}

// Redis holds live state and hints; nothing in it is needed for correctness.
type Redis struct {
	Enabled        bool          `default:"true" negatable:"" help:"Keep live state in Redis. Without it ingest works and live followers see nothing."`
	URL            URL           `default:"redis://localhost:6379/0" help:"redis://, rediss:// (TLS) or unix:// URL."`
	Cluster        bool          `help:"The URL names a node of a Redis Cluster; further nodes as ?addr=host:port."`
	Prefix         string        `default:"test:" form:"keyprefix" help:"Begins every key."`
	ConnectTimeout time.Duration `default:"500ms" min:"10ms" max:"1m" help:"How long opening a connection may take."`
	Timeout        time.Duration `default:"1s" min:"10ms" max:"1m" help:"How long a call may take, or each 1,000 entries of it."`
	HintTimeout    time.Duration `default:"50ms" min:"1ms" max:"10s" help:"How long a batch waits for idempotency hints before it does without."`
	TerminalTTL    time.Duration `name:"terminal-ttl" default:"24h" min:"1s" max:"8760h" help:"How long the state of an ended execution is kept."`
	IdempotencyTTL time.Duration `name:"idempotency-ttl" default:"24h" min:"1s" max:"8760h" help:"How long an idempotency hint is kept."`
	StreamLength   int64         `default:"1000" min:"1" max:"1000000" help:"Changes kept in the stream of one execution, about."`
}

// Kafka is where events come from, and where other programs are told of them.
type Kafka struct {
	Brokers          []string      `default:"localhost:9092" nonempty:"" help:"Bootstrap brokers as host:port, comma-separated."`
	GroupID          string        `name:"group-id" default:"test-coordinator-adapter" nonempty:"" help:"Consumer group."`
	ClientID         string        `name:"client-id" default:"tcda" nonempty:"" help:"Name shown in the brokers' logs and quotas."`
	TopicScenarios   string        `default:"test-coordination.scenarios" form:"topic" help:"Input topic of templates, definitions, dependencies and schedules."`
	TopicExecutions  string        `default:"test-coordination.executions" form:"topic" help:"Input topic of everything that a run emits."`
	TopicCommands    string        `default:"test-coordination.commands" form:"topic" help:"Output topic of accepted requests, for the coordinator."`
	TopicReports     string        `default:"test-coordination.reports" form:"topic" help:"Output topic of what became of runs."`
	TopicDeadLetters string        `default:"test-coordination.dead-letters" form:"topic" help:"Output topic of copies of quarantined records; see quarantine-dead-letters."`
	CreateTopics     bool          `help:"Make the topics that do not exist, with the brokers' defaults, instead of waiting for them."`
	TLS              bool          `name:"tls" help:"Speak TLS with the brokers."`
	TLSCAFile        string        `name:"tls-ca-file" placeholder:"PATH" help:"PEM certificates to trust; the system's if empty."`
	TLSCertFile      string        `name:"tls-cert-file" placeholder:"PATH" help:"PEM client certificate, for mutual TLS."`
	TLSKeyFile       string        `name:"tls-key-file" placeholder:"PATH" help:"PEM key of the client certificate."`
	SASLMechanism    string        `name:"sasl-mechanism" default:"none" oneof:"none,plain,scram-sha-256,scram-sha-512" help:"How to authenticate: none, plain, scram-sha-256 or scram-sha-512."`
	SASLUser         string        `name:"sasl-user" help:"User to authenticate as."`
	SASLPassword     Secret        `name:"sasl-password" help:"Password of that user."`
	DialTimeout      time.Duration `default:"5s" min:"100ms" max:"1m" help:"How long opening a connection may take."`
	RequestTimeout   time.Duration `default:"10s" min:"100ms" max:"5m" help:"How long one round trip may take, beside the wait of a fetch."`
	FetchMaxWait     time.Duration `default:"250ms" min:"1ms" max:"10s" help:"How long a broker holds a fetch open for new records."`
	FetchBytes       Size          `default:"1MiB" min:"1KiB" max:"50MiB" help:"Bytes of one partition per fetch, before decompression."`
	SessionTimeout   time.Duration `default:"30s" min:"1s" max:"10m" help:"The group gives a silent member's partitions to others after this."`
	Heartbeat        time.Duration `default:"3s" min:"100ms" max:"1m" help:"Between two signs of life; at most a third of the session timeout."`
	RebalanceTimeout time.Duration `default:"30s" min:"1s" max:"10m" help:"How long a rebalance waits for members to rejoin, which they do when the batch in hand is done."`
	CommitInterval   time.Duration `default:"2s" min:"100ms" max:"5m" help:"Between two commits of offsets to Kafka, which are a gauge of lag and nothing more."`
}

// Ingest is the engine that carries records from Kafka into PostgreSQL.
type Ingest struct {
	BatchRecords   int           `default:"3000" min:"1" max:"10000" help:"Most records in one transaction."`
	BatchBytes     Size          `default:"4MiB" min:"64KiB" max:"256MiB" help:"Most bytes of records in one transaction, after decompression."`
	InFlightBytes  Size          `default:"8MiB" min:"1MiB" max:"16GiB" help:"Bytes of records, of all partitions, that are decoded and wait for their transaction; in memory they take some five times as much."`
	Gather         time.Duration `default:"0s" min:"0s" max:"1s" help:"Where a few records at a time come in a steady flow, they gather so long for one transaction: less work, later commits. Nothing waits after one that came alone."`
	ApplyBudget    time.Duration `default:"20s" min:"1s" max:"10m" help:"How long a batch in hand may take to finish after a rebalance or a stop; more than 3s below kafka-session-timeout."`
	Watchdog       time.Duration `default:"1m" min:"1s" max:"1h" help:"A partition without progress for this long, with records waiting, gives itself up and is claimed anew."`
	AllowedSources []string      `help:"CloudEvents sources that are accepted, comma-separated, exact or a prefix that ends in *; all if empty. Others are quarantined (source_not_allowed)."`
}

// Limits bound what a record may hold; beyond them it is quarantined with the
// reason. Two limits of the contract are not settings, because stored keys
// and readers rest on them: the form of ids, and integers within 2^53-1.
type Limits struct {
	RecordBytes      Size          `default:"1MiB" min:"1KiB" max:"64MiB" help:"A record's key and value after decompression (too_large)."`
	JSONDepth        int           `name:"json-depth" default:"32" min:"4" max:"512" help:"Nesting of JSON (depth)."`
	JSONTokens       int           `name:"json-tokens" default:"10000" min:"100" max:"10000000" help:"JSON tokens of a record (token_limit)."`
	BulkJSONTokens   int           `name:"bulk-json-tokens" default:"100000" min:"100" max:"10000000" help:"The same for log_appended and snapshot_captured."`
	Headers          int           `default:"64" min:"16" max:"1000" help:"Headers of a record (header_limit)."`
	HeaderBytes      Size          `default:"64KiB" min:"1KiB" max:"1MiB" help:"All names and values of a record's headers (header_limit)."`
	SourceBytes      Size          `default:"255B" min:"1B" max:"2KiB" help:"The source of an event (too_large)."`
	CorrelationBytes Size          `default:"255B" min:"1B" max:"2KiB" help:"A runid, and a correlationid (too_large)."`
	StringBytes      Size          `default:"64KiB" min:"1KiB" max:"8MiB" help:"Any string that has no limit of its own (too_large)."`
	DefinitionBytes  Size          `default:"512KiB" min:"1KiB" max:"8MiB" help:"The text of a definition (too_large)."`
	NumberChars      int           `default:"32" min:"8" max:"320" help:"Characters of a JSON number (number)."`
	TimeEarliest     time.Time     `default:"2000-01-01T00:00:00Z" help:"Earlier times are refused (time_range); 1970-01-01T00:00:00Z or later."`
	TimeAhead        time.Duration `default:"24h" min:"1s" max:"8760h" help:"A time further ahead is accepted as suspect and ordered by sequence."`
}

// Quarantine is how much the open quarantined records may take of the disk.
// Requeued and discarded ones give their bytes up and are not counted.
type Quarantine struct {
	SoftLimit Size `default:"1GiB" min:"1MiB" max:"1048576GiB" help:"Beyond it, only the first 1 KiB of a record's key, headers and value are kept, its length and its sha256; requeue fetches it from Kafka."`
	HardLimit Size `default:"4GiB" min:"1MiB" max:"1048576GiB" help:"Beyond it, a partition stops at its next bad record until an operator has requeued or discarded some. Nothing is dropped."`

	DeadLetters bool `help:"Publish a copy of each quarantined record, as far as it is kept, to kafka-topic-dead-letters."`
}

// Reconcile is the loop that makes Redis right again.
type Reconcile struct {
	Interval time.Duration `default:"30s" min:"1s" max:"1h" help:"Between two passes over what changed lately and over live executions."`
}

// Liveness is the loop that looks after runs that nobody looks after any more;
// it belongs to the role reconcile.
type Liveness struct {
	Interval time.Duration `default:"15s" min:"100ms" max:"1h" help:"Between two looks for silent runs and orphaned faults."`
	Silence  time.Duration `default:"15m" min:"1s" max:"8760h" help:"A run that has not ended is interrupted after so long without a word, unless its definition has a timeout: that counts instead."`
	Grace    time.Duration `default:"1m" min:"0s" max:"24h" help:"From the end of a run until its faults that were not cleared count as orphaned."`
}

// Occurrence is what is kept of the times that schedules were due.
type Occurrence struct {
	Memory time.Duration `default:"2160h" min:"720h" max:"87600h" help:"How long it is remembered what became of an occurrence of a schedule, after it was completed, missed or skipped. Those of kind once are remembered for ever."`
}

// Partitions is how the tables of a run's children are cut.
type Partitions struct {
	By    string `default:"monthly" oneof:"monthly,daily" help:"Width of a partition: monthly or daily. Every partition costs locks in each generic plan; daily is for many runs a day."`
	Ahead int    `default:"3" min:"1" max:"60" help:"Partitions made in advance."`
}

// Retention is what is kept of runs that have ended, and for how long. Without any of
// these settings everything is kept.
type Retention struct {
	Days          int           `name:"retention-days" default:"0" min:"0" max:"36500" help:"Runs go, with everything of them, so many days after their end; 0: never. Pinned ones, those under a legal hold and those that have not ended stay."`
	LogsDays      int           `name:"logs-retention-days" default:"0" min:"0" max:"36500" help:"Log lines go so many days after the end of their run; 0: with the run."`
	SnapshotsDays int           `name:"snapshots-retention-days" default:"0" min:"0" max:"36500" help:"System snapshots go so many days after the end of their run; 0: with the run."`
	EventsDays    int           `name:"events-retention-days" default:"0" min:"0" max:"36500" help:"The timeline goes so many days after the end of its run, with annotations; 0: with the run."`
	ResultsDays   int           `name:"results-retention-days" default:"0" min:"0" max:"36500" help:"Phases, steps, faults and validations go so many days after the end of their run; 0: with the run."`
	ReportsDays   int           `name:"reports-retention-days" default:"0" min:"0" max:"36500" help:"Test reports go so many days after the end of their run; 0: with the run."`
	AuditDays     int           `name:"audit-retention-days" default:"0" min:"0" max:"36500" help:"Entries of the audit log go after so many days; 0: never."`
	File          string        `name:"retention-file" placeholder:"PATH" help:"YAML file of policies, of which the first that matches decides; the settings in days come after them. tcda config check reads it, tcda retention plan says what would go."`
	Interval      time.Duration `name:"retention-interval" default:"1h" min:"1s" max:"168h" help:"Between two passes of retention; it belongs to the role maintain."`
	Quiet         time.Duration `name:"retention-quiet" default:"24h" min:"1s" max:"8760h" help:"A run is left alone until it has not changed for so long, whatever the policies say."`
}

// Outbox is the loop that publishes to Kafka what other programs are to know.
type Outbox struct {
	Poll         time.Duration `default:"200ms" min:"1ms" max:"1m" help:"Between two looks at an outbox in which nothing waits."`
	SettledAfter time.Duration `default:"1m" min:"1s" max:"24h" help:"How long a run that has ended must have been quiet before it is reported as settled."`
	Retention    time.Duration `default:"168h" min:"1m" max:"87600h" help:"How long published events are kept in the outbox."`
}

// Report is the loop that builds the reports of runs that have settled, in the role
// report. Where no process plays that role, such runs wait in a queue.
type Report struct {
	Workers int `default:"1" min:"1" max:"64" help:"Reports that are built at once, each with two connections of postgres-pool-size at most."`
}

// Analytics is the loop that makes the rollups which analysts read; it belongs to
// the role maintain.
type Analytics struct {
	Interval time.Duration `default:"2s" min:"10ms" max:"1h" help:"Between two looks for runs that have changed since the rollups were made."`
}

// HTTP is the listener of health, metrics and the API.
type HTTP struct {
	Listen          string `default:":8080" form:"listen" help:"Address as host:port; all interfaces if the host is empty. Without access-file the API is served on loopback addresses only, health and metrics on all."`
	TLSCertFile     string `name:"tls-cert-file" placeholder:"PATH" help:"PEM certificate of the server, with its chain: then all is served by TLS, health and metrics too."`
	TLSKeyFile      string `name:"tls-key-file" placeholder:"PATH" help:"PEM key of that certificate."`
	TLSClientCAFile string `name:"tls-client-ca-file" placeholder:"PATH" help:"PEM authorities whose client certificates let callers in that access-file lists by certificate. Nobody needs to have one."`
}

// API is what the service offers over Connect, gRPC and gRPC-Web.
type API struct {
	GRPCListen     string        `name:"grpc-listen" form:"optional-listen" placeholder:"ADDRESS" help:"A further address for the API alone, such as :50051, where others expect gRPC; without TLS it speaks HTTP/2 in cleartext. None if empty: http-listen serves gRPC, too."`
	CleartextHTTP2 bool          `name:"cleartext-http2" help:"Speak HTTP/2 in cleartext on http-listen, which gRPC without TLS needs. Connect and gRPC-Web do not."`
	PoolSize       int           `default:"4" min:"1" max:"1000" help:"Most connections to PostgreSQL at once for calls of the API, beside those of postgres-pool-size: callers wait for each other, and ingest for none of them."`
	Deadline       time.Duration `default:"30s" min:"100ms" max:"10m" help:"How long a call may take that is no stream, whatever its caller wants."`
	RequestBytes   Size          `default:"2MiB" min:"64KiB" max:"64MiB" help:"Most bytes of a request, after decompression."`
	RequestMemory  time.Duration `default:"168h" min:"1h" max:"8760h" help:"How long the answers of requests that wrote something are remembered: a repeat gets the same answer within it, and is refused later."`
}

// Access is who may call the API.
type Access struct {
	File           string        `placeholder:"PATH" help:"YAML file of those who may call the API; tcda access token makes an entry. Without it everybody on this machine may do everything, and others nothing."`
	ReloadInterval time.Duration `default:"5s" min:"100ms" max:"1h" help:"Between two looks at that file and at the certificates of HTTP: so long may go on who was removed."`
}

// Log is where a person looks first.
type Log struct {
	Level  string `default:"info" oneof:"trace,debug,info,warn,error" help:"Least severe level that is written: trace, debug, info, warn or error."`
	Format string `default:"auto" oneof:"auto,json,console" help:"json, console, or auto: console on a terminal, json elsewhere."`
}

// Tracing is OpenTelemetry, off unless an endpoint is given.
type Tracing struct {
	Endpoint string  `form:"otlp" placeholder:"URL" help:"OTLP endpoint: http(s)://host:4318 (HTTP) or grpc(s)://host:4317 (gRPC); off if empty."`
	Ratio    float64 `default:"1" min:"0" max:"1" help:"Share of new traces that is recorded; continued traces follow their parent."`
}
