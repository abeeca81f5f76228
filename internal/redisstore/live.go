package redisstore

import (
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// textLimit is the longest text kept in Redis, in bytes. An event's message
// may have 64 KiB, and a stream holds a thousand states.
const textLimit = 1024

// AsKept is live as State gives it back: times in UTC, texts cut to 1 KiB.
func AsKept(live execution.Live) execution.Live {
	for _, text := range []*string{
		&live.RunID, &live.ScenarioID, &live.Environment, &live.Coordinator, &live.Message, &live.CurrentPhase,
	} {
		*text = cut(*text)
	}
	for _, t := range []*time.Time{
		&live.RequestedAt, &live.StartedAt, &live.EndedAt, &live.LastEventAt, &live.Deadline,
	} {
		*t = t.UTC()
	}
	return live
}

// cut shortens a text to textLimit without splitting a character.
func cut(text string) string {
	if len(text) <= textLimit {
		return text
	}
	end := textLimit
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// encode writes a state as fields and values, the version first. Every state
// names every field, empty where there is no value: so one HSET replaces a
// state as a whole, and a stream stores the names only once. Run and row version
// are part of the version; run is repeated for people who look.
func encode(version Version, live execution.Live) []string {
	live = AsKept(live)
	return []string{
		"version", string(version),
		"run", strconv.Itoa(int(live.Run)),
		"run_id", live.RunID,
		"status", string(live.Status),
		"scenario_id", live.ScenarioID,
		"environment", live.Environment,
		"coordinator_id", live.Coordinator,
		"progress", encodeFloat(live.Progress),
		"message", live.Message,
		"current_phase", live.CurrentPhase,
		"requested_at", encodeTime(live.RequestedAt),
		"started_at", encodeTime(live.StartedAt),
		"ended_at", encodeTime(live.EndedAt),
		"last_event_at", encodeTime(live.LastEventAt),
		"deadline", encodeTime(live.Deadline),
		"events", strconv.FormatInt(live.Events, 10),
		"log_lines", strconv.FormatInt(live.LogLines, 10),
		"validations_passed", strconv.Itoa(int(live.ValidationsPassed)),
		"validations_failed", strconv.Itoa(int(live.ValidationsFailed)),
		"faults_active", strconv.Itoa(int(live.FaultsActive)),
	}
}

func encodeFloat(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'g', -1, 64)
}

func encodeTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// decode reads what encode wrote. A state that another program wrote, or
// that is half gone, is an error: the caller asks PostgreSQL.
func decode(id execution.ID, fields map[string]string) (execution.Live, Version, error) {
	version := Version(fields["version"])
	_, run, row, ok := version.Parts()
	if !ok {
		return execution.Live{}, "", fmt.Errorf("decode state: version %.64q", fields["version"])
	}
	d := decoder{fields: fields}
	live := execution.Live{
		ExecutionID:       id,
		Run:               run,
		RunID:             fields["run_id"],
		Version:           row,
		Status:            execution.Status(fields["status"]),
		ScenarioID:        fields["scenario_id"],
		Environment:       fields["environment"],
		Coordinator:       fields["coordinator_id"],
		Progress:          d.float("progress"),
		Message:           fields["message"],
		CurrentPhase:      fields["current_phase"],
		RequestedAt:       d.time("requested_at"),
		StartedAt:         d.time("started_at"),
		EndedAt:           d.time("ended_at"),
		LastEventAt:       d.time("last_event_at"),
		Deadline:          d.time("deadline"),
		Events:            d.int("events", 64),
		LogLines:          d.int("log_lines", 64),
		ValidationsPassed: int32(d.int("validations_passed", 32)),
		ValidationsFailed: int32(d.int("validations_failed", 32)),
		FaultsActive:      int32(d.int("faults_active", 32)),
	}
	if err := errors.Join(d.failed...); err != nil {
		return execution.Live{}, "", fmt.Errorf("decode state: %w", err)
	}
	return live, version, nil
}

type decoder struct {
	fields map[string]string
	failed []error
}

func (d *decoder) fail(field string, err error) {
	d.failed = append(d.failed, fmt.Errorf("field %s: %w", field, err))
}

func (d *decoder) int(field string, bits int) int64 {
	n, err := strconv.ParseInt(d.fields[field], 10, bits)
	if err != nil {
		d.fail(field, err)
	}
	return n
}

func (d *decoder) float(field string) *float64 {
	if d.fields[field] == "" {
		return nil
	}
	f, err := strconv.ParseFloat(d.fields[field], 64)
	if err != nil {
		d.fail(field, err)
		return nil
	}
	return &f
}

func (d *decoder) time(field string) time.Time {
	if d.fields[field] == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, d.fields[field])
	if err != nil {
		d.fail(field, err)
	}
	return t
}
