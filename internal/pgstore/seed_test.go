package pgstore_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"math"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// The values of the seed: every query is called with arguments that find it.
var (
	now    = time.Date(2026, 4, 1, 12, 0, 0, 123456000, time.UTC)
	bucket = time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	key    = []byte("0123456789abcdef0123456789abcdef")
	object = json.RawMessage(`{"a": 1}`)
	number = func(n int32) *int32 { return &n }
	text   = func(s string) *string { return &s }
	yes    = true
	half   = 0.5
	long   = int64(7)
	nan    = math.NaN()

	phases = []dbsqlc.InsertPhasesParams{
		{Bucket: bucket, ExecutionID: "exec-1", Run: 1, Phase: "p", PhaseHash: hashOf("p"), Ordinal: number(1), Description: "d", Status: "passed", StartedAt: &now, FinishedAt: &now, Error: "e", Marks: key},
		{Bucket: bucket, ExecutionID: "exec-1", Run: 1, Phase: "bare", PhaseHash: hashOf("bare"), Status: "pending", Marks: key},
	}
	steps = []dbsqlc.InsertStepsParams{
		{Bucket: bucket, ExecutionID: "exec-1", Run: 1, StepID: "s", Attempt: 1, Kind: "action", Phase: "p", Service: "x", Action: "a", Parameters: object, Status: "passed", StartedAt: &now, FinishedAt: &now, DurationSeconds: &half, Error: "e", Marks: key},
		{Bucket: bucket, ExecutionID: "exec-1", Run: 1, StepID: "bare", Attempt: 1, Kind: "wait", Status: "pending", Marks: key},
	}
	faults = []dbsqlc.InsertFaultsParams{
		{Bucket: bucket, ExecutionID: "exec-1", Run: 1, FaultID: "f", FaultType: "latency", TargetService: "x", Parameters: object, Phase: "p", StepID: "s", BlastRadius: "b", Status: "recovered", RequestedAt: &now, InjectedAt: &now, ClearedAt: &now, RecoveredAt: &now, RecoverySeconds: &half, Error: "e", ClearError: "c", Injection: text("injected"), Marks: key},
		{Bucket: bucket, ExecutionID: "exec-1", Run: 1, FaultID: "bare", Status: "pending", Marks: key},
		{Bucket: bucket, ExecutionID: "exec-3", Run: 1, FaultID: "acts", Status: "injected", Marks: key},
	}
	validations = []dbsqlc.InsertValidationsParams{
		{Bucket: bucket, ExecutionID: "exec-1", Run: 1, ValidationID: "v", OrderKey: key, AssertionType: "alert", Status: "failed", RecordedAt: now, Phase: "p", StepID: "s", FaultID: "f", Service: "x", Expected: "e", Actual: "a", Operator: "<", Threshold: &half, Unit: "s", WithinSeconds: &half, ObservedAfterSeconds: &half, Message: "m", Evidence: object, SteadyState: "before", CorrelationID: "c"},
		{Bucket: bucket, ExecutionID: "exec-1", Run: 1, ValidationID: "bare", OrderKey: key, Status: "passed", RecordedAt: now},
	}
)

func hashOf(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// seeding calls every method that writes, in an order that makes sense: called
// in turn they are the seed.
func seeding() []call {
	return []call{
		{"InsertExecutionIDs", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.InsertExecutionIDs(ctx, now, []string{"exec-1", "exec-3"})
		}, false},
		{"UpdateExecutionIDs", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.UpdateExecutionIDs(ctx, []string{"exec-1", "exec-3"}, []int32{1, 1}, []time.Time{bucket, bucket})
		}, false},
		{"InsertRuns", func(ctx context.Context, q *dbsqlc.Queries) error {
			return wrote(2)(q.InsertRuns(ctx, []dbsqlc.InsertRunsParams{dbsqlc.InsertRunsParams(fullRun()), dbsqlc.InsertRunsParams(bareRun())}))
		}, false},
		{"SaveRun", func(ctx context.Context, q *dbsqlc.Queries) error {
			live := bareRun()
			live.ExecutionID = "exec-3"
			return allOf(q.SaveRun(ctx, []dbsqlc.SaveRunParams{fullRun(), bareRun(), live}).Exec)
		}, false},
		{"SaveProgress", func(ctx context.Context, q *dbsqlc.Queries) error {
			one, many := []int32{1}, []int64{1}
			return q.SaveProgress(ctx, dbsqlc.SaveProgressParams{
				Now: now, Ids: []string{"exec-3"}, Runs: one, Versions: many, LastEvents: []time.Time{now}, LastHeartbeats: []time.Time{{}},
				Progress: []float64{nan}, Messages: []string{"m"}, CurrentPhases: []string{"p"}, Events: many, LogLines: many, Snapshots: one,
				PhasesTotal: one, StepsTotal: one, StepsFailed: one, FaultsTotal: one, FaultsActive: one,
				ValidationsPassed: one, ValidationsFailed: one, ValidationsSkipped: one, ValidationsError: one, Marks: [][]byte{key},
			})
		}, false},
		{"InsertDetails", func(ctx context.Context, q *dbsqlc.Queries) error {
			return wrote(2)(q.InsertDetails(ctx, []dbsqlc.InsertDetailsParams{
				{ExecutionID: "exec-1", Run: 1, Labels: object, Parameters: object, ConfigurationSnapshot: object, SystemState: object, Summary: object},
				{ExecutionID: "exec-2", Run: 1},
			}))
		}, false},
		{"SaveDetails", func(ctx context.Context, q *dbsqlc.Queries) error {
			objects := []json.RawMessage{object, nil}
			return q.SaveDetails(ctx, dbsqlc.SaveDetailsParams{Ids: []string{"exec-1", "exec-2"}, Runs: []int32{1, 1}, Labels: objects, Parameters: objects, ConfigurationSnapshots: objects, SystemStates: objects, Summaries: objects})
		}, false},
		{"ClearSummaries", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.ClearSummaries(ctx, []string{"exec-2"}, []int32{1})
		}, false},
		{"InsertEvents", func(ctx context.Context, q *dbsqlc.Queries) error {
			zero := int32(0)
			return wrote(2)(q.InsertEvents(ctx, []dbsqlc.InsertEventsParams{
				{Bucket: bucket, ExecutionID: "exec-1", Run: 1, EventKey: key, OrderKey: key, Arrival: 1, Type: "a", Source: "s", EventID: "1", EventTime: now, Sequence: &long, Digest: key, DigestVersion: 1, RunGuessed: true, TimeSuspect: true, TraceParent: "tp", CorrelationID: "c", Topic: text("t"), Partition: &zero, KafkaOffset: &long, Data: object, Extensions: object, UnknownFields: object, RecordedAt: now},
				{Bucket: bucket, ExecutionID: "exec-1", Run: 1, EventKey: []byte("own"), OrderKey: key, Arrival: 2, Type: "b", Source: "s", EventID: "2", EventTime: now, Digest: key, DigestVersion: 1, Data: object, RecordedAt: now},
			}))
		}, false},
		{"InsertPhases", func(ctx context.Context, q *dbsqlc.Queries) error {
			return wrote(2)(q.InsertPhases(ctx, phases))
		}, false},
		{"SavePhases", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.SavePhases(ctx, dbsqlc.SavePhasesParams{
				Buckets: []time.Time{bucket, bucket}, Ids: []string{"exec-1", "exec-1"}, Runs: []int32{1, 1}, Phases: []string{"p", "bare"}, PhaseHashes: [][]byte{hashOf("p"), hashOf("bare")}, Ordinals: []int32{1, math.MinInt32}, Descriptions: []string{"d", ""},
				Statuses: []string{"passed", "pending"}, Started: []time.Time{now, {}}, Finished: []time.Time{now, {}}, Errors: []string{"e", ""}, Marks: [][]byte{key, key},
			})
		}, false},
		{"InsertSteps", func(ctx context.Context, q *dbsqlc.Queries) error {
			return wrote(2)(q.InsertSteps(ctx, steps))
		}, false},
		{"SaveSteps", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.SaveSteps(ctx, dbsqlc.SaveStepsParams{
				Buckets: []time.Time{bucket, bucket}, Ids: []string{"exec-1", "exec-1"}, Runs: []int32{1, 1}, StepIds: []string{"s", "bare"}, Attempts: []int32{1, 1},
				Kinds: []string{"action", "wait"}, Phases: []string{"p", ""}, Services: []string{"x", ""}, Actions: []string{"a", ""}, Parameters: []json.RawMessage{object, nil},
				Statuses: []string{"passed", "pending"}, Started: []time.Time{now, {}}, Finished: []time.Time{now, {}}, Durations: []float64{half, nan}, Errors: []string{"e", ""}, Marks: [][]byte{key, key},
			})
		}, false},
		{"InsertFaults", func(ctx context.Context, q *dbsqlc.Queries) error {
			return wrote(3)(q.InsertFaults(ctx, faults))
		}, false},
		{"SaveFaults", func(ctx context.Context, q *dbsqlc.Queries) error {
			two, times := func(s string) []string { return []string{s, ""} }, []time.Time{now, {}}
			return q.SaveFaults(ctx, dbsqlc.SaveFaultsParams{
				Buckets: []time.Time{bucket, bucket}, Ids: []string{"exec-1", "exec-1"}, Runs: []int32{1, 1}, FaultIds: []string{"f", "bare"}, FaultTypes: two("latency"), TargetServices: two("x"),
				Parameters: []json.RawMessage{object, nil}, Phases: two("p"), StepIds: two("s"), BlastRadii: two("b"), Statuses: []string{"recovered", "pending"},
				Requested: times, Injected: times, Cleared: times, Recovered: times, Recoveries: []float64{half, nan}, Errors: two("e"), ClearErrors: two("c"), Injections: two("injected"), Marks: [][]byte{key, key},
			})
		}, false},
		{"InsertValidations", func(ctx context.Context, q *dbsqlc.Queries) error {
			return wrote(2)(q.InsertValidations(ctx, validations))
		}, false},
		{"SaveValidations", func(ctx context.Context, q *dbsqlc.Queries) error {
			two := func(s string) []string { return []string{s, ""} }
			return q.SaveValidations(ctx, dbsqlc.SaveValidationsParams{
				Buckets: []time.Time{bucket, bucket}, Ids: []string{"exec-1", "exec-1"}, Runs: []int32{1, 1}, ValidationIds: []string{"v", "bare"}, OrderKeys: [][]byte{key, key},
				AssertionTypes: two("alert"), Statuses: []string{"failed", "passed"}, Recorded: []time.Time{now, now}, Phases: two("p"), StepIds: two("s"), FaultIds: two("f"), Services: two("x"),
				Expected: two("e"), Actual: two("a"), Operators: two("<"), Thresholds: []float64{half, nan}, Units: two("s"), WithinSeconds: []float64{half, nan}, ObservedAfterSeconds: []float64{half, nan},
				Messages: two("m"), Evidence: []json.RawMessage{object, nil}, SteadyStates: two("before"), CorrelationIds: two("c"),
			})
		}, false},
		{"InsertSnapshots", func(ctx context.Context, q *dbsqlc.Queries) error {
			return wrote(2)(q.InsertSnapshots(ctx, []dbsqlc.InsertSnapshotsParams{
				{Bucket: bucket, ExecutionID: "exec-1", Run: 1, SnapshotID: "n", Arrival: 1, OrderKey: key, Kind: "manual", CapturedAt: now, State: object, Metrics: object},
				{Bucket: bucket, ExecutionID: "orphan", Run: 1, SnapshotID: "bare", Arrival: 2, OrderKey: key, Kind: "manual", CapturedAt: now},
			}))
		}, false},
		{"InsertAnnotations", func(ctx context.Context, q *dbsqlc.Queries) error {
			return wrote(1)(q.InsertAnnotations(ctx, []dbsqlc.InsertAnnotationsParams{{Bucket: bucket, ExecutionID: "exec-1", Run: 1, OrderKey: key, AnnotatedAt: now, Author: "a", Text: "t"}}))
		}, false},
		{"InsertLogs", func(ctx context.Context, q *dbsqlc.Queries) error {
			return wrote(2)(q.InsertLogs(ctx, []dbsqlc.InsertLogsParams{
				{Bucket: bucket, ExecutionID: "exec-1", Run: 1, LoggedAt: now, Arrival: 1, Level: "info", Service: "x", Phase: "p", StepID: "s", Message: "m", Attributes: object},
				{Bucket: bucket, ExecutionID: "exec-1", Run: 1, LoggedAt: now, Arrival: 1, Line: 1},
			}))
		}, false},
		{"Quarantine", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.Quarantine(ctx, dbsqlc.QuarantineParams{
				Topic: "t", Generation: 1, QuarantinedAt: now, Offsets: []int64{1, 2, 3}, Reasons: []string{"json", "crash", "json"}, Fields: []string{"f", "", ""}, Details: []string{"d", "", ""},
				RecordKeys: [][]byte{key, nil, nil}, RecordValues: [][]byte{key, nil, key}, RecordHeaders: []json.RawMessage{json.RawMessage(`[]`), json.RawMessage(`[]`), json.RawMessage(`[]`)}, RecordTimes: []time.Time{now, {}, {}},
				Lengths: []int64{1, 0, 1}, Sums: [][]byte{key, nil, key}, Complete: []bool{true, false, true},
			})
		}, false},
		{"Enqueue", func(ctx context.Context, q *dbsqlc.Queries) error {
			bytes, texts, headers := [][]byte{key, nil, key, key}, []string{"a", "b", "c", "d"}, []json.RawMessage{object, object, object, object}
			return q.Enqueue(ctx, dbsqlc.EnqueueParams{
				Now: now, TopicRoles: []string{"commands", "commands", "commands", "commands"}, EventIds: texts, Types: texts, Subjects: texts, EventTimes: []time.Time{now, now, now, now},
				KeyHashes: [][]byte{hashOf("a"), hashOf("b"), hashOf("c"), hashOf("d")}, RecordKeys: bytes, RecordValues: bytes, RecordHeaders: headers,
			})
		}, false},
		{"EnqueueDeadLetters", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.EnqueueDeadLetters(ctx, dbsqlc.EnqueueDeadLettersParams{Topic: "t", Generation: 1, Offsets: []int64{1, 2}, Now: now})
		}, false},
		{"BeginLoopCursor", func(ctx context.Context, q *dbsqlc.Queries) error { return q.BeginLoopCursor(ctx, "l", now, now) }, false},
		{"InsertDefinitionEvent", func(ctx context.Context, q *dbsqlc.Queries) error {
			zero := int32(0)
			return allOf(q.InsertDefinitionEvent(ctx, []dbsqlc.InsertDefinitionEventParams{
				{EventKey: key, Aggregate: "scenario", Subject: "s", OrderKey: key, Type: "a", Source: "x", EventID: "1", EventTime: now, Sequence: &long, Digest: key, DigestVersion: 1, Topic: text("t"), Partition: &zero, KafkaOffset: &long, Data: object, Extensions: object, UnknownFields: object, RecordedAt: now},
				{EventKey: []byte("own"), Aggregate: "schedule", Subject: "s", OrderKey: key, Type: "a", Source: "x", EventID: "2", EventTime: now, Digest: key, DigestVersion: 1, Data: object, RecordedAt: now},
			}).Exec)
		}, false},
		{"SaveTemplate", func(ctx context.Context, q *dbsqlc.Queries) error {
			return allOf(q.SaveTemplate(ctx, []dbsqlc.SaveTemplateParams{{TemplateID: "t", Versions: 1, CurrentHash: key, PublishedAt: now, CreatedAt: now, Marks: key, ChangedAt: now}}).Exec)
		}, false},
		{"SaveTemplateVersion", func(ctx context.Context, q *dbsqlc.Queries) error {
			return allOf(q.SaveTemplateVersion(ctx, []dbsqlc.SaveTemplateVersionParams{{TemplateID: "t", Number: 1, ContentHash: key, Definition: "d", PublishedAt: now, Marks: key}}).Exec)
		}, false},
		{"SaveScenario", func(ctx context.Context, q *dbsqlc.Queries) error {
			none := []string{}
			return allOf(q.SaveScenario(ctx, []dbsqlc.SaveScenarioParams{
				{ScenarioID: "s", Versions: 1, Status: "active", CurrentHash: key, ServicesUnderTest: []string{"a"}, ExpectedOutcomes: none, Tags: none, TemplateID: "t", TemplateParameters: object, PublishedAt: &now, DependenciesOrder: key, CreatedAt: now, UpdatedAt: now, Marks: key, ChangedAt: now},
				{ScenarioID: "bare", Status: "draft", ServicesUnderTest: none, ExpectedOutcomes: none, Tags: none, CreatedAt: now, UpdatedAt: now, Marks: key, ChangedAt: now},
			}).Exec)
		}, false},
		{"SaveScenarioVersion", func(ctx context.Context, q *dbsqlc.Queries) error {
			return allOf(q.SaveScenarioVersion(ctx, []dbsqlc.SaveScenarioVersionParams{{ScenarioID: "s", Number: 1, ContentHash: key, Definition: "d", PublishedAt: now, Marks: key}}).Exec)
		}, false},
		{"SaveSchedule", func(ctx context.Context, q *dbsqlc.Queries) error {
			return allOf(q.SaveSchedule(ctx, []dbsqlc.SaveScheduleParams{
				{ScheduleID: "n", ScenarioID: "s", Kind: text("cron"), Cron: "* * * * *", RunAt: &now, Enabled: &yes, ConcurrencyPolicy: text("forbid"), StartingDeadlineSeconds: &half, NotBefore: &now, NotAfter: &now, Parameters: object, CreatedAt: now, UpdatedAt: now, Marks: key, ChangedAt: now},
				{ScheduleID: "type", Kind: text("event"), EventType: "type", ScenarioID: "s", CreatedAt: now, UpdatedAt: now, Marks: key, ChangedAt: now},
				{ScheduleID: "bare", Removed: true, CreatedAt: now, UpdatedAt: now, Marks: key, ChangedAt: now},
			}).Exec)
		}, false},
		{"AcquireLock", func(ctx context.Context, q *dbsqlc.Queries) error {
			for _, name := range []string{"held", "released", "broken"} {
				if _, err := q.AcquireLock(ctx, dbsqlc.AcquireLockParams{Name: name, Holder: "me", Purpose: "p", LeaseSeconds: 3600}); err != nil {
					return err
				}
			}
			return nil
		}, false},
		{"ReleaseLock", func(ctx context.Context, q *dbsqlc.Queries) error {
			held, err := q.LockByName(ctx, "released")
			if err == nil {
				_, err = q.ReleaseLock(ctx, held.Name, held.Token)
			}
			return err
		}, false},
		{"BreakLock", func(ctx context.Context, q *dbsqlc.Queries) error {
			held, err := q.LockByName(ctx, "broken")
			if err == nil {
				_, err = q.BreakLock(ctx, dbsqlc.BreakLockParams{EndedBy: "me", EndReason: "r", Name: held.Name, Token: held.Token})
			}
			return err
		}, false},
		{"InsertAudit", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.InsertAudit(ctx, dbsqlc.InsertAuditParams{At: now, Actor: "me", Action: "lock.break", Subject: "broken", Reason: "r", Details: object, RequestID: "q"})
		}, false},
		{"ReplanSchedules", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.ReplanSchedules(ctx, now, []string{"n", "bare"})
		}, false},
		{"InsertOccurrences", func(ctx context.Context, q *dbsqlc.Queries) error {
			four := func(s string) []string { return []string{s, "", "", ""} }
			return q.InsertOccurrences(ctx, dbsqlc.InsertOccurrencesParams{
				Now: now, ScheduleIds: []string{"n", "n", "n", "n"}, OccurrenceIds: []string{"event", "claimed", "completed", "late"}, Kinds: []string{"event", "cron", "cron", "cron"},
				Due: []time.Time{now, now, now, now}, DueUntil: []time.Time{now, {}, {}, {}}, TriggerSources: four("type"), TriggerExecutionIds: four("exec-1"), TriggerRuns: []int32{1, 0, 0, 0},
				TriggerEventKeys: [][]byte{key, nil, nil, nil}, StartBy: []time.Time{now.AddDate(1, 0, 0), {}, {}, now}, Statuses: []string{"due", "due", "due", "due"}, Reasons: four(""),
			})
		}, false},
		{"DeleteDependencies", func(ctx context.Context, q *dbsqlc.Queries) error { return q.DeleteDependencies(ctx, []string{"s"}) }, false},
		{"InsertDependencies", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.InsertDependencies(ctx, dbsqlc.InsertDependenciesParams{
				Ids: []string{"s", "s"}, DependsOn: []string{"a", "b"}, Kinds: []string{"requires_run", "conflicts_with"}, MaxAges: []float64{half, nan},
			})
		}, false},
	}
}

func fullRun() dbsqlc.SaveRunParams {
	return dbsqlc.SaveRunParams{
		ExecutionID: "exec-1", Run: 1, Bucket: bucket, Version: 1, RunID: text("r"), Status: "passed", ReportedOutcome: "passed", Lifecycle: "running", GroupID: "g", Pinned: true,
		Attempt: number(1), DryRun: &yes, RequestedAt: &now, StartedAt: &now, EndedAt: &now, Deadline: &now, LastEventAt: &now, LastHeartbeatAt: &now,
		Progress: &half, ExitCode: number(math.MinInt32), InterruptCause: "superseded", InterruptEvents: &long, InterruptedAt: &now, SupersededBy: number(2),
		EndOrder: key, Marks: key, CreatedAt: now, UpdatedAt: now, SettledChangeAt: &now,
	}
}

func bareRun() dbsqlc.SaveRunParams {
	return dbsqlc.SaveRunParams{
		ExecutionID: "exec-2", Run: 1, Bucket: bucket, Version: 1, Status: "pending", Lifecycle: "pending", Marks: key, CreatedAt: now, UpdatedAt: now,
	}
}
