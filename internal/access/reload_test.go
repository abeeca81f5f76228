package access_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/access"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

func TestAChangedFileHolds(t *testing.T) {
	t.Parallel()
	first, line1 := tokenEntry("ci", access.Reader)
	second, line2 := tokenEntry("ci", access.Reader)
	path := file(t, "access.yaml", line1)
	s := serve(t, access.Config{File: path})
	if _, err := s.by(t, first).call(t, read); err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		content       string
		first, second bool
		current       string // what Current says; empty: nil
	}{
		{line1 + line2, true, true, ""},
		{line2, false, true, ""},
		{line2 + "- {", false, true, "must be YAML"},
		{"", false, true, "must be a list"},
		{line1 + "- {name: ci, role: operator, certificate: c}\n", false, true, "must be reader, as on line 1"},
		{line2, false, true, ""}, // as it was before it was broken
		{strings.Replace(line2, "reader", "operator", 1), false, true, ""},
	}
	for i, step := range steps {
		put(t, path, step.content)
		s.guard.Reload()
		for token, want := range map[string]bool{first: step.first, second: step.second} {
			_, err := s.by(t, token).call(t, read)
			if want && err != nil {
				t.Errorf("step %d: %v", i, err)
			} else if !want {
				refused(t, err, connect.CodeUnauthenticated, access.ReasonUnknown)
			}
		}
		err := s.guard.Current(t.Context())
		if step.current == "" && err != nil || step.current != "" && (err == nil || !strings.Contains(err.Error(), step.current)) {
			t.Errorf("step %d: current is %v, want %q", i, err, step.current)
		}
	}
	if got, err := s.by(t, second).call(t, operate); err != nil || got != "ci is operator" {
		t.Errorf("with the new role: %q, %v", got, err)
	}
}

// A file that is broken, or gone, is told once and then again when it is
// another fault; and that it is mended is told, too.
func TestABrokenFileRaisesAnAlarm(t *testing.T) {
	t.Parallel()
	token, line := tokenEntry("ci", access.Reader)
	path := file(t, "access.yaml", line)
	s := serve(t, access.Config{File: path})
	alarms := func() int { return strings.Count(s.logs.String(), `"level":"error"`) }
	s.guard.Reload() // nothing has changed, and nothing is told
	put(t, path, "- x")
	s.guard.Reload()
	s.guard.Reload()
	if logged := s.logs.String(); alarms() != 1 || !strings.Contains(logged, "what was read before holds on") || !strings.Contains(logged, "access-file "+path) {
		t.Errorf("the log is\n%s", logged)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s.guard.Reload()
	s.guard.Reload()
	if alarms() != 2 {
		t.Errorf("the log is\n%s", s.logs)
	}
	if _, err := s.by(t, token).call(t, read); err != nil {
		t.Errorf("the old file holds no more: %v", err)
	}
	put(t, path, line)
	s.guard.Reload()
	if alarms() != 2 || strings.Count(s.logs.String(), "holds from now on") != 1 || s.guard.Current(t.Context()) != nil {
		t.Errorf("the log is\n%s", s.logs)
	}
}

func TestFilesAreWatched(t *testing.T) {
	t.Parallel()
	token, line := tokenEntry("ci", access.Reader)
	path := file(t, "access.yaml", line)
	s := serve(t, access.Config{File: path, Every: time.Millisecond})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.guard.Watch(ctx) }()
	_, other := tokenEntry("ann", access.Operator)
	put(t, path, other)
	testenv.Eventually(t, "the removed token is refused", func() bool {
		_, err := s.by(t, token).call(t, read)
		return connect.CodeOf(err) == connect.CodeUnauthenticated
	})
	stop()
	<-ended
}

func TestTokensExpire(t *testing.T) {
	t.Parallel()
	now := newClock()
	token, line := tokenEntry("ci", access.Reader, ", expires: "+now.now().Add(time.Hour).Format(time.RFC3339))
	s := serve(t, access.Config{File: file(t, "access.yaml", line), Now: now.now})
	if _, err := s.by(t, token).call(t, read); err != nil {
		t.Fatal(err)
	}
	now.advance(time.Hour)
	_, err := s.by(t, token).call(t, read)
	if text := refused(t, err, connect.CodeUnauthenticated, access.ReasonExpired); !strings.Contains(text, "have a new token made") {
		t.Errorf("the error says %q", text)
	}
}

// A stream ends, with the error of a new call, when its caller is removed,
// expires or loses the role; others go on.
func TestStreamsEndWithTheirCallers(t *testing.T) {
	t.Parallel()
	for protocol, options := range map[string][]connect.ClientOption{"Connect": nil, "gRPC": {connect.WithGRPC()}, "gRPC-Web": {connect.WithGRPCWeb()}} {
		for name, c := range map[string]struct {
			expires bool
			then    func(line string) string
			code    connect.Code
			reason  string
		}{
			"removed":       {false, func(string) string { return "" }, connect.CodeUnauthenticated, access.ReasonUnknown},
			"expired":       {true, func(line string) string { return line }, connect.CodeUnauthenticated, access.ReasonExpired},
			"a lesser role": {false, func(line string) string { return strings.Replace(line, "operator", "reader", 1) }, connect.CodePermissionDenied, access.ReasonRole},
		} {
			now := newClock()
			var more []string
			if c.expires {
				more = []string{", expires: " + now.now().Add(time.Hour).Format(time.RFC3339)}
			}
			token, line := tokenEntry("ann", access.Operator, more...)
			stays, other := tokenEntry("ci", access.Reader)
			path := file(t, "access.yaml", line+other)
			s := serve(t, access.Config{File: path, Now: now.now})
			stream, first := s.by(t, token, options...).watch(t, audit)
			going, _ := s.by(t, stays, options...).watch(t, watch)
			if first != "ann is operator" {
				t.Errorf("%s, %s: the stream says %q", protocol, name, first)
			}
			s.guard.Reload() // which changes nothing
			now.advance(2 * time.Hour)
			put(t, path, c.then(line)+other)
			s.guard.Reload()
			if stream.Receive() {
				t.Errorf("%s, %s: another message", protocol, name)
			}
			refused(t, stream.Err(), c.code, c.reason)
			s.pulse <- struct{}{}
			if !going.Receive() {
				t.Errorf("%s, %s: the other stream ended: %v", protocol, name, going.Err())
			}
		}
	}
}
