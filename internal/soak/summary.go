package soak

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/checker"
)

// Summary is what came of a soak.
type Summary struct {
	Passed  bool            `json:"passed"`
	Seed    uint64          `json:"seed"`
	Kafka   string          `json:"kafka"`
	Seconds float64         `json:"seconds"`
	Sent    int64           `json:"sent"`    // records acknowledged
	Aborted int64           `json:"aborted"` // records in aborted transactions
	Calls   Calls           `json:"calls"`   // to the API
	Starts  int             `json:"starts"`  // of workers
	Total   int             `json:"faults_total"`
	Faults  map[string]int  `json:"faults"`    // by kind
	Tail    int64           `json:"lost_tail"` // records whose commits failovers have lost
	Drained bool            `json:"drained"`
	Report  *checker.Report `json:"report"`

	// Problems are what must not be, beside what the report says.
	Problems []string `json:"problems,omitempty"`
}

func (s *soak) sumUp(report *checker.Report) *Summary {
	sum := &Summary{
		Seed: s.options.Seed, Kafka: s.options.Kafka, Seconds: time.Since(s.began).Seconds(), Sent: s.load.ledger.len(), Aborted: s.load.aborted.Load(),
		Calls: s.callers.counted(), Total: s.faults.total, Faults: s.faults.counts, Tail: s.lostTail.Load(), Drained: s.drained, Report: report,
	}
	for _, x := range s.workers {
		sum.Starts += x.starts
	}
	sum.Problems = s.noted()
	for _, kind := range slices.Sorted(maps.Keys(sum.Faults)) {
		if sum.Faults[kind] == 0 {
			sum.Problems = append(sum.Problems, "fault "+kind+" never happened")
		}
	}
	for _, procedure := range procedures {
		if sum.Calls.Procedures[procedure] == 0 {
			sum.Problems = append(sum.Problems, "no call of "+procedure+" was answered")
		}
	}
	if s.drained && (report.PrunedWhole == 0 || report.PrunedRuns == report.PrunedWhole) {
		sum.Problems = append(sum.Problems, "retention has removed no runs, or no parts of runs")
	}
	if sum.Calls.Repeated == 0 {
		sum.Problems = append(sum.Problems, "no request was answered again with the same")
	}
	sum.Passed = report.Green() && s.drained && len(sum.Problems) == 0
	return sum
}

// Write tells people of it.
func (s *Summary) Write(out io.Writer) {
	fmt.Fprintln(out)
	t := table.NewWriter()
	t.SetOutputMirror(out)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"fault", "struck"})
	for _, kind := range slices.Sorted(maps.Keys(s.Faults)) {
		t.AppendRow(table.Row{kind, s.Faults[kind]})
	}
	t.AppendFooter(table.Row{"in all", s.Total})
	t.Render()
	fmt.Fprintf(out, "%d records acknowledged, %d in aborted transactions; workers started %d times; failovers lost the commits of %d records\n",
		s.Sent, s.Aborted, s.Starts, s.Tail)
	fmt.Fprintf(out, "%d writes through the API answered, %d refused, %d given up; %d answered again with the same, %d tries in vain\n",
		s.Calls.Answered, s.Calls.Refused, s.Calls.Unanswered, s.Calls.Repeated, s.Calls.InVain)
	s.Report.Write(out)
	for _, problem := range s.Problems {
		fmt.Fprintln(out, "problem: "+problem)
	}
	word := "FAILED"
	if s.Passed {
		word = "passed"
	}
	fmt.Fprintf(out, "%s after %.0f s; the same load, and faults chosen from the same seed: seed=%d\n", word, s.Seconds, s.Seed)
}
