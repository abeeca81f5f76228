package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/screen"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/verify"
)

// result is what --json prints. Sums are over the life of the data directory,
// the rate is this demo's.
type result struct {
	Produced        int64                      `json:"produced"` // log end minus log start of the input topics
	Applied         int64                      `json:"applied"`
	Duplicates      int64                      `json:"duplicates"`
	Quarantined     int64                      `json:"quarantined"`
	Executions      int64                      `json:"executions"` // runs
	ByStatus        map[execution.Status]int64 `json:"by_status"`
	EventsPerSecond float64                    `json:"events_per_second"` // of the simulated coordinator, from the first sent to the last ingested
	Invariants      string                     `json:"invariants"`        // "ok", or what does not hold
	Reports         []reportLink               `json:"reports"`           // of this demo's runs
}

// holds tells whether every invariant does.
func (r *result) holds() bool { return r.Invariants == invariantsOK }

const invariantsOK = "ok"

// outcome is everything that is known in the end.
type outcome struct {
	result
	plays        []playProgress
	reasons      map[fact.Reason]int64
	verification verify.Report
	took         time.Duration
}

// judge works out the result.
func judge(sums sums, byStatus map[execution.Status]int64, plays []playProgress, v verify.Report, ingested int64, took time.Duration) result {
	r := result{
		Produced: sums.Produced, Applied: sums.Applied, Duplicates: sums.Duplicates, Quarantined: sums.Quarantined,
		ByStatus: byStatus, Invariants: invariantsOK,
	}
	for _, n := range byStatus {
		r.Executions += n
	}
	if took > 0 {
		r.EventsPerSecond = math.Round(float64(ingested)/took.Seconds()*10) / 10
	}
	var broken []string
	if sums.Produced != sums.ingested() {
		broken = append(broken, fmt.Sprintf("produced %d, but applied, duplicates and quarantined are %d", sums.Produced, sums.ingested()))
	}
	if n := int64(len(v.Differences)) + v.Omitted; n > 0 {
		broken = append(broken, fmt.Sprintf("verify found %d differences, the first: %s", n, v.Differences[0]))
	}
	broken = append(broken, unexpected(plays)...)
	if len(broken) > 0 {
		r.Invariants = strings.Join(broken, "; ")
	}
	return r
}

// writeJSON writes the result as one line.
func (r *result) writeJSON(w io.Writer) error {
	if err := json.NewEncoder(w).Encode(r); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// write writes what happened for people.
func (o *outcome) write(w io.Writer, colours bool) {
	paint := func(c text.Color, s string) string {
		if colours {
			return c.Sprint(s)
		}
		return s
	}
	t := table.NewWriter()
	t.SetStyle(plainStyle())
	t.AppendHeader(table.Row{"scenario", "execution", "run", "events", "expected", "stored", ""})
	t.SetColumnConfigs([]table.ColumnConfig{{Name: "run", Align: text.AlignRight, AlignHeader: text.AlignRight}, {Name: "events", Align: text.AlignRight, AlignHeader: text.AlignRight}})
	for _, play := range o.plays {
		name := play.Name
		for _, r := range play.runs {
			number, mark := "", paint(text.FgGreen, "ok")
			if r.stored != nil {
				number = fmt.Sprint(r.stored.Number)
			}
			if !r.asExpected() {
				mark = paint(text.FgRed, "NOT AS EXPECTED")
			}
			t.AppendRow(table.Row{name, r.Execution, number, count(int64(r.events())), r.Status, paint(screen.Colour(r.status()), string(r.status())), mark})
			name = ""
		}
	}
	fmt.Fprintf(w, "\n%s\n\n", render(t))
	o.writeSums(w, paint)
}

func (o *outcome) writeSums(w io.Writer, paint func(text.Color, string) string) {
	var statuses, reasons []string
	for _, s := range execution.Statuses() {
		if n := o.ByStatus[s]; n > 0 {
			statuses = append(statuses, count(n)+" "+paint(screen.Colour(s), string(s)))
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(o.reasons)) {
		reasons = append(reasons, fmt.Sprintf("%s %d", reason, o.reasons[reason]))
	}
	verdict := paint(text.FgGreen, "ok: nothing lost, nothing doubled, and everything stored follows from the stored events")
	if !o.holds() {
		verdict = paint(text.FgRed, o.Invariants)
	}
	t := table.NewWriter()
	t.SetStyle(plainStyle())
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, WidthMax: 80, WidthMaxEnforcer: text.WrapSoft}})
	t.AppendRows([]table.Row{
		{"records", fmt.Sprintf("%s produced = %s applied + %s duplicates + %s quarantined", count(o.Produced), count(o.Applied), count(o.Duplicates), count(o.Quarantined))},
		{"quarantined", strings.Join(reasons, ", ")},
		{"executions", fmt.Sprintf("%s: %s", count(o.Executions), strings.Join(statuses, ", "))},
		{"speed", fmt.Sprintf("%s records a second, in %s", count(int64(o.EventsPerSecond)), o.took.Round(100*time.Millisecond))},
		{"verified", fmt.Sprintf("%s runs from %s events, %s definitions, %s live states, %s reports", count(o.verification.Runs), count(o.verification.Events),
			count(o.verification.Definitions), count(o.verification.LiveStates), count(o.verification.ReportsRebuilt))},
		{"invariants", verdict},
	})
	fmt.Fprintf(w, "%s\n", render(t))
}

// writePlaces says where everything is, and what to try. log says where the
// service's log goes, environment which file tells other programs of this demo.
func (s *stage) writePlaces(w io.Writer, dataDir, log, environment string) {
	t := table.NewWriter()
	t.SetStyle(plainStyle())
	t.AppendRows([]table.Row{
		{"data", dataDir},
		{"log", log},
		{"PostgreSQL", s.stack.PostgresURL},
		{"Kafka", strings.Join(s.stack.KafkaBrokers, ",")},
		{"Redis", s.stack.RedisURL},
		{"API", "http://" + s.http + "/docs/"},
		{"health", "http://" + s.http + "/api/v1/health"},
		{"metrics", "http://" + s.http + "/metrics"},
	})
	fmt.Fprintf(w, "\n%s\n\n Try, in another terminal:\n\n", render(t))
	programs, _ := filepath.Split(os.Args[0]) // empty: they are found in the path
	for _, command := range []string{
		". " + environment,
		programs + "tcda executions list --limit=5",
		programs + "tcda executions explain exec-exchange-outage-001",
		programs + "tcda reports show exec-exchange-outage-001",
		fmt.Sprintf(`curl -s -H 'Content-Type: application/json' -d '{"pageSize":3}' http://%s/testcoordination.v1.ScenarioService/ListScenarios`, s.http),
		programs + "tcda quarantine list",
		programs + "tcda partitions list",
		programs + "tcda-lab emit --load 10000",
		programs + "tcda verify",
		`psql "$` + config.EnvPrefix + `POSTGRES_URL" -c 'SELECT execution_id, run, status FROM test_coordination.executions'`,
		fmt.Sprintf("curl -s http://%s/metrics | grep ^tcda_", s.http),
	} {
		fmt.Fprintf(w, "   %s\n", command)
	}
}
