package render

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// Most rows of one table in Markdown: a comment on a pull request holds 64 KiB.
const mdRows = 100

func writeMarkdown(w io.Writer, r *report.Report) error {
	b := &strings.Builder{}
	m := &r.Metrics
	fmt.Fprintf(b, "# %s %s: %s\n\n", mark(string(r.Verdict.Status)), md(short(name(r), 120)), mdWord(string(r.Verdict.Status)))
	if r.Provisional {
		b.WriteString("> [!WARNING]\n> **PROVISIONAL.** The run has not ended: this report is no evidence yet, and will change.\n\n")
	}
	if gone := goneText(r); gone != "" {
		fmt.Fprintf(b, "> [!NOTE]\n> %s\n\n", md(gone))
	}
	fmt.Fprintf(b, "**%s**\n\n", md(or(r.Verdict.Headline, string(r.Verdict.Status))))

	id := mdHead("Run", "")
	id.add("Execution", mdCode(string(r.Run.ExecutionID))+fmt.Sprintf(", run %d", r.Run.Number)+optional(", attempt %s", attemptText(r)))
	id.add("Scenario", parts(", ", mdCode(r.Run.ScenarioID), optional("version %s", md(or(versionText(r), r.Run.ScenarioVersion)))))
	id.add("Environment", or(mdCode(r.Run.Environment), none))
	id.add("Started, ended", stampOr(r.Run.StartedAt)+" to "+stampOr(r.Run.EndedAt)+", "+seconds(r.Run.Duration))
	if t := r.Run.Trigger; t != nil {
		id.add("Asked for by", md(parts(" ", t.Type, t.Actor, t.URI)))
	}
	if r.Run.ErrorMessage != "" {
		id.add("Error", md(cut(r.Run.ErrorMessage, mdCell)))
	}
	id.write(b)

	if len(r.Verdict.Decisions) > 0 {
		b.WriteString("## Why\n\n")
		for _, d := range first(r.Verdict.Decisions, mdRows) {
			fmt.Fprintf(b, "- **%s %s**: %s\n", md(string(d.Topic)), md(d.Value), md(d.Reason))
		}
		b.WriteByte('\n')
	}

	b.WriteString("## Figures\n\n")
	f := mdHead("Figure", "Value>")
	f.add("Duration", seconds(r.Run.Duration))
	f.add("Validations passed", ofTotal(m.Validations))
	f.add("Faults recovered", fmt.Sprintf("%d of %d", m.FaultsRecovered, m.Faults))
	f.add("Mean time to recover", seconds(m.MeanRecovery))
	f.add("Mean time to detect", seconds(m.MeanDetection))
	f.add("Resilience score", numberOr(m.Resilience))
	f.add("Steps failed", fmt.Sprintf("%d of %d", m.StepsFailed, m.Steps))
	f.add("Events, log lines", thousands(m.Events)+", "+thousands(m.LogLines))
	f.write(b)

	mdRecommendations(b, r)
	mdValidations(b, r)
	mdFaults(b, r)
	mdParts(b, r)
	mdState(b, r)
	mdHistory(b, r)
	mdTimeline(b, r)
	b.WriteString("---\n\n")
	fmt.Fprintf(b, "Report `%s`, %s, builder %s", or(mdPlain(r.SHA256), none), md(r.Schema), md(r.Builder))
	fmt.Fprintf(b, ", made from %s (chain %s)", plural(r.Inputs.Events, "event"), or(mdCode(r.Inputs.Chain), none))
	if r.Definition.SHA256 != "" {
		fmt.Fprintf(b, "; definition %s", mdCode(r.Definition.SHA256))
	}
	if r.Inputs.TemplateSHA256 != "" {
		fmt.Fprintf(b, "; template %s", mdCode(r.Inputs.TemplateSHA256))
	}
	b.WriteString(".\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// mdPlain is a digest as it can stand in code; anything else is no digest.
func mdPlain(s string) string {
	if strings.Trim(s, "0123456789abcdef") != "" {
		return ""
	}
	return s
}

func mdRecommendations(b *strings.Builder, r *report.Report) {
	if len(r.Unexpected) > 0 {
		b.WriteString("## Unexpected\n\n")
		for _, x := range first(r.Unexpected, mdRows) {
			fmt.Fprintf(b, "- %s%s\n", md(x.Text), optional(" (%s)", md(strings.Join(x.Refs, ", "))))
		}
		b.WriteByte('\n')
	}
	if len(r.Recommendations) > 0 {
		b.WriteString("## Recommendations\n\n")
		for _, x := range first(byPriority(r.Recommendations), mdRows) {
			fmt.Fprintf(b, "- **%s**: %s\n", md(x.Priority), md(x.Text))
			for _, because := range x.Because {
				fmt.Fprintf(b, "  - %s\n", md(because))
			}
		}
		b.WriteByte('\n')
	}
}

func mdValidations(b *strings.Builder, r *report.Report) {
	if len(r.Validations) == 0 {
		return
	}
	b.WriteString("## Validations\n\n")
	t := mdHead("Result", "Validation", "Expected", "Actual", "Service", "At")
	for _, v := range first(failedFirst(r.Validations), mdRows) {
		t.add(mark(string(v.Status))+" "+mdWord(string(v.Status)), mdCode(v.ID)+"<br>"+md(v.AssertionType),
			md(cut(asked(v), mdCell)), md(cut(or(v.Actual, v.Message), mdCell)), md(v.Service), stamp(v.At))
	}
	t.write(b)
	omitted(b, len(t.rows), len(r.Validations), "validations")
	s := r.SteadyState
	if s.Before.Total()+s.During.Total()+s.After.Total() > 0 {
		fmt.Fprintf(b, "Steady state: before %s; during %s; after %s. **%s**\n\n", tally(s.Before), tally(s.During), tally(s.After), steadyWord(s))
	}
}

func mdFaults(b *strings.Builder, r *report.Report) {
	if len(r.Faults) == 0 {
		return
	}
	b.WriteString("## Faults\n\n")
	t := mdHead("Status", "Fault", "Target", "Injected", "Active>", "Recovery>", "Detected after>", "Error")
	for i := range first(r.Faults, mdRows) {
		f := &r.Faults[i]
		t.add(mark(string(f.Status))+" "+mdWord(string(f.Status)), mdCode(f.ID)+"<br>"+md(f.Type), md(f.Target), stampOr(f.InjectedAt),
			seconds(f.Active), seconds(f.Recovery), seconds(f.Detection), md(cut(parts("; ", f.Error, f.ClearError), mdCell)))
	}
	t.write(b)
	omitted(b, len(t.rows), len(r.Faults), "faults")
}

func mdParts(b *strings.Builder, r *report.Report) {
	if len(r.Phases) > 0 {
		b.WriteString("## Phases\n\n")
		t := mdHead("Status", "Phase", "Started", "Took>", "Error")
		for _, p := range first(r.Phases, mdRows) {
			t.add(mark(string(p.Status))+" "+mdWord(string(p.Status)), md(p.Name), stampOr(p.StartedAt), seconds(p.Duration), md(cut(p.Error, mdCell)))
		}
		t.write(b)
		omitted(b, len(t.rows), len(r.Phases), "phases")
	}
	t := mdHead("Status", "Step", "Phase", "Took>", "Error")
	for _, s := range r.Steps {
		if (s.Status == execution.PartFailed || s.Status == execution.PartError) && len(t.rows) < mdRows {
			t.add(mark(string(s.Status))+" "+mdWord(string(s.Status)), mdCode(s.ID)+optional("<br>%s", md(s.Action)), md(s.Phase), seconds(s.Duration), md(cut(s.Error, mdCell)))
		}
	}
	if len(t.rows) > 0 {
		b.WriteString("## Failed steps\n\n")
		t.write(b)
	}
	signals := slices.Concat(r.Alerts, r.CircuitBreakers)
	if len(signals) > 0 {
		b.WriteString("## Alerts and circuit breakers\n\n")
		t := mdHead("At", "What", "Service", "Detail")
		for i, s := range signals {
			what := "🔔 " + md(s.Name)
			if i >= len(r.Alerts) {
				what = "⚡ " + md(s.Name)
			}
			if len(t.rows) < mdRows {
				t.add(stamp(s.At), what, md(s.Service), md(cut(s.Detail, mdCell)))
			}
		}
		t.write(b)
		omitted(b, len(t.rows), len(signals), "signals")
	}
}

func mdState(b *strings.Builder, r *report.Report) {
	t := mdHead("Service", "Metric", "Before>", "Peak>", "Change>", "At last>", "Left over>")
	total := 0
	for _, s := range r.Impact {
		for _, m := range s.Metrics {
			total++
			if len(t.rows) < mdRows {
				t.add(md(or(s.Service, "(whole system)")), md(m.Name), numberOr(m.Baseline), numberOr(m.Peak), percent(m.PeakChange), number(m.Last), percent(m.Residual))
			}
		}
	}
	if total > 0 {
		b.WriteString("## Impact\n\n")
		t.write(b)
		omitted(b, len(t.rows), total, "metrics")
	}
	if len(r.Snapshots) > 0 {
		b.WriteString("## Snapshot differences\n\n")
		t := mdHead("Service", "From", "To", "Added>", "Removed>", "Changed>")
		for _, d := range first(r.Snapshots, mdRows) {
			t.add(md(or(d.Service, "(whole system)")), md(string(d.From.Kind)+" "+d.From.ID), md(string(d.To.Kind)+" "+d.To.ID),
				strconv.Itoa(d.Added), strconv.Itoa(d.Removed), strconv.Itoa(d.Changed))
		}
		t.write(b)
	}
	if len(r.Logs.Notable) > 0 {
		b.WriteString("## Log lines that stand out\n\n")
		t := mdHead("At", "Level", "Service", "Message")
		for _, l := range first(r.Logs.Notable, 20) {
			t.add(stamp(l.At), md(l.Level), md(l.Service), md(cut(l.Message, mdCell)))
		}
		t.write(b)
		omitted(b, len(t.rows), len(r.Logs.Notable)+int(r.Logs.Omitted), "such lines")
	}
	if len(r.Annotations) > 0 {
		b.WriteString("## Notes\n\n")
		for _, a := range first(r.Annotations, mdRows) {
			fmt.Fprintf(b, "- %s%s: %s\n", stamp(a.At), optional(", %s", md(a.Author)), md(a.Text))
		}
		b.WriteByte('\n')
	}
}

func mdHistory(b *strings.Builder, r *report.Report) {
	if len(r.Attempts)+len(r.Previous) == 0 {
		return
	}
	b.WriteString("## History\n\n")
	t := mdHead("Run", "Status", "Started", "Duration>", "This one>", "Recovery>", "Score>", "New failures")
	for i := range first(r.Attempts, mdRows) {
		a := &r.Attempts[i]
		t.add(fmt.Sprintf("attempt %d: ", attemptOf(a, i))+mdCode(string(a.ExecutionID))+fmt.Sprintf(" run %d", a.Run), mark(string(a.Status))+" "+mdWord(string(a.Status)),
			stampOr(a.StartedAt), seconds(a.Duration), "", seconds(a.Recovery), numberOr(a.Resilience), "")
	}
	for i := range first(r.Previous, mdRows) {
		p := &r.Previous[i]
		t.add(mdCode(string(p.ExecutionID))+fmt.Sprintf(" run %d", p.Run), mark(string(p.Status))+" "+mdWord(string(p.Status)),
			stampOr(p.StartedAt), seconds(p.Duration), change(p.DurationChange), seconds(p.Recovery), numberOr(p.Resilience),
			md(cut(strings.Join(p.NewFailures, ", "), mdCell)))
	}
	t.write(b)
}

func mdTimeline(b *strings.Builder, r *report.Report) {
	if len(r.Timeline.Entries) == 0 {
		return
	}
	shown := first(r.Timeline.Entries, 2*mdRows)
	fmt.Fprintf(b, "<details>\n<summary>Timeline (%s)</summary>\n\n", plural(len(r.Timeline.Entries)+r.Timeline.Omitted, "event"))
	t := mdHead("At", "Event", "What")
	for _, e := range shown {
		t.add(stamp(e.At), md(e.Type)+flags(e), md(cut(e.Text, mdCell)))
	}
	t.write(b)
	omitted(b, len(shown), len(r.Timeline.Entries)+r.Timeline.Omitted, "entries")
	b.WriteString("</details>\n\n")
}

func flags(e report.Entry) string {
	s := ""
	if e.Late {
		s += " (late)"
	}
	if e.Conflict {
		s += " (conflicting)"
	}
	if e.Suspect {
		s += " (time suspect)"
	}
	return s
}

func compareMarkdown(w io.Writer, c *report.Comparison) error {
	b := &strings.Builder{}
	b.WriteString("# Two runs compared\n\n")
	fmt.Fprintf(b, "**%s**\n\n", md(or(c.Headline, "No headline.")))
	if !c.SameScenario {
		b.WriteString("> [!WARNING]\n> These are runs of different scenarios.\n\n")
	} else if !c.SameDefinition {
		b.WriteString("> [!NOTE]\n> Their definitions differ, or are not known.\n\n")
	}
	t := mdHead("", "A", "B")
	t.add("Run", briefName(&c.A), briefName(&c.B))
	t.add("Status", mark(string(c.A.Status))+" "+mdWord(string(c.A.Status)), mark(string(c.B.Status))+" "+mdWord(string(c.B.Status)))
	t.add("Started", stampOr(c.A.StartedAt), stampOr(c.B.StartedAt))
	t.add("Validations", tally(c.A.Validations), tally(c.B.Validations))
	t.add("Report", mdCode(c.A.SHA256), mdCode(c.B.SHA256))
	t.write(b)

	section := func(title string, t *mdTable, total int) {
		if len(t.rows) > 0 {
			fmt.Fprintf(b, "## %s\n\n", title)
			t.write(b)
			omitted(b, len(t.rows), total, strings.ToLower(title))
		}
	}
	t = mdHead("Figure", "A>", "B>", "Change>", "Relative>")
	figures := telling(c.Figures)
	for _, f := range first(figures, mdRows) {
		t.add(md(figureName(f.Name)), figure(f.A, f.Unit), figure(f.B, f.Unit), figureChange(f.Change, f.Unit), percent(f.Relative))
	}
	section("Figures", t, len(figures))
	t = mdHead("Parameter", "A", "B")
	for _, p := range first(c.Parameters, mdRows) {
		t.add(md(p.Name), md(cut(p.A, mdCell)), md(cut(p.B, mdCell)))
	}
	section("Parameters that differ", t, len(c.Parameters))
	t = mdHead("Validation", "A", "B", "Actual in A", "Actual in B")
	for _, v := range first(c.Validations, mdRows) {
		t.add(mdCode(v.ID)+"<br>"+md(v.AssertionType), statusOr(string(v.A)), statusOr(string(v.B)), md(cut(v.ActualA, mdCell)), md(cut(v.ActualB, mdCell)))
	}
	section("Validations", t, len(c.Validations))
	t = mdHead("Fault", "A", "B", "Recovery A>", "Recovery B>", "Detection A>", "Detection B>")
	for _, f := range first(c.Faults, mdRows) {
		t.add(mdCode(f.ID)+optional("<br>%s", md(f.Type)), statusOr(string(f.A)), statusOr(string(f.B)), seconds(f.RecoveryA), seconds(f.RecoveryB), seconds(f.DetectionA), seconds(f.DetectionB))
	}
	section("Faults", t, len(c.Faults))
	t = mdHead("Phase", "A", "B", "Took in A>", "Took in B>")
	for _, p := range first(c.Phases, mdRows) {
		t.add(md(p.Name), statusOr(string(p.A)), statusOr(string(p.B)), seconds(p.DurationA), seconds(p.DurationB))
	}
	section("Phases", t, len(c.Phases))
	t = mdHead("Service", "Metric", "Peak A>", "Peak B>", "Last A>", "Last B>")
	for _, m := range first(c.Metrics, mdRows) {
		t.add(md(or(m.Service, "(whole system)")), md(m.Name), numberOr(m.PeakA), numberOr(m.PeakB), numberOr(m.LastA), numberOr(m.LastB))
	}
	section("Metrics", t, len(c.Metrics))
	fmt.Fprintf(b, "---\n\nComparison `%s`, %s.\n", or(mdPlain(c.SHA256), none), md(c.Schema))
	_, err := io.WriteString(w, b.String())
	return err
}

func briefName(b *report.Brief) string {
	return mdCode(string(b.ExecutionID)) + fmt.Sprintf(", run %d", b.Run)
}

func statusOr(s string) string {
	if s == "" {
		return none
	}
	return mark(s) + " " + mdWord(s)
}

func mdWord(s string) string { return md(or(s, none)) }
