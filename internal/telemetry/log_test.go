package telemetry_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

// hostile holds what would forge a line, steer a terminal, or turn text round.
const hostile = "done\n{\"level\":\"error\"}\x1b[2J\x00\u009b2J\u202egnp.exe\u2028\U000e0041\xff"

func TestHostileTextStaysOneEscapedLine(t *testing.T) {
	t.Parallel()
	for _, format := range []telemetry.LogFormat{telemetry.LogJSON, telemetry.LogConsole, telemetry.LogAuto} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			log, err := telemetry.NewLogger(&out, "info", format)
			if err != nil {
				t.Fatal(err)
			}
			log.Info().Str("subject", hostile).Strs("list", []string{hostile}).Msg("seen " + hostile)
			if n := strings.Count(out.String(), "\n"); n != 1 {
				t.Errorf("%d lines, want one:\n%q", n, &out)
			}
			for _, raw := range []string{"\x1b", "\x00", "\u009b", "\u202e", "\u2028", "\U000e0041", "\xff"} {
				if strings.Contains(out.String(), raw) {
					t.Errorf("%q is written as it is:\n%q", raw, &out)
				}
			}
		})
	}
}

func TestJSONKeepsTheText(t *testing.T) {
	t.Parallel()
	const name = "Zürich \u202e \U000e0041 日本"
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, "info", telemetry.LogJSON)
	if err != nil {
		t.Fatal(err)
	}
	log.Info().Str("name", name).Msg("")
	var line struct {
		Name string    `json:"name"`
		Time time.Time `json:"time"`
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v in %q", err, &out)
	}
	if line.Name != name || line.Time.IsZero() || line.Time.Location() != time.UTC {
		t.Errorf("read back %+v, want the name %q and a time in UTC", line, name)
	}
	if !strings.Contains(out.String(), "Zürich") {
		t.Errorf("printable letters are escaped: %q", &out)
	}
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, "warn", telemetry.LogJSON)
	if err != nil {
		t.Fatal(err)
	}
	log.Info().Msg("below")
	log.Warn().Msg("at")
	if got := out.String(); strings.Contains(got, "below") || !strings.Contains(got, "at") {
		t.Errorf("level warn wrote %q", got)
	}
	if _, err := telemetry.NewLogger(&out, "loud", telemetry.LogJSON); err == nil {
		t.Error("level loud is accepted")
	}
}
