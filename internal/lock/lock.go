// Package lock says what an execution lock is: an exclusive claim that expires,
// with a fencing token. It is pure; whether a lease has run out is told by
// PostgreSQL's clock alone, which package pgstore reads.
//
// The life of one name:
//
//	(never asked for) ──acquire──▶ held ──release──▶ released ──acquire──▶ held, next token
//	                                │ ▲
//	                                │ └──renew, or acquire by the same holder: the same token
//	                                ├──time──▶ expired ──acquire──▶ held, next token
//	                                └──break, by an operator──▶ broken ──acquire──▶ held, next token
//
// Non-obvious, and what the rest is built on:
//   - A holder cannot know that it still holds: it may have been stopped between
//     its last look and its next write. So whoever writes under a lock states
//     the token, and PostgreSQL compares it in the transaction that writes.
//   - The token of a name never falls and is never given twice, whatever became
//     of the leases: a row stays when its lock is free.
//   - A lease that has run out is not given back to its token, even if nobody
//     else came: the next acquire has another token.
//   - A holder is told how much of its lease is left, not only until when it
//     lasts: its clock may be another.
package lock

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Name is what a lock is asked for by: mostly the id of the execution, or of the
// scenario, that it protects.
type Name string

// Holder names who holds a lock. One that asks again while it holds gets the
// same lock, so that a lost answer can be asked for anew: two programs that must
// exclude each other must not share the name.
type Holder string

// Token is the fencing token of one tenure of a lock, from 1. A later tenure of
// the same name has a higher one.
type Token int64

// State says whether somebody holds a lock.
type State string

// The states of a lock.
const (
	Held     State = "held"
	Expired  State = "expired"  // the holder has let the lease run out
	Released State = "released" // the holder has given it back
	Broken   State = "broken"   // an operator has taken it from the holder
)

// Lock is the present or the last tenure of a name. All times are PostgreSQL's.
type Lock struct {
	Name       Name
	Holder     Holder
	Token      Token
	Purpose    string // what for, in the holder's words
	State      State
	AcquiredAt time.Time
	RenewedAt  time.Time // of the last renewal; AcquiredAt before the first
	ExpiresAt  time.Time // when the lease ends, or would have ended
	// Remaining is how much of the lease was left when PostgreSQL answered; zero
	// unless the lock is held. Counted from before the question was sent, it holds
	// by any clock.
	Remaining time.Duration
	EndedAt   time.Time // when it was released or broken; zero for neither
	EndedBy   string    // who has broken it
	EndReason string    // why it was broken
}

// Check tells whether the tenure of that token lasts: nil, a *LostError, or a
// *NotHeldError.
func (l Lock) Check(token Token) error {
	switch {
	case token > l.Token || token < 1:
		return &NotHeldError{Name: l.Name, Token: token, Current: l}
	case token < l.Token:
		return &LostError{Name: l.Name, Token: token, Cause: ByTaking, Current: l}
	case l.State == Held:
		return nil
	}
	return &LostError{Name: l.Name, Token: token, Cause: Cause(l.State), Current: l}
}

// The limits of what may be asked for.
const (
	ShortestLease = time.Second
	LongestLease  = 24 * time.Hour
	longestID     = 200
	longestText   = 4096 // bytes of a purpose or a reason
)

// Ask is a wish for a lock.
type Ask struct {
	Name    Name
	Holder  Holder
	Lease   time.Duration
	Purpose string // may be empty
}

// Check tells which rule an ask breaks, as an *InvalidError.
func (a Ask) Check() error {
	if err := checkID("name", string(a.Name)); err != nil {
		return err
	}
	if err := checkID("holder", string(a.Holder)); err != nil {
		return err
	}
	if err := CheckLease(a.Lease); err != nil {
		return err
	}
	return checkText("purpose", a.Purpose)
}

// CheckLease tells whether a lease is too short or too long, as an *InvalidError.
func CheckLease(d time.Duration) error {
	if d < ShortestLease || d > LongestLease {
		return &InvalidError{Field: "lease", Rule: fmt.Sprintf("between %v and %v", ShortestLease, LongestLease)}
	}
	return nil
}

// Break is an operator's word that a holder has had a lock for long enough.
type Break struct {
	Name   Name
	Token  Token // of the tenure that is meant: another one is left alone
	By     string
	Reason string
}

// Check tells which rule a break breaks, as an *InvalidError.
func (b Break) Check() error {
	if err := checkID("name", string(b.Name)); err != nil {
		return err
	}
	switch {
	case b.By == "":
		return &InvalidError{Field: "by", Rule: "required"}
	case b.Reason == "":
		return &InvalidError{Field: "reason", Rule: "required"}
	}
	if err := checkText("by", b.By); err != nil {
		return err
	}
	return checkText("reason", b.Reason)
}

// checkID holds an id to the contract's form, that of every id there.
func checkID(field, id string) error {
	const rule = "a letter or digit, then at most 199 letters, digits, dots, underscores, colons and hyphens"
	if id == "" || len(id) > longestID {
		return &InvalidError{Field: field, Rule: rule}
	}
	for i, c := range []byte(id) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '_' && c != ':' && c != '-') {
			return &InvalidError{Field: field, Rule: rule}
		}
	}
	return nil
}

func checkText(field, text string) error {
	if len(text) > longestText || !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		return &InvalidError{Field: field, Rule: fmt.Sprintf("UTF-8 without NUL, at most %d bytes", longestText)}
	}
	return nil
}
