package event

import (
	"fmt"
	"math"
	"time"
)

// Limits are what a record may hold, and who may send it; beyond them it is
// quarantined. All are settings; DefaultLimits has the defaults of the contract.
type Limits struct {
	Record          int // bytes of key and value, after decompression
	Headers         int // number of headers
	HeaderBytes     int // bytes of all header names and values
	Depth           int // nesting of the data; the data object itself is level 1
	Tokens          int // JSON tokens of the data: names, values, and both ends of objects and arrays
	BulkTokens      int // the same, for log lines and snapshots
	String          int // bytes of any text that has no limit of its own
	Definition      int // bytes of a definition
	Source          int // bytes of the source
	Correlation     int // bytes of runid and of correlationid
	Number          int // characters of a number
	Earliest        time.Time
	AcceptedFuture  time.Duration // a time further ahead than this is suspect
	AllowedSources  []string      // exact, or a prefix when it ends in "*"; empty: every source
	ReservedSources string        // prefix of the sources that only this service may use
}

// DefaultLimits are the limits of contract version 1.
func DefaultLimits() Limits {
	return Limits{
		Record:          1 << 20,
		Headers:         64,
		HeaderBytes:     64 << 10,
		Depth:           32,
		Tokens:          10_000,
		BulkTokens:      100_000,
		String:          64 << 10,
		Definition:      512 << 10,
		Source:          255,
		Correlation:     255,
		Number:          32,
		Earliest:        time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC),
		AcceptedFuture:  24 * time.Hour,
		ReservedSources: "/tcda/",
	}
}

func (l *Limits) check() error {
	for _, limit := range [...]struct {
		name  string
		value int
	}{
		{"record", l.Record},
		{"headers", l.Headers},
		{"header bytes", l.HeaderBytes},
		{"depth", l.Depth},
		{"tokens", l.Tokens},
		{"bulk tokens", l.BulkTokens},
		{"string", l.String},
		{"definition", l.Definition},
		{"source", l.Source},
		{"correlation", l.Correlation},
		{"number", l.Number},
	} {
		if limit.value <= 0 {
			return fmt.Errorf("limit %q is %d, must be positive", limit.name, limit.value)
		}
	}
	if l.Earliest.Unix() < 0 {
		return fmt.Errorf("earliest is %s, must be 1970-01-01T00:00:00Z or later: order keys count from there", l.Earliest.Format(time.RFC3339))
	}
	if l.AcceptedFuture < 0 {
		return fmt.Errorf("accepted future is %v, must not be negative", l.AcceptedFuture)
	}
	return nil
}

// noLimits is for what was accepted once and is read back.
func noLimits() Limits {
	return Limits{
		Depth: math.MaxInt, Tokens: math.MaxInt, BulkTokens: math.MaxInt,
		String: math.MaxInt, Definition: math.MaxInt, Number: math.MaxInt,
		Earliest: time.Time{},
	}
}
