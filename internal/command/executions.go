package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/accept"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/lock"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// NotReady says that a scenario may not run now; its findings say why.
type NotReady struct{ Readiness }

func (e *NotReady) Error() string {
	for _, f := range e.Findings {
		if !f.Satisfied {
			return "the scenario may not run now: " + f.Message
		}
	}
	return "the scenario may not run now"
}

// RequestExecution records that somebody asks for a run, if the scenario may
// run now, and tells the coordinator. Requests go one at a time, so that two
// that exclude each other cannot both be accepted. A *NotReady says why not. m
// is completed: with the hash of the version that is to run.
func (t *Tx) RequestExecution(ctx context.Context, m *contract.ExecutionRequested, guard *contract.LockToken) (*execution.Run, Readiness, error) {
	if err := t.guard(ctx, guard); err != nil {
		return nil, Readiness{}, err
	}
	// First what only requests for the same execution wait for, and batches that have
	// it in hand; then what all wait for.
	known, err := t.Tx.LockExecutions(ctx, []string{m.GetExecutionId()}, nil)
	if err != nil {
		return nil, Readiness{}, err
	}
	if err := t.Tx.LockRequests(ctx); err != nil {
		return nil, Readiness{}, err
	}
	ready, err := t.commands.readiness(ctx, t.Tx, scenario.ID(m.GetScenarioId()), m.GetScenarioVersion(), m.GetEnvironment(), t.Now())
	if err != nil {
		return nil, Readiness{}, err
	}
	if ready.Version == nil && m.GetScenarioVersion() != "" && ready.Known() {
		return nil, ready, &Refusal{Kind: NotFound, Reason: "version_not_found", Field: "execution.scenario_version", Message: fmt.Sprintf("scenario %s has no version %q", m.GetScenarioId(), m.GetScenarioVersion())}
	}
	if !ready.Ready {
		return nil, ready, &NotReady{ready}
	}
	m.ScenarioVersion = ready.Version.Hash.String()
	decoded, err := t.own(statement{message: m, runID: "request:" + t.request})
	if err != nil {
		return nil, ready, err
	}
	e := decoded.Execution
	f, err := t.foldOf(ctx, known, e)
	if err != nil {
		return nil, ready, err
	}
	if latest := f.Latest[e.ExecutionID()]; latest != nil && !latest.Run.Status.Terminal() {
		return nil, ready, &Refusal{
			Kind: Precondition, Reason: "execution_active", Field: "execution.execution_id",
			Message: fmt.Sprintf("run %d of %s is %s: wait for its end, cancel it, or choose another id", latest.Run.Number, e.Subject, latest.Run.Status),
		}
	}
	if f.Pruned(e) {
		return nil, ready, &Refusal{
			Kind: Precondition, Reason: "execution_pruned", Field: "request_id",
			Message: "this request was carried out before, and retention has removed its run: choose another request id",
		}
	}
	f.Apply(e, pgstore.OwnEvent)
	if err := t.tell(ctx, &e.Header, m); err != nil {
		return nil, ready, err
	}
	return &f.Latest[e.ExecutionID()].Run, ready, t.save(ctx, f)
}

// Known tells whether the scenario is known at all.
func (r *Readiness) Known() bool {
	for _, f := range r.Findings {
		if f.Rule == scenario.RuleKnown {
			return f.Satisfied
		}
	}
	return false
}

// CancelExecution asks the coordinator to end a run; number 0 is the latest.
func (t *Tx) CancelExecution(ctx context.Context, id execution.ID, number execution.RunNumber, reason string, guard *contract.LockToken) (*execution.Run, error) {
	if err := t.guard(ctx, guard); err != nil {
		return nil, err
	}
	return t.say(ctx, id, number, telling, func(r *execution.Run) (proto.Message, error) {
		if r.Status.Terminal() {
			return nil, &Refusal{
				Kind: Precondition, Reason: "execution_ended", Field: "execution_id",
				Message: fmt.Sprintf("run %d of %s has ended: it is %s", r.Number, r.ID, r.Status),
			}
		}
		return &contract.ExecutionCancelRequested{ExecutionId: string(id), Run: int32(r.Number), RunId: r.RunID, Reason: reason, Actor: t.Caller}, nil
	})
}

// AnnotateExecution adds a note to a run; number 0 is the latest. A run whose events
// retention has removed takes none: notes go with them.
func (t *Tx) AnnotateExecution(ctx context.Context, id execution.ID, number execution.RunNumber, text string) (*execution.Run, error) {
	return t.say(ctx, id, number, keeping, func(r *execution.Run) (proto.Message, error) {
		removed, err := t.Tx.Removed(ctx, pgstore.RunKey{ID: r.ID, Number: r.Number})
		if err != nil {
			return nil, err
		}
		if removed.Kinds.Has(retention.Events) {
			return nil, &Refusal{
				Kind: Precondition, Reason: "execution_pruned", Field: "execution_id",
				Message: fmt.Sprintf("retention has removed the events of run %d of %s, and would remove the note, too", r.Number, id),
			}
		}
		return &contract.ExecutionAnnotated{ExecutionId: string(id), Run: int32(r.Number), Text: text, Author: t.Caller}, nil
	})
}

// PinExecution keeps a run from being pruned, or lets it go; number 0 is the
// latest.
func (t *Tx) PinExecution(ctx context.Context, id execution.ID, number execution.RunNumber, pinned bool, reason string) (*execution.Run, error) {
	return t.say(ctx, id, number, keeping, func(r *execution.Run) (proto.Message, error) {
		return &contract.ExecutionPinned{ExecutionId: string(id), Run: int32(r.Number), Pinned: pinned, Reason: reason, Actor: t.Caller}, nil
	})
}

// audience is who hears of a statement.
type audience bool

const (
	keeping audience = false // whoever reads what is stored
	telling audience = true  // the coordinator, too
)

// say states something of a run that must be there.
func (t *Tx) say(ctx context.Context, id execution.ID, number execution.RunNumber, to audience, what func(*execution.Run) (proto.Message, error)) (*execution.Run, error) {
	f, err := t.fold(ctx, id)
	if err != nil {
		return nil, err
	}
	s := f.Latest[id]
	if s != nil && number != 0 && number != s.Run.Number {
		r, err := t.Tx.Run(ctx, pgstore.RunKey{ID: id, Number: number})
		if err != nil {
			return nil, orNoRun(err, id, number)
		}
		s = f.Add(r)
	}
	if s == nil {
		return nil, noRun(id, number)
	}
	m, err := what(&s.Run)
	if err != nil {
		return nil, err
	}
	decoded, err := t.own(statement{message: m, runID: s.Run.RunID, follows: lastWord(&s.Run, t.Now())})
	if err != nil {
		return nil, err
	}
	f.Say(s, decoded.Execution)
	if to == telling {
		if err := t.tell(ctx, &decoded.Execution.Header, m); err != nil {
			return nil, err
		}
	}
	return &s.Run, t.save(ctx, f)
}

// lastWord is the order of the last event of a run, for one of ours that follows. A
// time of others in the far future is not taken over; that of our own last word on a
// pin is, or an instance with a slower clock could not change it.
func lastWord(r *execution.Run, now time.Time) fact.Order {
	last := r.Marks.Latest()
	if last.Time.After(now.Add(time.Minute)) {
		last.Time = now
	}
	if pin := r.PinOrder(); pin.After(last) {
		return pin
	}
	return last
}

// fold locks an execution, and loads what an event of it would be merged into.
func (t *Tx) fold(ctx context.Context, id execution.ID, events ...*execution.Event) (*accept.Fold, error) {
	known, err := t.Tx.LockExecutions(ctx, []string{string(id)}, nil)
	if err != nil {
		return nil, err
	}
	return t.foldOf(ctx, known, events...)
}

// foldOf is fold for an execution that is locked.
func (t *Tx) foldOf(ctx context.Context, known map[execution.ID]pgstore.KnownID, events ...*execution.Event) (*accept.Fold, error) {
	f := accept.NewFold(t.commands.Source, t.Tx.Now(), known, 1)
	if err := f.Load(ctx, t.Tx, events); err != nil {
		return nil, err
	}
	t.folds = append(t.folds, f)
	return f, nil
}

func (t *Tx) save(ctx context.Context, f *accept.Fold) error {
	if t.commands.Redis != nil && t.Tx.Timeline() == 0 {
		if err := t.Tx.LearnTimeline(ctx); err != nil { // of the states that are shown
			return err
		}
	}
	return t.Tx.SaveExecutions(ctx, pgstore.Partition{}, f.Rows(), f.Changed())
}

// guard checks the lock that a write rests on; nil: it rests on none.
func (t *Tx) guard(ctx context.Context, token *contract.LockToken) error {
	if token == nil {
		return nil
	}
	return t.Tx.CheckLock(ctx, lock.Name(token.GetName()), lock.Token(token.GetToken()))
}

func orNoRun(err error, id execution.ID, number execution.RunNumber) error {
	if errors.Is(err, pgstore.ErrNotFound) {
		return noRun(id, number)
	}
	return err
}

func noRun(id execution.ID, number execution.RunNumber) *Refusal {
	if number == 0 {
		return &Refusal{Kind: NotFound, Reason: "execution_not_found", Field: "execution_id", Message: fmt.Sprintf("execution %s is not known", id)}
	}
	return &Refusal{Kind: NotFound, Reason: "execution_not_found", Field: "run", Message: fmt.Sprintf("execution %s has no run %d", id, number)}
}
