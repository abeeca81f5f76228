package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	colour "github.com/jedib0t/go-pretty/v6/text"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/screen"
)

// table writes rows in aligned columns; what stands under STATUS has its colour,
// where there are any.
func (t console) table(heading []string, rows [][]string) error {
	drawn, err := t.drawn(heading, rows)
	if err != nil {
		return err
	}
	_, err = io.WriteString(t.out, drawn)
	return err
}

// drawn is a table as text.
func (t console) drawn(heading []string, rows [][]string) (string, error) {
	var plain bytes.Buffer
	if err := table(&plain, heading, rows); err != nil {
		return "", err
	}
	if !t.colours || !slices.Contains(heading, "STATUS") {
		return plain.String(), nil
	}
	// Colours are put in afterwards: they have no width, which tabwriter cannot
	// know.
	var out strings.Builder
	column := -1
	for line := range strings.Lines(plain.String()) {
		if column < 0 {
			column = strings.Index(line, "STATUS") // headings are ASCII
			out.WriteString(line)
			continue
		}
		runes := []rune(line)
		before, rest := string(runes[:column]), string(runes[column:])
		word, _, _ := strings.Cut(strings.TrimSuffix(rest, "\n"), " ")
		out.WriteString(before + painted(screen.Colour(execution.Status(word)), word) + strings.TrimPrefix(rest, word))
	}
	return out.String(), nil
}

func painted(in colour.Color, word string) string {
	if in == colour.Reset {
		return word
	}
	return in.EscapeSeq() + word + colour.Reset.EscapeSeq()
}

// fields writes one thing: its name, and what is known of it, a line each.
func (t console) fields(kind, name string, rows ...[]string) error {
	known := slices.DeleteFunc(rows, func(row []string) bool { return row[1] == "" })
	return table(t.out, []string{strings.ToUpper(kind), escaped(name)}, known)
}

// at is a time of the API.
func at(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return moment(t.AsTime())
}

// spent is a length of time of the API.
func spent(d *durationpb.Duration) string {
	if d == nil {
		return ""
	}
	return d.AsDuration().String()
}

// between is the time from one moment to another, when both are known.
func between(from, until *timestamppb.Timestamp) string {
	if from == nil || until == nil {
		return ""
	}
	return until.AsTime().Sub(from.AsTime()).Round(time.Millisecond).String()
}

// some is a number that is worth showing.
func some[N int32 | int64](n N) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(int64(n), 10)
}

// percent is a share as people read it.
func percent(p *float64) string {
	if p == nil {
		return ""
	}
	return strconv.FormatFloat(100*(*p), 'f', 0, 64) + "%"
}

// figure is an optional number.
func figure(n *float64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatFloat(*n, 'g', -1, 64)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// inline is a message as JSON in one line; empty for none.
func inline[M proto.Message](m M) string {
	if !m.ProtoReflect().IsValid() {
		return ""
	}
	line, err := oneLine(m, protojson.MarshalOptions{})
	if err != nil {
		return "" // a message that came over the wire has a JSON form
	}
	return line
}

// joined are the texts that are not empty.
func joined(separator string, texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), separator)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// status is a status with its colour, where there are any.
func (t console) status(word string) string {
	if !t.colours {
		return escaped(word)
	}
	return painted(screen.Colour(execution.Status(word)), escaped(word))
}

// eventHeading and eventCells are an accepted event in a table.
func eventHeading() []string { return []string{"TIME", "EVENT", "SOURCE", "SEQUENCE", "RECORD"} }

func eventCells(e *contract.TimelineEvent) []string {
	record := "" // none for an event of the service's own
	if a := e.GetAddress(); a != nil {
		record = fmt.Sprintf("%s/%d@%d", a.GetTopic(), a.GetPartition(), a.GetOffset())
	}
	return []string{at(e.GetTime()), strings.TrimPrefix(e.GetType(), "test-coordination."), e.GetSource(), some(e.GetSequence()), record}
}

// flagsOf are the flags of an event, as the contract names them.
func flagsOf(e *contract.TimelineEvent) string {
	var flags []string
	for _, f := range []struct {
		name string
		set  bool
	}{{"late", e.GetLate()}, {"conflicting_outcome", e.GetConflictingOutcome()}, {"run_guessed", e.GetRunGuessed()}, {"time_suspect", e.GetTimeSuspect()}} {
		if f.set {
			flags = append(flags, f.name)
		}
	}
	return strings.Join(flags, ",")
}

func levelColour(level string) colour.Color {
	switch level {
	case "error", "fatal", "critical":
		return colour.FgRed
	case "warn", "warning":
		return colour.FgYellow
	case "debug", "trace":
		return colour.FgHiBlack
	default:
		return colour.Reset
	}
}
