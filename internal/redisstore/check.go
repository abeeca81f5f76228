package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Check looks at what the server allows and how it is set up, and replaces
// Findings and Capabilities. Its error is ErrUnavailable when the server did
// not answer; what the server lacks is no error.
func (s *Store) Check(ctx context.Context) error {
	var mu sync.Mutex // a cluster's nodes are looked at side by side
	caps := Capabilities{Checked: true, Scripts: true, Info: true, Writes: true}
	var findings []Finding
	err := s.do(ctx, "check server", s.cfg.Budget, func(ctx context.Context) error {
		return s.forEachNode(ctx, func(ctx context.Context, node *redis.Client) error {
			nodeCaps, nodeFindings, err := s.checkNode(ctx, node)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			caps.Scripts = caps.Scripts && nodeCaps.Scripts
			caps.Info = caps.Info && nodeCaps.Info
			caps.Writes = caps.Writes && nodeCaps.Writes
			findings = firstOfEachSubject(append(findings, nodeFindings...))
			return nil
		})
	})
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return err
		}
		// What was known of the server stays; it will mostly be the same one.
		s.setHealth(s.Capabilities(), []Finding{s.unreachable(err)}, err)
		return err
	}
	s.setHealth(caps, findings, nil)
	return nil
}

func (s *Store) unreachable(err error) Finding {
	f := Finding{
		Subject: subjectUnreachable, Problem: "Redis does not answer",
		Effect: "live state, hints and the active set are not kept; ingest goes on, and a sweep follows when it is back",
	}
	if redis.IsAuthError(err) || redis.HasErrorPrefix(err, "WRONGPASS") || redis.HasErrorPrefix(err, "NOAUTH") {
		f.Problem = "Redis refuses the credentials of user " + s.user
		f.Remedy = "correct user and password in the URL"
	}
	return f
}

// checkNode tries, in one round trip, everything that some feature needs.
func (s *Store) checkNode(ctx context.Context, node *redis.Client) (Capabilities, []Finding, error) {
	key := s.keys.check()
	pipe := node.Pipeline()
	read := pipe.Get(ctx, s.keys.epoch())
	write := pipe.Set(ctx, key, "1", time.Second)
	ping := pipe.Ping(ctx)
	eval := pipe.Eval(ctx, harmless.source, []string{key})
	evalsha := pipe.EvalSha(ctx, harmless.script.Hash(), []string{key})
	info := pipe.Info(ctx)
	multi := pipe.Do(ctx, "MULTI")
	pipe.Do(ctx, "DISCARD")
	publish := pipe.Publish(ctx, key, "")
	caps := Capabilities{Scripts: true, Info: true, Writes: true}
	switch err := exec(ctx, pipe); {
	case errors.Is(class(err), ErrDenied): // SELECT, as the connection is made
		return Capabilities{Checked: true}, []Finding{s.denied(deniedCommand(err))}, nil
	case err != nil:
		return caps, nil, err
	}

	var findings []Finding
	if err := read.Err(); errors.Is(class(err), ErrDenied) {
		return Capabilities{Checked: true}, []Finding{s.denied(deniedCommand(err))}, nil
	}
	if info.Err() == nil {
		findings = append(findings, s.infoFindings(parseInfo(info.Val()))...)
	}
	if f, broken := s.writeFinding(write.Err()); broken {
		caps.Writes = false
		findings = append(findings, f)
	}
	for _, right := range []struct {
		command string
		err     error
		lost    *bool
	}{
		{"eval", errors.Join(eval.Err(), evalsha.Err()), &caps.Scripts},
		{"info", info.Err(), &caps.Info},
		{"ping", ping.Err(), nil},
		{"multi", multi.Err(), nil},
		{"publish", publish.Err(), nil},
	} {
		switch {
		case right.err == nil:
		case errors.Is(class(right.err), ErrDenied):
			findings = append(findings, s.denied(right.command))
			if right.lost != nil {
				*right.lost = false
			}
		case unknownCommand(right.err):
			findings = append(findings, skipped(strings.ToUpper(right.command)))
			if right.lost != nil {
				*right.lost = false
			}
		}
	}
	return caps, firstOfEachSubject(findings), nil
}

// firstOfEachSubject keeps one finding where several tell the same: a replica
// refuses a write and names its role, and all nodes of a cluster have one ACL.
func firstOfEachSubject(findings []Finding) []Finding {
	var kept []Finding
	for _, f := range findings {
		if !slices.ContainsFunc(kept, func(k Finding) bool { return k.Subject == f.Subject }) {
			kept = append(kept, f)
		}
	}
	return kept
}

// harmless is a script that does nothing, to learn whether scripts may run.
var harmless = struct {
	source string
	script *redis.Script
}{"return 1", redis.NewScript("return 1")}

func skipped(what string) Finding {
	return Finding{
		Subject: subjectSkipped + "_" + strings.ToLower(what), Problem: "the server does not know " + what,
		Effect: "that check is skipped", Note: true,
	}
}

func (s *Store) writeFinding(err error) (Finding, bool) {
	switch c := class(err); {
	case err == nil:
		return Finding{}, false
	case errors.Is(c, ErrDenied):
		return s.denied(deniedCommand(err)), true
	case errors.Is(c, ErrFull):
		return Finding{
			Subject: subjectMemory, Problem: "Redis has reached maxmemory and may evict nothing",
			Effect: "live state and hints are not written; readers fall back to PostgreSQL",
			Remedy: "CONFIG SET maxmemory <more>",
		}, true
	case errors.Is(c, ErrReadOnly):
		return Finding{
			Subject: subjectReplica, Problem: "Redis takes no writes: " + firstSentence(err),
			Effect: "live state and hints are not written; readers fall back to PostgreSQL",
			Remedy: "point the URL at the primary",
		}, true
	}
	// On a cluster the key of the check lies on one node only.
	if _, moved := redis.IsMovedError(err); moved {
		return Finding{}, false
	}
	return Finding{
		Subject: subjectWrites, Problem: "Redis refused a write: " + firstSentence(err),
		Effect: "live state and hints may be missing; readers fall back to PostgreSQL",
	}, true
}

func firstSentence(err error) string {
	text, _, _ := strings.Cut(err.Error(), ". ")
	return strings.TrimSuffix(text, ".")
}

// infoFindings judges how the server is set up. A server that does not say
// (an embedded stand-in) is not judged, and that is said.
func (s *Store) infoFindings(info map[string]string) []Finding {
	var findings []Finding
	switch policy, ok := info["maxmemory_policy"]; {
	case !ok:
		findings = append(findings, skipped("maxmemory-policy"))
	case policy != "noeviction":
		findings = append(findings, Finding{
			Subject: subjectEviction, Problem: fmt.Sprintf("maxmemory-policy is %s, not noeviction", policy),
			Effect: "live state, streams and hints may vanish under memory pressure; readers fall back to PostgreSQL, and losing the sentinel causes a sweep",
			Remedy: "CONFIG SET maxmemory-policy noeviction, or give the adapter a Redis of its own",
		})
	}
	if info["role"] == "slave" {
		findings = append(findings, Finding{
			Subject: subjectReplica, Problem: "the server is a replica of " + info["master_host"] + ":" + info["master_port"],
			Effect: "live state and hints are not written; readers fall back to PostgreSQL",
			Remedy: "point the URL at the primary",
		})
	}
	if info["cluster_enabled"] == "1" && !s.cfg.Cluster {
		findings = append(findings, Finding{
			Subject: subjectCluster, Problem: "the server is a node of a Redis Cluster, and the adapter is not told so",
			Effect: "only the keys of this node are kept",
			Remedy: "turn on the cluster setting",
		})
	}
	return findings
}

// parseInfo reads the name:value lines of INFO.
func parseInfo(text string) map[string]string {
	info := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info
}

// runIDs lists the run ids of all nodes in a stable order.
func (s *Store) runIDs(ctx context.Context) ([]string, error) {
	var mu sync.Mutex
	var ids []string
	err := s.forEachNode(ctx, func(ctx context.Context, node *redis.Client) error {
		text, err := node.Info(ctx, "server").Result()
		if err != nil {
			return err
		}
		if id := parseInfo(text)["run_id"]; id != "" {
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, id)
		}
		return nil
	})
	slices.Sort(ids)
	return ids, err
}
