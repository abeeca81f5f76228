package redisstore_test

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/lock"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// startCluster runs a cluster of two masters with half of the slots each.
func startCluster(t *testing.T) []*server {
	t.Helper()
	nodes := make([]*server, 2)
	busPorts := make([]int, len(nodes))
	for i := range nodes {
		busPort, err := childproc.FreePort(t.Context())
		if err != nil {
			t.Fatalf("find a port for the cluster bus: %v", err)
		}
		busPorts[i] = busPort
		nodes[i] = startServer(t, "cluster-enabled yes", "cluster-port "+strconv.Itoa(busPort))
		if err := nodes[i].ClusterAddSlotsRange(t.Context(), i*8192, i*8192+8191).Err(); err != nil {
			t.Fatalf("assign slots: %v", err)
		}
	}
	host, port, _ := net.SplitHostPort(nodes[1].Addr())
	if err := nodes[0].Do(t.Context(), "CLUSTER", "MEET", host, port, busPorts[1]).Err(); err != nil {
		t.Fatalf("join the nodes: %v", err)
	}
	for _, node := range nodes {
		testenv.Eventually(t, "the cluster is whole", func() bool {
			info := node.ClusterInfo(t.Context()).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_slots_assigned:16384")
		})
	}
	return nodes
}

func TestClusterKeepsTheKeysOfAnExecutionTogether(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t)
	store := open(t, redisstore.Config{URL: nodes[0].URL(), Cluster: true})
	wantFindings(t, store)

	// Enough executions to lie on both nodes.
	states := make([]execution.Live, 20)
	hints := make([]redisstore.Hint, len(states))
	known := make([]bool, len(states))
	for i := range states {
		states[i] = running(1)
		states[i].ExecutionID = execution.ID(fmt.Sprintf("exec-%02d", i))
		hints[i], known[i] = hint(strconv.Itoa(i)), true
	}
	if got, want := apply(t, store, states...), (redisstore.Outcome{Applied: 20}); got != want {
		t.Errorf("outcome = %+v, want %+v", got, want)
	}
	for _, node := range nodes {
		held := make(map[string]int)
		for _, key := range node.Keys(t.Context(), "test:{exec:*").Val() {
			tag, _, _ := strings.Cut(key, "}")
			held[tag]++
		}
		if len(held) == 0 {
			t.Errorf("node %s holds no execution", node.Addr())
		}
		for tag, n := range held {
			if n != 2 {
				t.Errorf("node %s holds %d keys of %s, want both", node.Addr(), n, tag)
			}
		}
	}
	for _, live := range states {
		wantState(t, store, live)
		held := redisstore.ShownLock{Name: lock.Name(live.ExecutionID), Holder: "a", Token: 1, Remaining: time.Hour}
		if err := store.ShowLock(t.Context(), held); err != nil {
			t.Fatalf("show lock: %v", err)
		}
		if got, ok, err := store.ShownLock(t.Context(), held.Name); !ok || err != nil || got.Holder != "a" {
			t.Errorf("lock shown: %+v, %t, %v", got, ok, err)
		}
		if err := store.HideLock(t.Context(), held.Name); err != nil {
			t.Fatalf("hide lock: %v", err)
		}
	}
	if got, err := store.Active(t.Context(), 100); err != nil || len(got) != len(states) {
		t.Errorf("%d active, %v, want %d", len(got), err, len(states))
	}
	if err := store.MarkKnown(t.Context(), hints); err != nil {
		t.Fatalf("mark known: %v", err)
	}
	got, err := store.Known(t.Context(), hints)
	if diff := cmp.Diff(known, got); diff != "" || err != nil {
		t.Errorf("known: %v (-want +got):\n%s", err, diff)
	}
	if runID, err := store.RunID(t.Context()); err != nil || len(runID) != 40+1+40 {
		t.Errorf("run id = %q, %v, want those of both nodes", runID, err)
	}
	// State and stream of each, their hints and the active set.
	if deleted, err := store.DeleteOwnKeys(t.Context()); err != nil || deleted != 3*len(states)+1 {
		t.Errorf("deleted = %d, %v, want %d", deleted, err, 3*len(states)+1)
	}
}

func TestClusterNodeUsedAsASingleServerIsAFinding(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t)
	store := open(t, redisstore.Config{URL: nodes[0].URL()})
	wantFindings(t, store, "the server is a node of a Redis Cluster, and the adapter is not told so: only the keys of this node are kept. Remedy: turn on the cluster setting")
}
