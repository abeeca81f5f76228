package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// runName is the argument EXECUTION[/RUN].
type runName struct {
	ID     string
	Number int32 // 0: the latest
}

// UnmarshalText reads the argument; an execution id holds no slash.
func (r *runName) UnmarshalText(text []byte) error {
	id, number, numbered := strings.Cut(string(text), "/")
	r.ID, r.Number = id, 0
	if numbered {
		n, err := strconv.ParseInt(number, 10, 32)
		if err != nil || n < 1 {
			return errors.New("must be EXECUTION or EXECUTION/RUN, such as exec-1/2")
		}
		r.Number = int32(n)
	}
	return nil
}

// runText is a run as it is typed.
func runText(id string, number int32) string {
	if number == 0 {
		return id
	}
	return id + "/" + strconv.Itoa(int(number))
}

// snapshotName is the argument EXECUTION[/RUN]@SNAPSHOT.
type snapshotName struct {
	Run      runName
	Snapshot string
}

// UnmarshalText reads the argument; ids hold no @.
func (s *snapshotName) UnmarshalText(text []byte) error {
	run, snapshot, ok := strings.Cut(string(text), "@")
	if !ok || snapshot == "" || s.Run.UnmarshalText([]byte(run)) != nil {
		return errors.New("must be EXECUTION@SNAPSHOT or EXECUTION/RUN@SNAPSHOT, such as exec-1/2@baseline")
	}
	s.Snapshot = snapshot
	return nil
}

func (s snapshotName) message() *contract.SnapshotName {
	return &contract.SnapshotName{ExecutionId: s.Run.ID, Run: s.Run.Number, SnapshotId: s.Snapshot}
}

// lockProof is the flag --lock=NAME=TOKEN.
type lockProof struct{ token *contract.LockToken }

// UnmarshalText reads the flag; a lock's name holds no =.
func (l *lockProof) UnmarshalText(text []byte) error {
	name, token, ok := strings.Cut(string(text), "=")
	n, err := strconv.ParseInt(token, 10, 64)
	if !ok || name == "" || err != nil {
		return errors.New("must be NAME=TOKEN, as locks acquire printed them")
	}
	l.token = &contract.LockToken{Name: name, Token: n}
	return nil
}

// when is a moment, or how long ago it was.
type when struct{ at time.Time }

// UnmarshalText reads 2026-11-27T01:02:03Z, 2026-11-27 (in UTC) or 2h (ago).
func (w *when) UnmarshalText(text []byte) error {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, string(text)); err == nil {
			w.at = t
			return nil
		}
	}
	ago, err := time.ParseDuration(string(text))
	if err != nil {
		return errors.New("must be a time such as 2026-11-27T01:02:03Z or 2026-11-27, or how long ago, such as 2h")
	}
	w.at = time.Now().Add(-ago)
	return nil
}

func (w when) message() *timestamppb.Timestamp { return timestamp(w.at) }

// timestamp is none for the zero time.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// length is none for 0.
func length(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}

// parameterFlags are in every command that takes parameters.
type parameterFlags struct {
	Set     []string `sep:"none" placeholder:"NAME=VALUE" help:"A parameter as it would be written in a shell; its declared type, where there is one, says how it is read. Once for each."`
	SetJSON []string `name:"set-json" sep:"none" placeholder:"NAME=JSON" help:"A parameter as JSON. Once for each."`
}

// object is the JSON object of all that was set; types are the declared ones, by
// name. Whether it fits is for the template to say.
func (f *parameterFlags) object(types map[string]string) (json.RawMessage, error) {
	values := map[string]json.RawMessage{}
	put := func(flag, setting string, read func(name, value string) (json.RawMessage, error)) error {
		name, value, ok := strings.Cut(setting, "=")
		if !ok || name == "" {
			return fmt.Errorf("--%s=%s: want NAME=VALUE", flag, escaped(setting))
		}
		if _, twice := values[name]; twice {
			return fmt.Errorf("--%s=%s: set twice", flag, escaped(setting))
		}
		v, err := read(name, value)
		if err != nil {
			return fmt.Errorf("--%s=%s: %w", flag, escaped(setting), err)
		}
		values[name] = v
		return nil
	}
	for _, setting := range f.Set {
		if err := put("set", setting, func(name, value string) (json.RawMessage, error) {
			return typedJSON(types[name], value), nil
		}); err != nil {
			return nil, &exitError{exitUsage, err}
		}
	}
	for _, setting := range f.SetJSON {
		if err := put("set-json", setting, func(_, value string) (json.RawMessage, error) {
			if !json.Valid([]byte(value)) {
				return nil, errors.New("not JSON")
			}
			return json.RawMessage(value), nil
		}); err != nil {
			return nil, &exitError{exitUsage, err}
		}
	}
	object, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("write the parameters as JSON: %w", err)
	}
	return object, nil
}

// message is all that was set; none when nothing was.
func (f *parameterFlags) message(types map[string]string) (*structpb.Struct, error) {
	if len(f.Set)+len(f.SetJSON) == 0 {
		return nil, nil //nolint:nilnil // none is one of the answers
	}
	object, err := f.object(types)
	if err != nil {
		return nil, err
	}
	m := &structpb.Struct{}
	if err := protojson.Unmarshal(object, m); err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("parameters: %w", err)}
	}
	return m, nil
}
