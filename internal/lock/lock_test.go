package lock_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/lock"
)

func TestATokenIsJudgedByTheTenureThatIs(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	tenure := lock.Lock{Name: "exec-1", Holder: "coord-2", Token: 7, ExpiresAt: at, EndedBy: "op", EndReason: "stuck"}
	for _, c := range []struct {
		state lock.State
		token lock.Token
		want  string // the error; empty: none
		cause lock.Cause
	}{
		{lock.Held, 7, "", ""},
		{lock.Held, 6, "lock exec-1 with token 6 is lost: taken by coord-2 with token 7", lock.ByTaking},
		{lock.Released, 6, "lock exec-1 with token 6 is lost: taken by coord-2 with token 7", lock.ByTaking},
		{lock.Released, 7, "lock exec-1 with token 7 is lost: released", lock.ByRelease},
		{lock.Expired, 7, "lock exec-1 with token 7 is lost: expired at 2026-04-01T12:00:00Z", lock.ByExpiry},
		{lock.Broken, 7, "lock exec-1 with token 7 is lost: broken by op: stuck", lock.ByOperator},
		{lock.Held, 8, "lock exec-1 is not held with token 8: its last token is 7", ""},
		{lock.Held, 0, "lock exec-1 is not held with token 0: its last token is 7", ""},
		{lock.Held, -1, "lock exec-1 is not held with token -1: its last token is 7", ""},
	} {
		tenure.State = c.state
		err := tenure.Check(c.token)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s, token %d: %v", c.state, c.token, err)
			}
			continue
		}
		if err == nil || err.Error() != c.want {
			t.Errorf("%s, token %d: %v; want %s", c.state, c.token, err, c.want)
		}
		if lost := (*lock.LostError)(nil); errors.As(err, &lost) != (c.cause != "") || lost != nil && (lost.Cause != c.cause || !cmp.Equal(lost.Current, tenure)) {
			t.Errorf("%s, token %d: %#v", c.state, c.token, err)
		}
	}
}

func TestWhatMayBeAskedFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   lock.Name
		holder lock.Holder
		lease  time.Duration
		text   string
		field  string // of the rule that is broken; empty: none
	}{
		{"exec-1", "coord:1", time.Second, "", ""},
		{lock.Name("A" + strings.Repeat("._:-", 49) + "xyz"), "9", 24 * time.Hour, strings.Repeat("é", 2048), ""},
		{"", "c", time.Second, "", "name"},
		{"-e", "c", time.Second, "", "name"},
		{"e e", "c", time.Second, "", "name"},
		{"e{1}", "c", time.Second, "", "name"},
		{"é", "c", time.Second, "", "name"},
		{lock.Name(strings.Repeat("e", 201)), "c", time.Second, "", "name"},
		{"e", "", time.Second, "", "holder"},
		{"e", "c/1", time.Second, "", "holder"},
		{"e", "c", time.Second - 1, "", "lease"},
		{"e", "c", 24*time.Hour + 1, "", "lease"},
		{"e", "c", -time.Second, "", "lease"},
		{"e", "c", time.Second, strings.Repeat("x", 4097), "purpose"},
		{"e", "c", time.Second, "a\x00", "purpose"},
		{"e", "c", time.Second, "\xff", "purpose"},
	} {
		wantField(t, lock.Ask{Name: c.name, Holder: c.holder, Lease: c.lease, Purpose: c.text}.Check(), c.field)
	}
	for _, c := range []struct {
		b     lock.Break
		field string
	}{
		{lock.Break{Name: "e", Token: 1, By: "op", Reason: "stuck"}, ""},
		{lock.Break{Name: "/", Token: 1, By: "op", Reason: "stuck"}, "name"},
		{lock.Break{Name: "e", Token: 1, Reason: "stuck"}, "by"},
		{lock.Break{Name: "e", Token: 1, By: "\x00", Reason: "stuck"}, "by"},
		{lock.Break{Name: "e", Token: 1, By: "op"}, "reason"},
		{lock.Break{Name: "e", Token: 1, By: "op", Reason: "\x00"}, "reason"},
	} {
		wantField(t, c.b.Check(), c.field)
	}
}

func wantField(t *testing.T, err error, field string) {
	t.Helper()
	invalid := (*lock.InvalidError)(nil)
	switch {
	case field == "" && err != nil:
		t.Errorf("refused: %v", err)
	case field != "" && (!errors.As(err, &invalid) || invalid.Field != field || invalid.Rule == ""):
		t.Errorf("%v; want a rule of %s", err, field)
	}
}
