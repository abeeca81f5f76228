package main

import (
	"strings"
	"testing"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario/examples"
)

func TestScenariosOverTheAPI(t *testing.T) {
	t.Parallel()
	c, _ := calls(t)
	file := inFile(t, "market.yaml", examples.MarketDisruption)
	publish := []string{"scenarios", "publish", file, "--tag=nightly", "--author=ada", "--request-id=r-1"}
	c.shows([]string{"scenario market is at version 1 (new), sha256 "}, publish...)
	c.shows([]string{"scenario market is at version 1 (new), sha256 "}, publish...) // a repeat
	c.fails(exitFailed, []string{"request_id"}, append(publish, "--note=other")...)
	c.tcda(0, "scenarios", "publish", inFile(t, "x.yaml", strings.Replace(examples.MarketDisruption, "Market disruption", "Other name", 1)), "--id=market")
	c.shows([]string{"SCENARIO", "market", "active"}, "scenarios", "list")
	c.shows([]string{"VERSION", "ada"}, "scenarios", "versions", "market")
	c.shows([]string{"version 1 to 2", "metadata.name", "changed"}, "scenarios", "diff", "market")
	c.tcda(1, "scenarios", "diff", "market", "--exit-code")
	if stdout, _ := c.tcda(0, "scenarios", "show", "market", "--version=1", "--definition"); stdout != examples.MarketDisruption {
		t.Errorf("the definition came back otherwise:\n%s", stdout)
	}
	c.shows([]string{"scenario market is active"}, "scenarios", "status", "market", "active")

	c.tcda(0, "scenarios", "publish", file, "--id=warm-up")
	c.tcda(0, "scenarios", "status", "warm-up", "active")
	c.shows([]string{"dependencies of scenario market: 1"}, "scenarios", "depend", "market", "requires_success=warm-up,24h")
	c.shows([]string{"requires_success=warm-up,24h0m0s", "self", "required"}, "scenarios", "graph", "market")
	if got := answer[contract.CheckReadinessResponse](c, 1, "scenarios", "ready", "market"); got.GetReady() {
		t.Errorf("ready: %v", got)
	}
	c.tcda(0, "scenarios", "ready", "warm-up")
	c.fails(exitFailed, []string{"warm-up"}, "executions", "request", "exec-1", "market")

	c.fails(exitUnknown, []string{"scenario none is not known"}, "scenarios", "show", "none")
	c.fails(exitUsage, []string{"scenario_id"}, "scenarios", "show", "x y")
	c.fails(exitUsage, []string{"--id is needed"}, "scenarios", "publish", "-")
	c.fails(exitFailed, []string{"not valid UTF-8"}, "scenarios", "publish", inFile(t, "bad.yaml", "\xff"))
	c.fails(exitFailed, []string{"no such file"}, "scenarios", "publish", "/nonexistent")
}

func TestTemplatesOverTheAPI(t *testing.T) {
	t.Parallel()
	c, _ := calls(t)
	c.shows([]string{"template exchange is at version 1 (new)"}, "templates", "publish", inFile(t, "exchange.yaml", examples.ExchangeDisruption))
	c.shows([]string{"exchange"}, "templates", "list")
	c.shows([]string{"PARAMETER", "error_percent", "int"}, "templates", "show", "exchange")
	set := []string{"templates", "instantiate", "exchange", "outage", "--set=exchange=12", "--set=duration=1h", "--set=error_percent=7"}
	if dry, _ := c.tcda(0, append(set, "--dry-run")...); !strings.Contains(dry, "kind: Scenario") {
		t.Errorf("a dry run:\n%s", dry)
	}
	c.fails(exitUnknown, []string{"outage"}, "scenarios", "show", "outage")
	c.shows([]string{"scenario outage is at version 1 (new)", "of template exchange, version 1"}, set...)
	c.shows([]string{"made from template", "exchange"}, "scenarios", "show", "outage")
	c.fails(exitUsage, []string{"--set=mode: want NAME=VALUE"}, append(set, "--set=mode")...)
}

func TestExecutionsOverTheAPI(t *testing.T) {
	t.Parallel()
	c, _ := calls(t)
	c.tcda(0, "scenarios", "publish", inFile(t, "slow.yaml", examples.MarketDisruption))
	c.tcda(0, "scenarios", "status", "slow", "active")
	c.shows([]string{"run exec-1/1 is pending: scenario slow"}, "executions", "request", "exec-1", "slow", "--environment=staging", "--set=a=b", "--label=team=risk", "--request-id=r")
	c.tcda(0, "executions", "request", "exec-1", "slow", "--environment=staging", "--set=a=b", "--label=team=risk", "--request-id=r")
	c.shows([]string{"noted on run exec-1/1"}, "executions", "annotate", "exec-1", "looked at")
	c.shows([]string{"run exec-1/1 is kept from being pruned"}, "executions", "pin", "exec-1/1")
	c.shows([]string{"run exec-1/1 may be pruned"}, "executions", "unpin", "exec-1")
	c.shows([]string{"asked to end run exec-1/1"}, "executions", "cancel", "exec-1", "--reason=enough")
	c.fails(exitUnknown, []string{"exec-2"}, "executions", "cancel", "exec-2")
	if _, stderr := c.tcda(exitUsage, "executions", "cancel", "exec-1/0"); !strings.Contains(stderr, "such as exec-1/2") {
		t.Errorf("run 0: %s", stderr)
	}

	c.shows([]string{"new runs are refused: release day"}, "ops", "kill-switch", "engage", "--reason=release day")
	c.fails(exitFailed, []string{"release day"}, "executions", "request", "exec-3", "slow")
	c.shows([]string{"new runs are refused: release day"}, "ops", "kill-switch", "show")
	c.shows([]string{"new runs are accepted: done"}, "ops", "kill-switch", "release", "--reason=done")
	c.shows([]string{"kill_switch.engage", "kill_switch.release"}, "ops", "audit")
}

func TestLocksOverTheAPI(t *testing.T) {
	t.Parallel()
	c, _ := calls(t)
	c.shows([]string{"LOCK", "held", "token", "purpose"}, "locks", "acquire", "exec-1", "--holder=a", "--purpose=to run it", "--lease=1h")
	c.fails(exitFailed, []string{"exec-1"}, "locks", "acquire", "exec-1", "--holder=b")
	l := answer[contract.GetLockResponse](c, 0, "locks", "show", "exec-1").GetLock()
	token := some(l.GetToken())
	c.shows([]string{"held"}, "locks", "renew", "exec-1", token)
	c.shows([]string{"HOLDER", "exec-1"}, "locks", "list")
	c.shows([]string{"released"}, "locks", "release", "exec-1", token)
	c.fails(exitUnknown, nil, "locks", "show", "none")
	c.tcda(0, "locks", "acquire", "exec-1", "--holder=b")
	l = answer[contract.GetLockResponse](c, 0, "locks", "show", "exec-1").GetLock()
	c.shows([]string{"broken", "stuck"}, "locks", "break", "exec-1", some(l.GetToken()), "--reason=stuck")
}

func TestSchedulesOverTheAPI(t *testing.T) {
	t.Parallel()
	c, _ := calls(t)
	c.tcda(0, "scenarios", "publish", inFile(t, "slow.yaml", examples.MarketDisruption))
	c.shows([]string{"schedule nightly is set: next due at "}, "schedules", "set", "nightly", "slow", "--cron=30 2 * * *", "--time-zone=Europe/Berlin", "--policy=forbid")
	c.shows([]string{"nightly", "30 2 * * * Europe/Berlin", "forbid"}, "schedules", "list")
	c.shows([]string{"cron", "slow"}, "schedules", "show", "nightly")
	c.shows([]string{"2026-10-25T02:30:00+02:00", "yes"}, "schedules", "preview", "--cron=30 2 * * *", "--time-zone=Europe/Berlin", "--after=2026-10-24T12:00:00Z", "--count=2")
	c.shows([]string{"DUE AT"}, "schedules", "preview", "nightly")
	c.shows([]string{"SCHEDULE"}, "schedules", "claim", "--claimer=a")
	c.shows([]string{"OCCURRENCE"}, "schedules", "occurrences", "nightly")
	c.shows([]string{"schedule nightly is removed"}, "schedules", "remove", "nightly")
	c.fails(exitUnknown, []string{"none"}, "schedules", "show", "none")
	for _, wrong := range [][]string{{"set", "s", "slow"}, {"set", "s", "slow", "--cron=* * * * *", "--on-event=x"}, {"preview"}, {"complete", "s", "o", "1"}} {
		if _, stderr := c.tcda(exitUsage, append([]string{"schedules"}, wrong...)...); !strings.Contains(stderr, "give ") {
			t.Errorf("%v: %s", wrong, stderr)
		}
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"scen":                               "scenarios",
		"ops kill-switch ":                   "show engage release",
		"executions list --st":               "--status",
		"executions list --status=p":         "--status=pending --status=paused --status=passed",
		"executions list --status = ru":      "running", // as bash splits it
		"executions list --status fa":        "failed",
		"scenarios status x a":               "active archived",
		"scenarios list --kafka-tls-k":       "--kafka-tls-key-file",
		"scenarios publish ":                 "",
		"quarantine list --status re":        "requeued",
		"completion ":                        "bash zsh fish",
		"locks list --limit 5 --al":          "--all",
		"executions logs exec-1 -n 5 --cont": "--contains",
		"nonsense --no-such-flag x":          "",
	} {
		code, stdout, stderr := tcda(t, nil, "", append([]string{"completion", "words", "--"}, strings.Split(typed, " ")...)...)
		var words []string
		for line := range strings.Lines(stdout) {
			word, _, _ := strings.Cut(line, "\t")
			words = append(words, word)
		}
		if got := strings.Join(words, " "); code != 0 || got != want {
			t.Errorf("%q may become %q, want %q; exit code %d %s", typed, got, want, code, stderr)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if code, stdout, _ := tcda(t, nil, "", "completion", shell); code != 0 || !strings.Contains(stdout, "completion words -- ") {
			t.Errorf("%s: exit code %d\n%s", shell, code, stdout)
		}
	}
}
