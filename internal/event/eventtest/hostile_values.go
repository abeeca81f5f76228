package eventtest

import (
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// numbers are flaws of numbers.
func (h *hostiles) numbers() {
	h.begin("numbers")
	h.refused(fact.ReasonNumber, "1e131072", h.beat(`"system_state":{"n":1e131072}`))
	h.refused(fact.ReasonNumber, "1E400 in evidence", h.event(fact.TypeValidationRecorded, `"validation_id":"v","assertion_type":"a","status":"passed","evidence":1E400`))
	h.refused(fact.ReasonNumber, "1e309 in metrics", h.event(fact.TypeSnapshotCaptured, `"snapshot_id":"s","kind":"manual","metrics":{"a":-1e309}`))
	h.refused(fact.ReasonNumber, "1e99999 in quotes", h.beat(`"progress":"1e99999"`))
	h.refused(fact.ReasonNumber, "an exponent of 40 digits", h.beat(`"n":1e`+strings.Repeat("9", 40)))
	h.refused(fact.ReasonNumber, "a number of 1 MB", h.beat(`"n":`+strings.Repeat("1", 1_000_000)))
	h.refused(fact.ReasonJSON, "plus", h.beat(`"n":+1`))
	h.refused(fact.ReasonJSON, "leading zero", h.beat(`"n":01`))
	h.refused(fact.ReasonJSON, "hexadecimal", h.beat(`"n":0x10`))
	h.refused(fact.ReasonJSON, "Infinity", h.beat(`"n":-Infinity`))
	h.refused(fact.ReasonSchema, "digits of another script", h.beat(`"progress":"١"`))
	h.refused(fact.ReasonSchema, "underscore in quotes", h.event(fact.TypeFinished, `"outcome":"passed","exit_code":"1_0"`))
	h.refused(fact.ReasonNumber, "two points in quotes", h.beat(`"progress":"0.0.1"`))
	h.refused(fact.ReasonSchema, "nothing in quotes", h.beat(`"progress":""`))
	h.accepted("minus zero, and as small as can be", h.beat(`"progress":-0.0,"system_state":{"a":[-0,-0.0,0e400,1e-400,5e-324,-1e-308,1.7976931348623157e308]}`))
	h.accepted("a threshold of the smallest float", h.event(fact.TypeValidationRecorded, `"validation_id":"v","assertion_type":"a","status":"passed","threshold":5e-324`))
	h.accepted("a threshold of the largest float", h.event(fact.TypeValidationRecorded, `"validation_id":"v","assertion_type":"a","status":"passed","threshold":"-1.7976931348623157e308"`))
	h.accepted("10,000 large numbers", h.event(fact.TypeSnapshotCaptured, `"snapshot_id":"s","kind":"manual","state":[`+strings.Repeat("1e308,1e-308,", 5000)+`0]`))

	h.begin("sequences")
	for text, reason := range inOrder(map[string]fact.Reason{
		"9223372036854775808": fact.ReasonRange, "9007199254740993": fact.ReasonRange, "9007199254740992": fact.ReasonRange, "-1": fact.ReasonRange, "0": fact.ReasonRange, "-0": fact.ReasonRange,
		"x": fact.ReasonSchema, "+1": fact.ReasonSchema, "1e3": fact.ReasonSchema, "0x1": fact.ReasonSchema, "1.0": fact.ReasonSchema, "١": fact.ReasonSchema, "--1": fact.ReasonSchema, "-": fact.ReasonSchema,
		"1\n": fact.ReasonSchema, "1,2": fact.ReasonSchema, strings.Repeat("0", 33) + "1": fact.ReasonSchema,
	}) {
		h.refused(reason, "sequence "+text, h.beat("", "ce_sequence="+text))
	}
	h.refused(fact.ReasonSchema, "sequence 1e3 as a number", h.whole(`"sequence":1e3,"data":{}`))
	h.refused(fact.ReasonSchema, "sequence as an object", h.whole(`"sequence":{},"data":{}`))
	h.accepted("the largest sequence", h.beat("", "ce_sequence=9007199254740991"))

	h.begin("integers")
	finished := func(code string) string { return `"outcome":"failed","exit_code":` + code }
	for code, reason := range inOrder(map[string]fact.Reason{
		"2147483648": fact.ReasonRange, "-2147483649": fact.ReasonRange, "1e10": fact.ReasonRange, `"99999999999999999999"`: fact.ReasonRange, "-1e400": fact.ReasonRange,
		"0.5": fact.ReasonSchema, `"0x7f"`: fact.ReasonSchema, "true": fact.ReasonSchema, "[1]": fact.ReasonSchema,
	}) {
		h.refused(reason, "exit code "+code, h.event(fact.TypeFinished, finished(code)))
	}
	h.refused(fact.ReasonRange, "ordinal below zero", h.event(fact.TypePhaseStarted, `"phase":"p","ordinal":-1`))
	h.refused(fact.ReasonRange, "attempt 0 of a request", h.event(fact.TypeRequested, `"scenario_id":"s","attempt":0`))
	h.refused(fact.ReasonSchema, "a version number of ten digits", h.event(fact.TypeStarted, `"scenario_version":"2147483648"`))
	h.accepted("exit code 2147483647, ordinal and attempt too", h.event(fact.TypeFinished, finished("2147483647")))
	h.accepted("the greatest ordinal", h.event(fact.TypePhaseStarted, `"phase":"p","ordinal":2147483647`))
	h.accepted("an exit code that underflows", h.event(fact.TypeFinished, finished("1e-999")))
}

// times are flaws of times and durations.
func (h *hostiles) times() {
	h.begin("times")
	for text, reason := range inOrder(map[string]fact.Reason{
		"2026-02-30T00:00:00Z": fact.ReasonTime, "2026-06-30T23:59:60Z": fact.ReasonTime, "2026-04-01T24:00:00Z": fact.ReasonTime, "2026-13-01T00:00:00Z": fact.ReasonTime,
		"2026-00-00T00:00:00Z": fact.ReasonTime, "2026-04-01t12:00:00z": fact.ReasonTime, "2026-04-01 12:00:00Z": fact.ReasonTime, "2026-04-01T12:00:00": fact.ReasonTime,
		"2026-04-01T12:00:00+24:00": fact.ReasonTime, "2026-04-01T12:00:00+23:60": fact.ReasonTime, "2026-04-01T12:00:00+0100": fact.ReasonTime, "2026-04-01T12:00:00 UTC": fact.ReasonTime,
		"2026-W14-3T12:00:00Z": fact.ReasonTime, "+2026-04-01T12:00:00Z": fact.ReasonTime, "-2026-04-01T12:00:00Z": fact.ReasonTime, "12026-04-01T12:00:00Z": fact.ReasonTime,
		"now": fact.ReasonTime, "infinity": fact.ReasonTime, "epoch": fact.ReasonTime, "1775044800000": fact.ReasonTime, "2026-04-01T12:00:00Z\n": fact.ReasonTime, "２０26-04-01T12:00:00Z": fact.ReasonTime,
		"2026-04-01T12:00:00." + strings.Repeat("0", 1000) + "Z": fact.ReasonTime,
		"0001-01-01T00:00:00Z": fact.ReasonTimeRange, "0000-01-01T00:00:00Z": fact.ReasonTimeRange, "1999-12-31T23:59:59.999999999Z": fact.ReasonTimeRange,
		"2000-01-01T00:00:00+00:01": fact.ReasonTimeRange, "9999-12-31T23:59:59-00:01": fact.ReasonTimeRange,
	}) {
		h.refused(reason, "time "+text, h.beat("", "ce_time="+text))
	}
	h.refused(fact.ReasonTime, "time of a line", h.event(fact.TypeLogAppended, `"lines":[{"message":"a","time":"yesterday"}]`))
	h.refused(fact.ReasonTimeRange, "deadline in the year 1", h.event(fact.TypeStarted, `"deadline":"0001-01-01T00:00:00Z"`))
	h.accepted("an offset of almost a day", h.beat("", "ce_time=2026-04-01T12:00:00-23:59"))
	h.accepted("the first moment, by its zone", h.beat("", "ce_time=1999-12-31T23:59:00-00:01"))

	h.begin("times ahead")
	h.flagged("time_suspect", "heartbeat ten years ahead", h.beat("", "ce_time=2099-01-01T00:00:00Z", "ce_sequence=7"))
	h.flagged("time_suspect", "the last moment", h.beat("", "ce_time=9999-12-31T23:59:59.999999999Z"))
	h.accepted("times in the data may be ahead", h.event(fact.TypeStarted, `"deadline":"9999-12-31T23:59:59.999999999Z"`))

	h.begin("durations")
	step := `"step_id":"s","kind":"wait","status":"passed","duration":`
	for text, reason := range inOrder(map[string]fact.Reason{
		"9223372036.854775808s": fact.ReasonRange, "-1s": fact.ReasonRange, "99999999999999999999s": fact.ReasonRange, "2562048h": fact.ReasonSchema,
		"": fact.ReasonSchema, "1": fact.ReasonSchema, "1 s": fact.ReasonSchema, "1e3s": fact.ReasonSchema, "P1D": fact.ReasonSchema, "1d": fact.ReasonSchema, "Infs": fact.ReasonSchema, "0x1s": fact.ReasonSchema,
		strings.Repeat("99999h", 10_000): fact.ReasonSchema, strings.Repeat("9", 10_000) + "s": fact.ReasonSchema,
	}) {
		h.refused(reason, "duration "+text[:min(len(text), 30)], h.event(fact.TypeStepFinished, step+`"`+text+`"`))
	}
	h.accepted("a duration of 100 years", h.event(fact.TypeStepFinished, step+`"876000h"`))
	h.accepted("a duration of nothing, from the parts of a nanosecond", h.event(fact.TypeStepFinished, step+`"0.0000000001s"`))
}
