package redisstore

import (
	"encoding/base64"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/lock"
)

// keyspace names the keys. Those of one execution share a hash tag, so that a
// script may touch them together on a cluster. Ids cannot hold a brace: the
// contract's form of an id excludes it. A lock lies with the execution of its
// name, of which there may be none.
type keyspace string

func (k keyspace) state(id execution.ID) string  { return k.execution(id) + ":state" }
func (k keyspace) stream(id execution.ID) string { return k.execution(id) + ":stream" }
func (k keyspace) lock(name lock.Name) string    { return k.execution(execution.ID(name)) + ":lock" }
func (k keyspace) active() string                { return string(k) + "active-executions" }
func (k keyspace) epoch() string                 { return string(k) + "epoch" }
func (k keyspace) passes() string                { return string(k) + "passes" }
func (k keyspace) check() string                 { return string(k) + "check" }

func (k keyspace) execution(id execution.ID) string {
	return string(k) + "{exec:" + string(id) + "}"
}

// hint names the key of an event by the first half of its identity: 22
// characters. 128 bits leave no room for an accidental collision, and the
// value holds a part of the digest.
func (k keyspace) hint(key fact.Key) string {
	return string(k) + "idempotency:" + base64.RawURLEncoding.EncodeToString(key[:16])
}

// families are the patterns, in the syntax of SCAN, that cover every key of
// this store. The prefix is shared with others, so it is not a pattern itself.
func (k keyspace) families() []string {
	p := globEscaper.Replace(string(k))
	return []string{p + "{exec:*}:*", p + "idempotency:*", p + "active-executions", p + "epoch", p + "passes"}
}

var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)
