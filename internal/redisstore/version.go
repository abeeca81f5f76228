package redisstore

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// Version orders all states that an execution id ever has: by the timeline of
// PostgreSQL (a fail-over that lost rows begins a new one, in which row
// versions repeat), then by run, then by row version.
//
// Its text is TTTTTTTT-RRRRRRRRRR-VVVVVVVVVVVVVVVVVVV: the timeline in upper-case
// hex as in the names of WAL files, run number and row version in decimal, all
// zero-padded, so that versions compare as strings do. No part of it is
// chosen by a producer.
type Version string

// NewVersion is the version of a stored row. Run numbers and row versions
// begin at 1; smaller ones have no version and give "".
func NewVersion(timeline uint32, run execution.RunNumber, row int64) Version {
	if run < 1 || row < 1 {
		return ""
	}
	return Version(fmt.Sprintf("%08X-%010d-%019d", timeline, run, row))
}

var versionForm = regexp.MustCompile(`^([0-9A-F]{8})-([0-9]{10})-([0-9]{19})$`)

// Parts takes a version apart; ok is false when v is not of the form.
func (v Version) Parts() (timeline uint32, run execution.RunNumber, row int64, ok bool) {
	m := versionForm.FindStringSubmatch(string(v))
	if m == nil {
		return 0, 0, 0, false
	}
	t, errTimeline := strconv.ParseUint(m[1], 16, 32)
	r, errRun := strconv.ParseInt(m[2], 10, 32)
	n, errRow := strconv.ParseInt(m[3], 10, 64)
	if errTimeline != nil || errRun != nil || errRow != nil || r < 1 || n < 1 {
		return 0, 0, 0, false
	}
	return uint32(t), execution.RunNumber(r), n, true
}

// streamID is the id of this version's entry in the stream of its execution.
// Redis refuses an id that is not above the last one: the stream is a
// compare-and-set of its own, even where scripts are not allowed, and a
// command that a lost reply made the client repeat adds nothing.
func (v Version) streamID() string {
	timeline, run, row, ok := v.Parts()
	if !ok {
		return "0-0"
	}
	return fmt.Sprintf("%d-%d", uint64(timeline)<<32|uint64(run), row)
}
