package scenario_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

func TestAdmit(t *testing.T) {
	t.Parallel()
	early, noon, late := at(t, "2026-05-01T11:00:00Z"), at(t, "2026-05-01T12:00:00Z"), at(t, "2026-05-01T13:00:00Z")
	claimed := func(due time.Time) scenario.Rival { return scenario.Rival{ID: "at:1", DueAt: due} }
	running := func(due time.Time, id string) scenario.Rival {
		return scenario.Rival{ID: "at:1", DueAt: due, State: scenario.RivalRunning, Run: scenario.RunRef{ExecutionID: id, Run: 2}}
	}
	unheard := func(due time.Time) scenario.Rival {
		return scenario.Rival{ID: "at:1", DueAt: due, Run: scenario.RunRef{ExecutionID: "x"}}
	}
	due := func(when time.Time) scenario.Rival {
		return scenario.Rival{ID: "at:1", DueAt: when, State: scenario.RivalDue}
	}
	granted := scenario.Admission{Granted: true}
	for name, c := range map[string]struct {
		policy scenario.ConcurrencyPolicy
		rivals []scenario.Rival
		want   scenario.Admission
	}{
		"not said":                  {"", []scenario.Rival{running(early, "x")}, granted},
		"allow":                     {scenario.ConcurrencyAllow, []scenario.Rival{running(early, "x"), claimed(early)}, granted},
		"forbid, alone":             {scenario.ConcurrencyForbid, nil, granted},
		"forbid, one runs":          {scenario.ConcurrencyForbid, []scenario.Rival{running(early, "x")}, scenario.Admission{Skipped: scenario.ReasonRunning, Detail: "at:1 runs as x/2"}},
		"forbid, one is claimed":    {scenario.ConcurrencyForbid, []scenario.Rival{claimed(late)}, scenario.Admission{Skipped: scenario.ReasonRunning, Detail: "at:1 is claimed"}},
		"replace, alone":            {scenario.ConcurrencyReplace, nil, granted},
		"replace, two run":          {scenario.ConcurrencyReplace, []scenario.Rival{running(early, "x"), running(noon, "y")}, scenario.Admission{Granted: true, Cancel: []scenario.RunRef{{"x", 2}, {"y", 2}}}},
		"replace, one is starting":  {scenario.ConcurrencyReplace, []scenario.Rival{running(early, "x"), claimed(early)}, scenario.Admission{Wait: true}},
		"forbid, one is unheard":    {scenario.ConcurrencyForbid, []scenario.Rival{unheard(early)}, scenario.Admission{Skipped: scenario.ReasonRunning, Detail: "at:1 is starting as x"}},
		"replace, one runs twice":   {scenario.ConcurrencyReplace, []scenario.Rival{running(early, "x"), running(noon, "x")}, scenario.Admission{Granted: true, Cancel: []scenario.RunRef{{"x", 2}}}},
		"replace, one is unheard":   {scenario.ConcurrencyReplace, []scenario.Rival{unheard(early), running(noon, "x")}, scenario.Admission{Wait: true}},
		"replace, a later is due":   {scenario.ConcurrencyReplace, []scenario.Rival{running(early, "x"), due(late)}, scenario.Admission{Skipped: scenario.ReasonReplaced, Detail: "at:1 is due"}},
		"replace, others are due":   {scenario.ConcurrencyReplace, []scenario.Rival{due(early), due(noon)}, granted},
		"replace, a later one runs": {scenario.ConcurrencyReplace, []scenario.Rival{claimed(early), running(late, "x")}, scenario.Admission{Skipped: scenario.ReasonReplaced, Detail: "at:1 runs as x/2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scenario.Schedule{ConcurrencyPolicy: c.policy}
			if diff := cmp.Diff(c.want, s.Admit(&scenario.Occurrence{ID: "at:2", DueAt: noon}, c.rivals)); diff != "" {
				t.Errorf("admission (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("replace, claimed before", func(t *testing.T) {
		t.Parallel()
		s := scenario.Schedule{ConcurrencyPolicy: scenario.ConcurrencyReplace}
		o := scenario.Occurrence{ID: "at:2", DueAt: noon, Status: scenario.OccurrenceClaimed}
		if diff := cmp.Diff(granted, s.Admit(&o, []scenario.Rival{due(late)})); diff != "" {
			t.Errorf("admission (-want +got):\n%s", diff)
		}
	})
}
