// Package sabotage builds the service with one of its rules broken on purpose,
// so that the checker of a soak can prove that it sees the difference.
//
// A sabotage is a few exact replacements of source text, applied by the Go
// compiler's overlay: the tree is not touched, and the service has no hooks for
// it. A text that is not there, or not once, is an error that names the place: who
// changes the code there changes the sabotage, too.
package sabotage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/checker"
)

// Replacement is one change of a file, given from the root of the module.
type Replacement struct{ File, Old, New string }

// Sabotage is one broken rule.
type Sabotage struct {
	Name   string
	Breaks string // the rule, in words
	// Faults are those that bring it to light, by kind.
	Faults []string
	// Strikes is how often they must strike for that.
	Strikes int
	// Lasts is how long the soak has to be for that; three seconds if zero.
	Lasts time.Duration
	// Turns is what the checker must call it, and Says some of its words, any of which
	// tells of it; none: whatever it says.
	Turns        checker.Class
	Says         []string
	Replacements []Replacement
}

// Files that are changed.
const (
	applyFile       = "internal/ingest/apply.go"
	claimFile       = "internal/ingest/claim.go"
	onceFile        = "internal/command/command.go"
	definitionsFile = "internal/command/definitions.go"
	executionsFile  = "internal/api/executions.go"
	decodeFile      = "internal/ingest/decode.go"
	pruningFile     = "internal/pgstore/pruning.go"
	remainsFile     = "internal/execution/remains.go"
	fenceSQL        = "internal/pgstore/internal/dbsqlc/batch.go"
)

// All are the sabotages that the checker must see.
func All() []Sabotage {
	return []Sabotage{
		{
			Name:   "mark-first",
			Breaks: "an event is noted in Redis only after its commit, and a hint is never believed",
			Faults: []string{"worker.kill-busy"}, Strikes: 1,
			Turns: checker.Lost,
			Replacements: []Replacement{
				{decodeFile, "	hinted, repeats bool\n", "	hinted, repeats bool\n	believed        map[int]bool\n"},
				{decodeFile, "	w.hint(ctx, b)\n	return b\n", `	b.believed = map[int]bool{}
	var asked []redisstore.Hint
	var at []int
	for i := range b.items {
		if it := &b.items[i]; it.rejection == nil {
			asked, at = append(asked, hintOf(it.event.Header())), append(at, i)
		}
	}
	if known, err := w.Redis.Known(ctx, asked); err == nil {
		var fresh []redisstore.Hint
		for i := range known {
			if known[i] {
				b.believed[at[i]] = true
			} else {
				fresh = append(fresh, asked[i])
			}
		}
		_ = w.Redis.MarkKnown(ctx, fresh)
	}
	return b
`},
				{applyFile, "		case !selected(i):\n", "		case b.believed[i]:\n			out.hinted++\n		case !selected(i):\n"},
			},
		},
		{
			Name:   "no-fence",
			Breaks: "a batch is committed only by who has claimed the partition, at the position that it was fetched from",
			Faults: []string{"worker.zombie"}, Strikes: 6, // a zombie with nothing but a COMMIT on its way does no harm
			Turns: checker.Doubled,
			Replacements: []Replacement{
				{fenceSQL, "AND epoch = $5 AND next_offset = $6\nRETURNING left", "AND ($5::bigint > 0 OR $6::bigint >= 0)\nRETURNING left"},
			},
		},
		{
			Name:   "no-identity",
			Breaks: "an event is known by source, id and subject, wherever it comes from",
			Faults: []string{"redis.flush"}, Strikes: 1,
			Turns: checker.Doubled,
			Replacements: []Replacement{
				{decodeFile, "	it.event, it.rejection = w.Decoder.Decode(it.record, now)\n", `	it.event, it.rejection = w.Decoder.Decode(it.record, now)
	if it.rejection == nil {
		h := it.event.Header()
		h.Key = fact.NewKey(h.Source, fmt.Sprint(h.ID, w.claim.Topic, w.claim.Number, it.record.Offset), h.Subject)
	}
`},
			},
		},
		{
			Name:   "forgotten-requests",
			Breaks: "a request to the API is carried out once, however often it comes",
			Faults: []string{"worker.kill"}, Strikes: 1,
			Turns: checker.Wrong, // what is written again is something that nobody has asked for
			Replacements: []Replacement{
				{onceFile, "			answer = before.Answer\n			return sameRequest(r, before)\n", "			tx.request += c.Now().Format(\".again.150405.000000\")\n"},
			},
		},
		{
			Name:   "answered-early",
			Breaks: "a request to the API is answered only after its commit",
			Faults: []string{"worker.kill"}, Strikes: 3,
			Turns: checker.Lost,
			Replacements: []Replacement{
				{onceFile, "func (c *Commands) Once(ctx context.Context, r Request, work func(context.Context, *Tx) (answer []byte, err error)) ([]byte, error) {\n", `func (c *Commands) Once(ctx context.Context, r Request, work func(context.Context, *Tx) (answer []byte, err error)) ([]byte, error) {
	type outcome struct {
		answer []byte
		err    error
	}
	first := make(chan outcome, 2)
	go func() {
		answer, err := c.once(context.WithoutCancel(ctx), r, func(ctx context.Context, tx *Tx) ([]byte, error) {
			answer, err := work(ctx, tx)
			if err == nil {
				first <- outcome{answer, nil}
				time.Sleep(300 * time.Millisecond)
			}
			return answer, err
		})
		first <- outcome{answer, err}
	}()
	o := <-first
	return o.answer, o.err
}

func (c *Commands) once(ctx context.Context, r Request, work func(context.Context, *Tx) (answer []byte, err error)) ([]byte, error) {
`},
			},
		},
		{
			Name:   "old-news",
			Breaks: "who publishes a content that is new is told so",
			Faults: []string{"redis.flush"}, Strikes: 1,
			Turns: checker.Wrong, Says: []string{"no new version, want a new one"},
			Replacements: []Replacement{
				{definitionsFile, "New: v.Number > newest}", "New: v.Number > newest+1}"},
			},
		},
		{
			Name:   "first-run",
			Breaks: "a request that names no run is about the latest",
			Faults: []string{"redis.flush"}, Strikes: 1, Lasts: 20 * time.Second, // until runs have followed others
			Turns: checker.Wrong, Says: []string{"the run of event"},
			Replacements: []Replacement{
				{executionsFile, "tx.AnnotateExecution(ctx, execution.ID(m.GetExecutionId()), execution.RunNumber(m.GetRun())", "tx.AnnotateExecution(ctx, execution.ID(m.GetExecutionId()), execution.RunNumber(max(m.GetRun(), 1))"},
				{executionsFile, "tx.PinExecution(ctx, execution.ID(m.GetExecutionId()), execution.RunNumber(m.GetRun())", "tx.PinExecution(ctx, execution.ID(m.GetExecutionId()), execution.RunNumber(max(m.GetRun(), 1))"},
			},
		},
		{
			Name:   "forgotten-runs",
			Breaks: "a run that retention removes leaves a tombstone",
			Faults: []string{"redis.flush"}, Strikes: 1, Lasts: 20 * time.Second, // until runs are removed
			Turns: checker.Lost, Says: []string{"executions is no row"},
			Replacements: []Replacement{
				{pruningFile, "	for _, d := range due {\n		marks.Ids", "	for _, d := range due {\n		if d.Go.Has(retention.Run) {\n			continue\n		}\n		marks.Ids"},
			},
		},
		{
			Name:   "ghosts",
			Breaks: "what is said again of a run that retention has removed is a duplicate, and opens no other run",
			Faults: []string{"redis.flush"}, Strikes: 1, Lasts: 40 * time.Second, // until it is said again
			Turns: checker.Wrong, Says: []string{"which was pruned", "latest_run is"},
			Replacements: []Replacement{
				{remainsFile, "	case m.Named:\n		return true\n", "	case m.Named:\n		return false\n"},
			},
		},
		{
			Name:   "offsets-in-kafka",
			Breaks: "work goes on from the position in PostgreSQL; Kafka's committed offset means nothing",
			Faults: []string{"worker.kill-busy"}, Strikes: 1,
			Turns: checker.Lost,
			Replacements: []Replacement{
				{claimFile, "	w.offsetAt.Store(w.claim.Next)\n", "	w.claim.Next = max(w.assignment.Committed, log.Start)\n	w.offsetAt.Store(w.claim.Next)\n"},
				{decodeFile, "	w.hint(ctx, b)\n	return b\n", "	w.hint(ctx, b)\n	w.offsetAt.Store(b.next)\n	return b\n"},
				{fenceSQL, "AND epoch = $5 AND next_offset = $6\nRETURNING left", "AND epoch = $5 AND $6::bigint >= 0\nRETURNING left"},
			},
		},
	}
}

// Build builds the sabotaged service from the module in root, with what it needs
// in dir, and returns the program's file.
func (s Sabotage) Build(ctx context.Context, root, dir string) (string, error) {
	program := filepath.Join(dir, "tcda-"+s.Name)
	return program, s.build(ctx, root, dir, "-o", program, "./cmd/tcda")
}

// Compile only compiles the sabotaged service: it is enough to see whether the
// sabotage fits the code, and sooner done.
func (s Sabotage) Compile(ctx context.Context, root, dir string) error {
	return s.build(ctx, root, dir, "./internal/service")
}

func (s Sabotage) build(ctx context.Context, root, dir string, what ...string) error {
	overlay, err := s.overlay(root, dir)
	if err != nil {
		return fmt.Errorf("sabotage %s: %w", s.Name, err)
	}
	build := exec.CommandContext(ctx, "go", append([]string{"build", "-overlay", overlay}, what...)...)
	build.Dir = root
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("sabotage %s: build: %w: %s", s.Name, err, said)
	}
	return nil
}

// overlay writes the changed files and the list of them that the compiler reads.
func (s Sabotage) overlay(root, dir string) (string, error) {
	changed, replace := map[string][]byte{}, map[string]string{}
	for _, r := range s.Replacements {
		text, ok := changed[r.File]
		if !ok {
			var err error
			if text, err = os.ReadFile(filepath.Join(root, r.File)); err != nil {
				return "", err
			}
		}
		if n := bytes.Count(text, []byte(r.Old)); n != 1 {
			return "", fmt.Errorf("%s: this text is there %d times, and should be once:\n%s", r.File, n, r.Old)
		}
		changed[r.File] = bytes.Replace(text, []byte(r.Old), []byte(r.New), 1)
	}
	for file, text := range changed {
		path, err := filepath.Abs(filepath.Join(root, file))
		if err != nil {
			return "", err
		}
		replace[path] = filepath.Join(dir, s.Name+"-"+strconv.Itoa(len(replace))+".go")
		if err := os.WriteFile(replace[path], text, 0o600); err != nil {
			return "", err
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, s.Name+".json")
	return file, os.WriteFile(file, list, 0o600)
}
