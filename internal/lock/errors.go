package lock

import (
	"fmt"
	"time"
)

// HeldError says that somebody else holds the lock.
type HeldError struct {
	Name   Name
	Holder Holder
	Token  Token
	// Until is when the lease ends unless it is renewed, by PostgreSQL's clock;
	// Remaining is how much of it is left.
	Until     time.Time
	Remaining time.Duration
}

// Error names holder and end.
func (e *HeldError) Error() string {
	return fmt.Sprintf("lock %s is held by %s until %s", e.Name, e.Holder, e.Until.UTC().Format(time.RFC3339Nano))
}

// Cause says how a lock was lost.
type Cause string

// The causes of a loss: another tenure has begun, or the tenure has ended in one
// of the states.
const (
	ByTaking   Cause = "taken"
	ByExpiry   Cause = Cause(Expired)
	ByRelease  Cause = Cause(Released)
	ByOperator Cause = Cause(Broken)
)

// LostError tells a holder that its tenure has ended: what it has not written
// yet must not be written.
type LostError struct {
	Name    Name
	Token   Token // of the tenure that has ended
	Cause   Cause
	Current Lock // what became of the name
}

// Error says how it was lost and, if another holds it now, to whom.
func (e *LostError) Error() string {
	text := fmt.Sprintf("lock %s with token %d is lost: ", e.Name, e.Token)
	switch e.Cause {
	case ByTaking:
		return text + fmt.Sprintf("taken by %s with token %d", e.Current.Holder, e.Current.Token)
	case ByOperator:
		return text + fmt.Sprintf("broken by %s: %s", e.Current.EndedBy, e.Current.EndReason)
	case ByExpiry:
		return text + "expired at " + e.Current.ExpiresAt.UTC().Format(time.RFC3339Nano)
	case ByRelease:
	}
	return text + "released"
}

// NotHeldError says that a token was never given for that name; after the
// database has failed over, also that it has forgotten to have given it.
type NotHeldError struct {
	Name    Name
	Token   Token
	Current Lock // without a token: nobody has ever held it
}

// Error names lock and token.
func (e *NotHeldError) Error() string {
	if e.Current.Token == 0 {
		return fmt.Sprintf("lock %s is not held: nobody has ever asked for it", e.Name)
	}
	return fmt.Sprintf("lock %s is not held with token %d: its last token is %d", e.Name, e.Token, e.Current.Token)
}

// InvalidError says that a wish breaks a rule.
type InvalidError struct {
	Field string
	Rule  string // what would have been right
}

// Error names field and rule.
func (e *InvalidError) Error() string { return e.Field + ": " + e.Rule }
