package redisstore

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/rs/zerolog"
)

// Finding is something that the server lacks, what that degrades, and the
// remedy.
type Finding struct {
	Subject string // one word, stable: for metrics and for the reader of a log
	Problem string
	Effect  string
	Remedy  string // a line for the operator to run; empty when there is none
	Note    bool   // nothing is degraded
}

// String is the finding as a sentence for people.
func (f Finding) String() string {
	text := f.Problem + ": " + f.Effect
	if f.Remedy != "" {
		text += ". Remedy: " + f.Remedy
	}
	return text
}

// Capabilities are what the server was last seen to allow.
type Capabilities struct {
	Checked bool // a check was answered; until then everything is taken to be allowed
	Scripts bool // states are compared and set in one round trip
	Info    bool // eviction policy, role and run id are visible
	Writes  bool
}

// health holds the last findings.
type health struct {
	mu       sync.Mutex
	caps     Capabilities
	findings []Finding
}

// Findings lists what the server lacks, as of the last check.
func (s *Store) Findings() []Finding {
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	return slices.Clone(s.health.findings)
}

// Capabilities is what the server allows, as of the last check.
func (s *Store) Capabilities() Capabilities {
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	return s.health.caps
}

// setHealth replaces the findings and logs those that are new or gone; cause
// is the error that they came from, if one did.
func (s *Store) setHealth(caps Capabilities, findings []Finding, cause error) {
	s.health.mu.Lock()
	before := s.health.findings
	s.health.caps, s.health.findings = caps, findings
	s.health.mu.Unlock()

	for _, f := range findings {
		if !slices.Contains(before, f) {
			s.logFinding(f, cause)
		}
	}
	for _, f := range before {
		if !slices.ContainsFunc(findings, func(g Finding) bool { return g.Subject == f.Subject }) {
			s.log.Info().Str("subject", f.Subject).Msg("redis finding is settled")
		}
	}
}

func (s *Store) logFinding(f Finding, cause error) {
	level := zerolog.WarnLevel
	if f.Note {
		level = zerolog.InfoLevel
	}
	s.log.WithLevel(level).AnErr("cause", cause).Str("subject", f.Subject).Str("effect", f.Effect).Str("remedy", f.Remedy).Msg("redis: " + f.Problem)
}

// noteDenied adds what a call was denied, where no check has told it yet.
func (s *Store) noteDenied(err error) {
	command := deniedCommand(err)
	f := s.denied(command)
	s.health.mu.Lock()
	known := slices.ContainsFunc(s.health.findings, func(g Finding) bool { return g.Subject == f.Subject })
	if !known {
		s.health.findings = append(s.health.findings, f)
	}
	if f.Subject == subjectScripts {
		s.health.caps.Scripts = false
	}
	s.health.mu.Unlock()
	if !known {
		s.logFinding(f, err)
	}
}

// Subjects of findings.
const (
	subjectUnreachable  = "unreachable"
	subjectPing         = "ping"
	subjectScripts      = "scripts"
	subjectInfo         = "info"
	subjectTransactions = "transactions"
	subjectPublish      = "publish"
	subjectSelect       = "select"
	subjectKeys         = "keys"
	subjectWrites       = "writes"
	subjectEviction     = "eviction"
	subjectReplica      = "replica"
	subjectMemory       = "memory"
	subjectCluster      = "cluster"
	subjectSkipped      = "skipped"
)

// denied is the finding for a command that the user of the connection may not
// run; command "" stands for a key outside of what the user may touch.
func (s *Store) denied(command string) Finding {
	allow := func(rights string) string { return "ACL SETUSER " + s.user + " " + rights }
	may := func(names string) string { return "user " + s.user + " may not run " + names }
	switch command {
	case "ping":
		return Finding{
			Subject: subjectPing, Problem: may("PING"), Note: true,
			Effect: "nothing is degraded, connections are probed by reading a key",
			Remedy: allow("+ping"),
		}
	case "eval", "evalsha":
		return Finding{
			Subject: subjectScripts, Problem: may("EVAL, EVALSHA"),
			Effect: "live state is written by plain commands, in three round trips, and checked on read",
			Remedy: allow("+eval +evalsha"),
		}
	case "info":
		return Finding{
			Subject: subjectInfo, Problem: may("INFO"),
			Effect: "eviction policy and role are not checked, and a restart is noticed only when data was lost with it",
			Remedy: allow("+info"),
		}
	case "multi", "exec", "discard":
		return Finding{
			Subject: subjectTransactions, Problem: may("MULTI"), Note: true,
			Effect: "nothing is degraded, no transactions are used",
			Remedy: allow("+multi +exec +discard"),
		}
	case "publish":
		return Finding{
			Subject: subjectPublish, Problem: may("PUBLISH"), Note: true,
			Effect: "nothing is degraded, followers read streams",
			Remedy: allow(fmt.Sprintf("+publish &%s*", s.cfg.Prefix)),
		}
	case "select":
		return Finding{
			Subject: subjectSelect, Problem: may("SELECT") + ", and the URL names a database other than 0",
			Effect: "Redis is not used at all",
			Remedy: "take the database number out of the URL, or " + allow("+select"),
		}
	case "":
		return Finding{
			Subject: subjectKeys, Problem: fmt.Sprintf("user %s may not touch keys of prefix %q", s.user, s.cfg.Prefix),
			Effect: "Redis is not used at all",
			Remedy: allow(fmt.Sprintf("~%s*", s.cfg.Prefix)),
		}
	}
	return Finding{
		Subject: command, Problem: may(strings.ToUpper(command)),
		Effect: "the feature that needs it is not available",
		Remedy: allow("+" + command),
	}
}
