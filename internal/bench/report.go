package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Report is everything that was measured.
type Report struct {
	Machine  Machine    `json:"machine"`
	Sections []*Section `json:"sections"`
}

// Machine is what it was measured on.
type Machine struct {
	Cores      int               `json:"cores"`
	Go         string            `json:"go"`
	Service    string            `json:"service"` // version of the program under test
	PostgreSQL string            `json:"postgresql"`
	Settings   map[string]string `json:"postgresql_settings"`
	Redis      string            `json:"redis"`
	Kafka      string            `json:"kafka"`
	Own        map[string]string `json:"service_settings,omitempty"` // beside the defaults
}

// Section is one thing that was measured.
type Section struct {
	Name    string    `json:"name"`
	About   string    `json:"about"`
	Figures []*Figure `json:"figures"`
	Notes   []string  `json:"notes,omitempty"`
}

// Figure is one number, measured once or in several rounds.
type Figure struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Values []float64 `json:"values"`
	// Ratio to the figure of the same section, or of another one, that Of names;
	// of the medians.
	Ratio float64 `json:"ratio,omitempty"`
	Of    string  `json:"of,omitempty"`
}

// Find is the figure of a section; nil if it was not measured.
func (r *Report) Find(section, figure string) *Figure {
	for _, s := range r.Sections {
		if s.Name != section {
			continue
		}
		for _, f := range s.Figures {
			if f.Name == figure {
				return f
			}
		}
	}
	return nil
}

func (s *Section) add(name, unit string, values ...float64) *Figure {
	f := &Figure{Name: name, Unit: unit, Values: values, Median: median(values), Min: slices.Min(values), Max: slices.Max(values)}
	s.Figures = append(s.Figures, f)
	return f
}

func (s *Section) note(format string, args ...any) {
	s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
}

func (f *Figure) of(other *Figure, name string) {
	if other != nil && other.Median != 0 {
		f.Ratio, f.Of = f.Median/other.Median, name
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Print writes the report for people.
func (r *Report) Print(w io.Writer) {
	m := r.Machine
	fmt.Fprintf(w, "\n%d cores, %s, service %s\nPostgreSQL %s: %s\nRedis %s\nKafka %s\n", m.Cores, m.Go, m.Service, m.PostgreSQL, settingsText(m.Settings), m.Redis, m.Kafka)
	if len(m.Own) > 0 {
		fmt.Fprintf(w, "settings of the service: %s\n", settingsText(m.Own))
	}
	for _, s := range r.Sections {
		fmt.Fprintf(w, "\n%s: %s\n", s.Name, s.About)
		t := table.NewWriter()
		t.SetStyle(table.StyleLight)
		t.Style().Options = table.Options{SeparateColumns: false, SeparateHeader: true, DrawBorder: false}
		t.Style().Format.Header = text.FormatDefault
		t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, Align: text.AlignRight, AlignHeader: text.AlignRight}})
		t.AppendHeader(table.Row{"figure", "median", "unit", "min - max", "ratio", "values"})
		for _, f := range s.Figures {
			t.AppendRow(table.Row{f.Name, amount(f.Median), f.Unit, f.spread(), f.ratio(), f.all()})
		}
		fmt.Fprintln(w, t.Render())
		for _, note := range s.Notes {
			fmt.Fprintln(w, " *", note)
		}
	}
}

func (f *Figure) spread() string {
	if len(f.Values) < 2 {
		return ""
	}
	return amount(f.Min) + " - " + amount(f.Max)
}

func (f *Figure) ratio() string {
	if f.Of == "" {
		return ""
	}
	return strconv.FormatFloat(f.Ratio, 'f', 3, 64) + " of " + f.Of
}

func (f *Figure) all() string {
	if len(f.Values) < 2 {
		return ""
	}
	texts := make([]string, len(f.Values))
	for i, v := range f.Values {
		texts[i] = amount(v)
	}
	return strings.Join(texts, " ")
}

func settingsText(settings map[string]string) string {
	var all []string
	for name, value := range settings {
		all = append(all, name+"="+value)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// amount writes a number with three digits that count, or more before the point.
func amount(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1000:
		return count(int64(math.Round(v)))
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
}

// count writes 1234567 as 1,234,567.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// size writes bytes for people.
func size(bytes float64) string {
	const unit = 1024
	names := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for bytes >= unit && i < len(names)-1 {
		bytes /= unit
		i++
	}
	return amount(bytes) + " " + names[i]
}
