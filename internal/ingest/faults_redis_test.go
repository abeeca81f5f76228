package ingest_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// What may happen to Redis, which nothing depends on: ingest goes on in every
// row while the fault is there, and afterwards Redis shows what the rows say.
//
//	fault                                  what the row adds to the promises of all
//	down at start                          found when it comes
//	dies                                   its states are written again when it is back
//	dies for good                          nothing is shown as if it were known
//	hangs (SIGSTOP)                        given up within the budget of a call
//	swallowed by the network, three ways   likewise; a write whose answer is lost is done once in effect
//	refused by the network                 like one that is down
//	flushed                                noticed by its sentinel, and swept
//	restarted empty                        likewise
//	restarted with an old file             noticed, with the right to INFO and without, and swept
//	a replica                              said; what it shows is not touched
//	demoted to a replica of an empty one   said; swept when it is a primary again
//	out of memory, without eviction        said; written when there is room
//	evicting under pressure                allkeys-lfu: what vanished comes back
//	scripts forbidden                      said with the ACL line; plain commands from then on
//	writing forbidden, user removed        said with the remedy; written when it is allowed again
//	the ecosystem's ACL and policy         said right by right; works to the end
//
// Beside them, in other files: an engine without any Redis (package service,
// TestWithoutRedisItWorks); hints that lie (TestAHintIsNeverProof); states of
// rows that a failover of PostgreSQL lost (failover_test.go); the store alone
// (package redisstore: outage_test.go, check_test.go, cluster_test.go).
func TestFaultsOfRedis(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]func(*world) *fault{
		"down at start": func(w *world) *fault {
			must(w, w.redis.Kill())
			w.useLive(w.redis.URL())
			return &fault{
				early:   true,
				inject:  func() {},
				noticed: func() bool { return w.said.says("warn", `"subject":"unreachable"`) },
				heal:    func() { must(w, w.redis.Restart(w.Context())) },
			}
		},
		"dies": func(w *world) *fault {
			return &fault{
				inject:  func() { must(w, w.redis.Kill()) },
				noticed: w.redisIsAway,
				heal:    func() { must(w, w.redis.Restart(w.Context())) },
			}
		},
		"dies for good": func(w *world) *fault {
			return &fault{
				inject:  func() { must(w, w.redis.Kill()) },
				noticed: w.redisIsAway,
				live:    liveAway,
			}
		},
		"hangs": func(w *world) *fault {
			return &fault{
				inject:  func() { must(w, w.redis.Pause()) },
				noticed: w.redisIsAway,
				heal:    func() { must(w, w.redis.Resume()) },
			}
		},
		"swallowed by the network": func(w *world) *fault { return w.redisBehind((*testenv.NetworkProxy).Swallow) },
		"requests swallowed by the network": func(w *world) *fault {
			return w.redisBehind(func(p *testenv.NetworkProxy, _ ...testenv.Direction) { p.Swallow(testenv.ToServer) })
		},
		"answers swallowed by the network": func(w *world) *fault {
			return w.redisBehind(func(p *testenv.NetworkProxy, _ ...testenv.Direction) { p.Swallow(testenv.FromServer) })
		},
		"refused by the network": func(w *world) *fault {
			return w.redisBehind(func(p *testenv.NetworkProxy, _ ...testenv.Direction) { p.Refuse() })
		},
		"flushed": func(w *world) *fault {
			return &fault{
				inject: func() {
					w.awaitSweeps(1)
					w.flush()
				},
				noticed: func() bool { return w.said.count("live state swept") > 1 },
			}
		},
		"restarted empty": func(w *world) *fault {
			return &fault{
				inject: func() {
					w.awaitSweeps(1)
					must(w, w.redis.Kill())
					must(w, w.redis.Restart(w.Context()))
				},
				noticed: func() bool { return w.said.count("live state swept") > 1 },
			}
		},
		"restarted with an old file": func(w *world) *fault { return w.redisGoesBack(w.redis.URL()) },
		"restarted with an old file, without INFO": func(w *world) *fault {
			w.redis = testenv.Redis(w, "user test-adapter on >secret "+ecosystemRights)
			return w.redisGoesBack("redis://test-adapter:secret@" + w.redis.Addr())
		},
		"a replica": func(w *world) *fault {
			primary := testenv.Redis(w, "repl-diskless-sync-delay 0")
			w.replicate(primary)
			w.useLive(w.redis.URL())
			return &fault{
				early:   true,
				inject:  func() {},
				noticed: func() bool { return w.said.says("warn", `"subject":"replica"`, "point the URL at the primary") },
				heal:    func() { w.redisDo("REPLICAOF", "NO", "ONE") },
			}
		},
		"demoted to a replica of an empty one": func(w *world) *fault {
			primary := testenv.Redis(w, "repl-diskless-sync-delay 0")
			return &fault{
				inject: func() {
					w.awaitSweeps(1)
					w.replicate(primary)
				},
				noticed: func() bool { return w.said.says("warn", `"subject":"replica"`) },
				heal:    func() { w.redisDo("REPLICAOF", "NO", "ONE") },
			}
		},
		"out of memory, without eviction": func(w *world) *fault {
			return &fault{
				inject:  func() { w.redisDo("CONFIG", "SET", "maxmemory", "1") },
				noticed: func() bool { return w.said.says("warn", `"subject":"memory"`, "CONFIG SET maxmemory") },
				heal:    func() { w.redisDo("CONFIG", "SET", "maxmemory", "0") },
			}
		},
		"evicting under pressure": func(w *world) *fault {
			return &fault{
				inject: func() {
					used, err := strconv.Atoi(w.redisInfo("used_memory"))
					must(w, err)
					w.redisDo("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
					w.redisDo("CONFIG", "SET", "maxmemory", strconv.Itoa(used+256<<10))
					w.crowdRedis()
				},
				noticed: func() bool {
					w.crowdRedis()
					left := w.redis.Client(w).Exists(w.Context(), "test:epoch").Val()
					return left == 0 || w.said.count("live state swept") > 1 // evicted, and made right again
				},
				heal: func() { w.redisDo("CONFIG", "SET", "maxmemory", "0") },
			}
		},
		"scripts forbidden": func(w *world) *fault {
			w.useLive(w.redisUser("~test:* +@all &*"))
			return &fault{
				inject:  func() { w.redisDo("ACL", "SETUSER", "adapter", "-eval", "-evalsha") },
				noticed: func() bool { return w.said.says("warn", "may not run EVAL", "ACL SETUSER adapter +eval +evalsha") },
			}
		},
		"writing forbidden": func(w *world) *fault {
			w.useLive(w.redisUser("~test:* +@all &*"))
			return &fault{
				inject:  func() { w.redisDo("ACL", "SETUSER", "adapter", "-@write") },
				noticed: func() bool { return w.said.says("warn", "may not run SET", "ACL SETUSER adapter +set") },
				heal:    func() { w.redisDo("ACL", "SETUSER", "adapter", "+@write") },
			}
		},
		"user removed": func(w *world) *fault {
			w.useLive(w.redisUser("~test:* +@all &*"))
			return &fault{
				inject:  func() { w.redisDo("ACL", "DELUSER", "adapter") },
				noticed: func() bool { return w.said.says("warn", "refuses the credentials of user adapter") },
				heal:    func() { w.redisUser("~test:* +@all &*") },
			}
		},
		"the ecosystem's ACL and policy": func(w *world) *fault {
			w.useLive(w.ecosystemRedis())
			return &fault{
				early:  true,
				inject: func() {},
				noticed: func() bool {
					return w.said.says("warn", "may not run EVAL", "ACL SETUSER test-adapter +eval +evalsha") &&
						w.said.says("warn", "may not run INFO", "ACL SETUSER test-adapter +info")
				},
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFaultWorld(t)
			f := row(w)
			f.works = true // in every row
			w.withstand(f)
		})
	}
}

func (w *world) redisIsAway() bool { return w.metric("tcda_redis_up") == 0 }

// redisBehind is a fault of the network between the service and Redis.
func (w *world) redisBehind(harm func(*testenv.NetworkProxy, ...testenv.Direction)) *fault {
	proxy := testenv.Proxy(w, w.redis.Addr())
	w.useLive("redis://" + proxy.Addr())
	return &fault{
		inject:  func() { harm(proxy) },
		noticed: w.redisIsAway,
		heal:    proxy.Heal,
	}
}

// redisGoesBack is a Redis that restarts from a file of before: runs that have
// ended since are running again in it, and the sentinel is there.
func (w *world) redisGoesBack(url string) *fault {
	w.useLive(url)
	patient := w.patientLive()
	passes := func() int64 {
		n, err := patient.Passes(w.Context())
		must(w, err)
		return n
	}
	var saved int64
	var newer, restarted bool
	return &fault{
		inject: func() {
			w.awaitSweeps(1)
			testenv.Eventually(w, "a run that will end is shown", func() bool { return w.liveStatus("exec-1") == execution.StatusRunning })
			saved = passes()
			w.redisDo("SAVE")
		},
		noticed: func() bool {
			// A pass later the file lacks more than the next pass would bring. Two, for one may have been counted before the file was written.
			if newer = newer || w.liveStatus("exec-1") == execution.StatusPassed && passes() > saved+1; newer && !restarted {
				must(w, w.redis.Kill())
				must(w, w.redis.Restart(w.Context()))
				restarted = true
			}
			return restarted && w.said.count("live state swept") > 1
		},
	}
}

func (w *world) awaitSweeps(n int) {
	w.Helper()
	testenv.Eventually(w, fmt.Sprintf("live states are swept %d times", n), func() bool { return w.said.count("live state swept") >= n })
}

// redisDo runs a command as the server's administrator.
func (w *world) redisDo(command ...any) {
	w.Helper()
	if err := w.redis.Client(w).Do(w.Context(), command...).Err(); err != nil {
		w.Fatalf("%v: %v", command, err)
	}
}

// redisUser makes the user "adapter" with these rights, and gives the URL.
func (w *world) redisUser(rights string) string {
	w.Helper()
	w.redisDo(aclSetUser("adapter", rights)...)
	return "redis://adapter:secret@" + w.redis.Addr()
}

const ecosystemRights = "~test:* +@read +@write +@keyspace -@dangerous"

// ecosystemRedis gives the server the policy and the user of the ecosystem's.
func (w *world) ecosystemRedis() string {
	w.Helper()
	w.redisDo("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
	w.redisDo(aclSetUser("test-adapter", ecosystemRights)...)
	return "redis://test-adapter:secret@" + w.redis.Addr()
}

func aclSetUser(name, rights string) []any {
	command := []any{"ACL", "SETUSER", name, "on", ">secret"}
	for right := range strings.FieldsSeq(rights) {
		command = append(command, right)
	}
	return command
}

// replicate makes the world's server a replica, and waits until it is a copy.
func (w *world) replicate(primary *testenv.RedisServer) {
	w.Helper()
	host, port, err := net.SplitHostPort(primary.Addr())
	must(w, err)
	w.redisDo("REPLICAOF", host, port)
	testenv.Eventually(w, "the replica has copied its primary", func() bool { return w.redisInfo("master_link_status") == "up" })
}

// redisInfo is a value that INFO gives.
func (w *world) redisInfo(name string) string {
	w.Helper()
	for line := range strings.Lines(w.redis.Client(w).Info(w.Context()).Val()) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return value
		}
	}
	w.Fatalf("INFO has no %s", name)
	return ""
}

// crowdRedis does what others of a shared Redis do: it writes keys of theirs,
// and reads them, so that they are the last to be evicted.
func (w *world) crowdRedis() {
	w.Helper()
	_, err := w.redis.Client(w).Pipelined(w.Context(), func(pipe redis.Pipeliner) error {
		for n := range 2000 {
			key := fmt.Sprint("market:", n)
			pipe.Set(w.Context(), key, strings.Repeat("x", 200), 0)
			pipe.Get(context.WithoutCancel(w.Context()), key)
		}
		return nil
	})
	// OOM: all that can be evicted is, and the buffers of connections take the rest.
	if err != nil && !strings.Contains(err.Error(), redis.Nil.Error()) && !redis.HasErrorPrefix(err, "OOM") {
		w.Fatal(err)
	}
}
