package checker_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/checker"
)

// Each line is what a coordinator says about one execution id, and the runs that
// it belongs to by the contract. Written as type@second, then /source, #sequence
// and =runid where they are given.
func TestWhichRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ says, runs string }{
		{"started@1 heartbeat@2 finished@3", "1 1 1"},
		{"finished@3 heartbeat@2 started@1", "1 1 1"},
		// The same id, same run; a new id, a new run; the one before stays.
		{"started@1=a heartbeat@2=b heartbeat@3=a started@1=a", "1 2 1 1"},
		// (a) after the end of the latest run; not at it, and not for anything else.
		{"started@1 finished@3 started@4", "1 1 2"},
		{"started@1 finished@3 requested@4 started@5", "1 1 2 2?"},
		{"started@1#1 finished@3#2 started@3#3", "1 1 1"},
		{"started@1 finished@3 heartbeat@4", "1 1 1?"},
		// (b) a start that cannot come from where the run was started.
		{"started@1#1 started@2/b#2", "1 2!"},
		{"started@1#5 heartbeat@2#6 started@3#1", "1 1 2!"},
		{"started@1#5 started@3#5", "1 2!"},
		{"started@2#5 started@1#1", "1 1?"}, // earlier
		{"started@1#1 started@2#2", "1 1"},  // goes on counting
		{"heartbeat@1 started@2", "1 1"},    // the first start
		// Interrupted by the next start, and after that a start later than that.
		{"started@1 started@5/b started@9/c", "1 2! 3!"},
		// Which of several runs an event without a runid means, is a guess.
		{"started@1 finished@2 started@3 heartbeat@4", "1 1 2 2?"},
		{"started@1=a heartbeat@2", "1 1?"},
		{"started@1=a finished@2=a started@3", "1 1 2"},
		// The far future opens no run, and ends none for those who come after it.
		{"started@1 finished@2 started@999999999", "1 1 1?"},
		{"started@1 heartbeat@999999999=b", "1 1?"},
		{"started@1 finished@999999999 started@2", "1 1 2"},
	} {
		h := &history{ends: map[checker.Partition]int64{}, ledger: map[checker.Partition][]checker.Ack{}}
		for i, word := range strings.Fields(c.says) {
			s := said{id: fmt.Sprint("e", i), subject: "exec-a", data: `{"execution_id":"exec-a"}`}
			s.typ, word, _ = strings.Cut(word, "@")
			word, s.runID, _ = strings.Cut(word, "=")
			word, sequence, _ := strings.Cut(word, "#")
			word, source, other := strings.Cut(word, "/")
			if other {
				s.source = "/coordinator/" + source
			}
			at := 0
			if _, err := fmt.Sscan(word, &at); err != nil {
				t.Fatalf("%q: %v", c.says, err)
			}
			s.at = second(at)
			if sequence != "" {
				if _, err := fmt.Sscan(sequence, &s.sequence); err != nil {
					t.Fatalf("%q: %v", c.says, err)
				}
			}
			switch s.typ {
			case "finished":
				s.data = `{"execution_id":"exec-a","outcome":"passed"}`
			case "requested":
				s.data = `{"execution_id":"exec-a","scenario_id":"calm"}`
			}
			s.typ = "execution." + s.typ
			h.send(executionsTopic, 0, s, false)
		}
		if runs := strings.Join(checker.Places(h.records, second(24*3600)), " "); runs != c.runs {
			t.Errorf("%s\nare in the runs %s, want %s", c.says, runs, c.runs)
		}
	}
}
