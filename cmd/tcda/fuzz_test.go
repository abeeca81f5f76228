package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
)

// FuzzArguments gives any words to the commands that operators type: they are
// refused, or what they select is within its bounds. Nothing is run.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{
		"quarantine list --status=all --reason=json --limit=1000 --before=9223372036854775807", "quarantine list --limit=0", "quarantine list --limit=-1 --before=-1", "quarantine list --status=\x1b[2J",
		"quarantine list --reason=' OR 1=1;--", "quarantine show 1 --value --json", "quarantine show 0x10", "quarantine show 9223372036854775808", "quarantine requeue --all --reason=id", "quarantine requeue 1 2 --all",
		"quarantine discard --why=x 1", "quarantine discard --all --why=", "quarantine discard --why x --reason json", "partitions list --json", "partitions reset topic/0 --to=current --yes", "partitions reset topic/-1 --to=1",
		"partitions reset a/b/c --to=latest", "partitions reset /0 --to=-1", "partitions reset t/4294967296 --to=1", "partitions accept-gap t/0", "verify --live-grace=-1s", "--config=/dev/null config print", "--", "--=", "-",
		"contract check - --max=3 --strict", "contract check --topic=a/b --from=start", "contract check --topic=x --from=-1", "contract check --topic=x --last=9223372036854775808", "contract check - --last=1",
		"quarantine list --postgres-url=postgres://a:b@c/d --limit 5 --limit 6",
		"scenarios validate a.yaml - --strict --json", "scenarios validate - -", "templates render - --set=a=b;c --set d=e,f --set-json=g={} --extends=x --extends=-",
	} {
		f.Add(strings.ReplaceAll(seed, " ", "\n"))
	}
	f.Fuzz(func(t *testing.T, words string) {
		if strings.Contains(words, "config") || strings.Contains(words, "@") {
			return // other files are not this test's to read
		}
		var line commandLine
		var out bytes.Buffer
		cfg := (*config.Config)(&line.Settings)
		parser, err := kong.New(&line, append(cfg.Sources(func(string) (string, bool) { return "", false }),
			kong.Name("tcda"), kong.Writers(&out, &out), kong.Exit(func(int) {}))...)
		if err != nil {
			t.Fatal(err)
		}
		command, err := parser.Parse(strings.Split(words, "\n"))
		if err != nil {
			return
		}
		q := &line.Quarantine
		switch command.Command() {
		case "quarantine list":
			if q.List.Limit < 1 || q.List.Limit > 1000 || checkReason(q.List.Reason) != nil {
				t.Errorf("accepted: %+v", q.List)
			}
		case "quarantine requeue", "quarantine requeue <id>":
			if q.Requeue.All == (len(q.Requeue.IDs) > 0) || checkReason(q.Requeue.Reason) != nil {
				t.Errorf("accepted: %+v", q.Requeue)
			}
		case "quarantine discard", "quarantine discard <id>":
			if q.Discard.All == (len(q.Discard.IDs) > 0) || checkReason(q.Discard.Reason) != nil {
				t.Errorf("accepted: %+v", q.Discard)
			}
		case "contract check", "contract check <file>":
			if c := line.Contract.Check; (c.File == "") == (c.Topic == "") || c.From < 0 || c.Last < 0 || c.Max < 0 {
				t.Errorf("accepted: %+v", c)
			}
		case "scenarios validate <file>":
			if oneStdin(line.Scenarios.Validate.Files) != nil || len(line.Scenarios.Validate.Files) == 0 {
				t.Errorf("accepted: %+v", line.Scenarios.Validate)
			}
		case "partitions reset <topic/partition>":
			if p := line.Partitions.Reset.Partition; p.Topic == "" || p.Number < 0 {
				t.Errorf("accepted: %+v", p)
			}
		}
	})
}
